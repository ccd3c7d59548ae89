//! Figures of this process from the kernel (`man 5 proc`).

use std::fs;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProcessNumbers {
    pub(crate) open_descriptors: u64,
    pub(crate) descriptors_max: u64,
    pub(crate) resident_bytes: u64,
}

/// Reads the figures; a figure that cannot be read is 0. Slow with many open descriptors, so it must be
/// called where blocking is allowed.
pub(crate) fn read() -> ProcessNumbers {
    let text = |path| fs::read_to_string(path).unwrap_or_default();
    ProcessNumbers {
        // One of the descriptors is that of the directory being read.
        open_descriptors: fs::read_dir("/proc/self/fd")
            .map_or(0, |fds| (fds.count() as u64).saturating_sub(1)),
        descriptors_max: soft_limit(&text("/proc/self/limits")).unwrap_or(0),
        resident_bytes: resident(&text("/proc/self/status")).unwrap_or(0),
    }
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

fn soft_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_files_of_proc() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t    1234 kB\nThreads:\t3\n"), Some(1_263_616));
        let limits =
            "Limit   Soft Limit  Hard Limit  Units\nMax open files            1024     524288    files\n";
        assert_eq!(soft_limit(limits), Some(1024));
        for text in
            ["", "VmRSS:", "VmRSS: 18446744073709551615 kB", "Max open files", "Max open files unlimited"]
        {
            assert_eq!((resident(text), soft_limit(text)), (None, None), "{text}");
        }
    }

    #[test]
    fn this_process_has_memory_and_descriptors() {
        let numbers = read();
        assert!(numbers.resident_bytes > 100_000 && numbers.open_descriptors >= 3, "{numbers:?}");
        assert!(numbers.descriptors_max >= numbers.open_descriptors, "{numbers:?}");
    }
}
