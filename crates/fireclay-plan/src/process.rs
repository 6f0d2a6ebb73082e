//! What the system says of the memory of this process and of the machine.

/// The most memory that this process has held, in bytes.
///
/// Linux alone says it without a call into the system.
pub(crate) fn peak_memory() -> Option<u64> {
    field("/proc/self/status", "VmHWM:").map(kibibytes)
}

/// What this process holds now that is in no file, in bytes. Linux alone says it.
pub(crate) fn private_memory() -> Option<u64> {
    field("/proc/self/status", "RssAnon:").map(kibibytes)
}

/// The memory of this machine that the process may take, in bytes, where the system says it: a container
/// and a limit of the address space may leave it less than there is.
pub fn machine_memory() -> Option<u64> {
    let all = field("/proc/meminfo", "MemTotal:").map(kibibytes);
    let address_space = field("/proc/self/limits", "Max address space");
    [all, address_space, container()]
        .into_iter()
        .flatten()
        .min()
}

/// The limit of the control group, of either version.
fn container() -> Option<u64> {
    let files = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let read = |path: &&str| std::fs::read_to_string(path).ok()?.trim().parse().ok();
    files.iter().find_map(read)
}

/// The number that follows `name` in one of the tables of the kernel.
fn field(path: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn kibibytes(number: u64) -> u64 {
    number * 1024
}
