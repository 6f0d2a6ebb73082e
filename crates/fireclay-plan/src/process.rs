//! What the system says of the memory of this process and of the machine.

/// The most memory that this process has held, in bytes.
///
/// Linux alone says it without a call into the system.
pub(crate) fn peak_memory() -> Option<u64> {
    field("/proc/self/status", "VmHWM:")
}

/// What this process holds now that is in no file, in bytes. Linux alone says it.
pub(crate) fn private_memory() -> Option<u64> {
    field("/proc/self/status", "RssAnon:")
}

/// The memory of this machine, in bytes, where the system says it.
pub fn machine_memory() -> Option<u64> {
    field("/proc/meminfo", "MemTotal:")
}

/// A size from one of the tables of the kernel, which has kibibytes.
fn field(path: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    let number: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(number * 1024)
}
