//! A description of the machine in general words, without names or paths.

use std::process::Command;

/// Text such as `4 cores of a virtual machine (X), 16 GiB, Linux 6.1`.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into());
    let memory = field("/proc/meminfo", "MemTotal").and_then(|text| {
        let kib: u64 = text.split_whitespace().next()?.parse().ok()?;
        Some(format!("{} GiB, ", kib.div_ceil(1 << 20)))
    });
    let virtual_machine =
        std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains(" hypervisor"));
    let kind = if virtual_machine { " of a virtual machine" } else { "" };
    format!("{cores} cores{kind} ({processor}), {}Linux {}", memory.unwrap_or_default(), kernel())
}

/// The load average of the last minute.
pub(crate) fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0)
}

/// The versions of the opponents and of h2load, as they print them.
pub(crate) fn versions() -> Vec<String> {
    [("haproxy", "-v"), ("nginx", "-v"), ("h2load", "--version")]
        .into_iter()
        .filter_map(|(program, flag)| {
            let output = Command::new(program).arg(flag).output().ok()?;
            let text = [output.stdout, output.stderr].concat();
            let version = String::from_utf8_lossy(&text)
                .split([' ', '/', '\n'])
                .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?
                .split('-')
                .next()?
                .to_owned();
            Some(format!("{program} {version}"))
        })
        .collect()
}

/// Major and minor version only: the rest names a distribution's build.
fn kernel() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.split('.').take(2).collect::<Vec<_>>().join(".")
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_names_cores_and_kernel() {
        let text = describe();
        assert!(text.contains(" cores") && text.contains("Linux "), "{text}");
    }
}
