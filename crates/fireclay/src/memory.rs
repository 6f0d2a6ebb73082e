//! Devices that have no memory left, and systems that have no threads. Burn has no error for it: its backends panic, each
//! in its own words.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};

use crate::failure::Failure;

/// Does `work`. If it fails because a device has no memory left, or the system no threads, the error says so, and what helps.
pub fn guarded(work: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    hush();
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Err(Failure::Failed(message))) if is_out_of_memory(&message) => Err(advised(&message)),
        Ok(done) => done,
        Err(panic) => match said(&*panic) {
            Some(message) if is_out_of_memory(message) => Err(advised(message)),
            Some(message) if is_out_of_threads(message) => Err(no_threads()),
            _ => resume_unwind(panic),
        },
    }
}

/// Keeps these panics off the terminal. Those that end the program are reported as errors. CubeCL catches a
/// hundred of its own when its benchmarks ask for more memory than a software driver has.
fn hush() {
    let show = take_hook();
    set_hook(Box::new(move |panic| {
        // Of another thread nobody else may hear.
        let is_here = std::thread::current().name() == Some("main");
        let is_known = |message| is_out_of_memory(message) || is_here && is_out_of_threads(message);
        if !panic.payload_as_str().is_some_and(is_known) {
            show(panic);
        }
    }));
}

/// What a panic says.
pub fn said(panic: &(dyn Any + Send)) -> Option<&str> {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
}

/// Whether CubeCL, wgpu or a driver reports a failed allocation with this message, in prose or as the name
/// of an error.
fn is_out_of_memory(message: &str) -> bool {
    const SIGNS: [&str; 8] = [
        "out of memory",
        "out of device memory",
        "outofmemory",
        "outofdevicememory",
        "not enough memory",
        "notenoughmemory",
        "can t allocate buffer",
        "buffertoobig",
    ];
    let message = message.to_lowercase();
    let words = message.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    let words = format!(" {} ", words.collect::<Vec<_>>().join(" "));
    SIGNS
        .iter()
        .any(|sign| words.contains(&format!(" {sign} ")))
}

/// Whether std says that no thread could be made: by [`std::thread::spawn`] itself, or in an error that a library unwraps.
/// Nothing else here waits for what is not there at once, which has the same number.
fn is_out_of_threads(message: &str) -> bool {
    message.contains("kind: WouldBlock")
}

fn no_threads() -> Failure {
    Failure::Failed(
        "the system gives no threads: a limit on memory (ulimit -v), processes (ulimit -u) or tasks (of a container) is too \
         narrow"
            .into(),
    )
}

fn advised(message: &str) -> Failure {
    let reason = message.lines().find(|line| is_out_of_memory(line));
    let reason = reason.unwrap_or(message).trim();
    Failure::Failed(format!(
        "the device has no memory left: {reason}\n\
         What helps a training: a smaller train.batch_size, with train.gradient_accumulation_steps for \
         the same updates; train.gradient_checkpointing = true; device.precision = \"bf16\". `fireclay \
         plan CONFIG` says where the memory goes. Checkpoints are whole: where there is more memory, \
         `fireclay resume RUN` goes on from the newest.\n\
         What helps evaluation and prediction, which compute in f32: a smaller eval.batch_size."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the versions of these crates that are built in say.
    const MESSAGES: [&str; 8] = [
        // cubecl-runtime, IoError and LaunchError, in prose and by `unwrap`.
        "out of device memory allocating 1073741824 bytes\nBacktrace",
        "can't allocate buffer of size: 274877906944\nBacktrace",
        "An out-of-memory error happened during launch\nCaused by:\n  no page\nBacktrace",
        "called `Result::unwrap()` on an `Err` value: Io(OutOfMemory { size: 4096 })",
        // wgpu, and wgpu-core beneath it.
        "wgpu error: Out of Memory\n",
        "Not enough memory left.",
        // Drivers.
        "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")",
        "ERROR_OUT_OF_DEVICE_MEMORY",
    ];

    #[test]
    fn what_backends_say_becomes_an_error_with_advice() {
        for said in MESSAGES {
            let Err(Failure::Failed(message)) = guarded(|| panic!("{said}")) else {
                panic!("{said} is not taken for a lack of memory");
            };
            let first = said.lines().next().expect("a line");
            for word in [first.trim(), "batch_size", "precision", "plan", "resume"] {
                assert!(message.contains(word), "no {word} in {message}");
            }
        }
        // As an error that was led back, too.
        let led_back = || {
            Err(Failure::Failed(
                "out of device memory allocating 8 bytes".into(),
            ))
        };
        let Err(Failure::Failed(message)) = guarded(led_back) else {
            panic!("an error");
        };
        assert!(message.contains("batch_size"), "{message}");
    }

    #[test]
    fn a_system_without_threads_is_an_error() {
        for said in [
            "failed to spawn thread: Os { code: 11, kind: WouldBlock, message: \"Resource temporarily unavailable\" }",
            "called `Result::unwrap()` on an `Err` value: Os { code: 11, kind: WouldBlock, message: \"x\" }",
        ] {
            let Err(Failure::Failed(message)) = guarded(|| panic!("{said}")) else {
                panic!("{said} is not taken for a lack of threads");
            };
            assert!(message.contains("ulimit -u"), "{message}");
        }
    }

    #[test]
    fn other_panics_and_errors_stay_what_they_are() {
        for text in ["memory of an elephant", "the layout of memory"] {
            let panic = catch_unwind(|| guarded(|| panic!("{text}")));
            assert_eq!(said(&*panic.expect_err("a panic")), Some(text));
        }
        let done = guarded(|| Err(Failure::Failed("the file is out of date".into())));
        assert!(
            matches!(done, Err(Failure::Failed(message)) if message == "the file is out of date")
        );
    }
}
