//! Where operations on the CPU are computed.

use burn::tensor::Device;

/// Does `work`, many small operations, on one of the threads that operations on the CPU are shared out to, if `device` is
/// that. Each operation then begins on the thread that asks for it. From elsewhere that thread is woken up first, and in the
/// end it wakes up the one that waits, which takes as long as a small product.
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
        let found = |device: Device| {
            let within = || (rayon::current_thread_index().is_some(), is_alone());
            [
                in_pool(&device, within),
                each_row_alone(|| in_pool(&device, within)),
            ]
        };
        assert_eq!(found(Device::flex()), [(true, false), (true, true)]);
        let again = in_pool(&Device::flex(), is_alone);
        assert!(!again, "a thread of the pool is left as it was");
    }
}
