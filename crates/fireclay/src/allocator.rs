//! The allocator of the program. Where the system has no memory left, std would abort with a backtrace; here the
//! program says so in a line and ends as after any other failure. Checkpoints are written aside and renamed, so the
//! last one is whole.
#![expect(
    unsafe_code,
    reason = "an allocator is an unsafe trait; every call goes on to mimalloc as it is"
)]

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, Ordering};

use mimalloc::MiMalloc;

/// mimalloc, because small tensors come and go at every step and the system's allocator is slow at that; it ends the
/// program where there is no memory.
pub struct Allocator;

// SAFETY: all calls are passed on to an allocator, with what it was given and what it gave; only a null pointer is
// not returned.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps what `MiMalloc` asks for.
        there(unsafe { MiMalloc.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        there(unsafe { MiMalloc.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        there(unsafe { MiMalloc.realloc(pointer, layout, size) }, size)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }
}

#[inline(always)]
fn there(pointer: *mut u8, size: usize) -> *mut u8 {
    match pointer.is_null() {
        true => end(size),
        false => pointer,
    }
}

static IS_TOLD: AtomicBool = AtomicBool::new(false);

/// Says what is missing and ends the program. Nothing here may allocate.
#[cold]
fn end(size: usize) -> ! {
    if IS_TOLD.swap(true, Ordering::SeqCst) {
        // Another thread ends the program; std prints nothing of this one meanwhile.
        loop {
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
    }
    tell(b"error: there is no memory left: ");
    let mut digits = [0; 20];
    tell(decimal(size, &mut digits));
    tell(
        b" bytes were refused; a smaller train.batch_size or a smaller model needs less, `fireclay plan CONFIG` says \
          where memory goes; checkpoints are whole: `fireclay resume RUN` goes on from the newest\n",
    );
    exit()
}

/// Writes to standard error itself: its lock may be held by this very thread.
#[cfg(unix)]
fn tell(bytes: &[u8]) {
    use std::fs::File;
    use std::io::Write;
    use std::mem::ManuallyDrop;
    use std::os::fd::FromRawFd;

    // SAFETY: the descriptor is not closed, because the file is never dropped; where it is closed already, writing
    // fails.
    let mut error = ManuallyDrop::new(unsafe { File::from_raw_fd(2) });
    // There is no other place to say it.
    let _ = error.write_all(bytes);
}

#[cfg(not(unix))]
fn tell(bytes: &[u8]) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), bytes);
}

/// Ends at once: what is done at a usual end may allocate, or wait for a lock of another thread.
#[cfg(unix)]
fn exit() -> ! {
    signal_hook::low_level::exit(1)
}

#[cfg(not(unix))]
fn exit() -> ! {
    std::process::exit(1)
}

fn decimal(mut number: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_without_memory() {
        for number in [0, 7, 10, 1234, usize::MAX] {
            let mut digits = [0; 20];
            assert_eq!(decimal(number, &mut digits), number.to_string().as_bytes());
        }
    }
}
