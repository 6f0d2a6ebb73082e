//! Where operations on the CPU are computed.

use burn::tensor::Device;

/// Does `work`, many small operations, on one of the threads that operations on the CPU are shared out to, if `device` is
/// that. Each operation then begins on the thread that asks for it. From elsewhere that thread is woken up first, and in the
/// end it wakes up the one that waits, which takes as long as a small product.
///
/// `work` is on another thread: of what holds on this one, [`each_row_alone`](crate::each_row_alone) alone goes along. It
/// must not wait for anything but operations, since others that compute wait for its thread.
pub fn in_pool<T: Send>(device: &Device, work: impl FnOnce() -> T + Send) -> T {
    #[cfg(feature = "flex")]
    if crate::is_flex(device) {
        let is_alone = crate::linear::is_alone();
        // While it waits, the thread may do other work, for which that does not hold.
        return rayon::scope(|_| crate::linear::alone(is_alone, work));
    }
    let _ = device;
    work()
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::each_row_alone;
    use crate::linear::is_alone;

    #[test]
    fn what_holds_for_the_thread_that_asks_holds_in_the_pool() {
        let device = Device::flex();
        let within = || (rayon::current_thread_index().is_some(), is_alone());
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let found = one.expect("a thread").install(|| {
            [
                in_pool(&device, within),
                each_row_alone(|| in_pool(&device, within)),
                // The thread is left as it was.
                in_pool(&device, within),
            ]
        });
        assert_eq!(found, [(true, false), (true, true), (true, false)]);
        assert!(in_pool(&device, within).0);
    }
}
