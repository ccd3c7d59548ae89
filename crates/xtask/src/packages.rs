//! Debian packages that the tests need.

use std::process::Command;

use crate::{Outcome, workspace};

/// Program, the package it comes from. The one place where a test's need is written down.
const NEEDED: &[(&str, &str)] = &[
    ("curl", "curl"),
    // Peers vanish in network namespaces.
    ("ip", "iproute2"),
    ("ss", "iproute2"),
    // Tests of the bench pin their child processes.
    ("setpriv", "util-linux"),
    ("taskset", "util-linux"),
];

/// Installs what is missing where we may; otherwise fails with the line that does it.
pub(crate) fn ensure() -> Outcome {
    let missing = missing(NEEDED, workspace::installed);
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install -y --no-install-recommends {}", missing.join(" "));
    if !(rustix::process::geteuid().is_root() && workspace::installed("apt-get")) {
        return Err(format!("the tests need more programs; run as root:\n  apt-get update && {line}"));
    }
    println!("installing {}", missing.join(" "));
    let apt = |arguments: &str| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments.split(' ').skip(1));
        workspace::run(&mut command)
    };
    apt("apt-get update -q").and_then(|()| apt(&line)).map_err(|error| format!("{error}\nrun:\n  {line}"))
}

fn missing(needed: &[(&str, &'static str)], installed: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let mut packages: Vec<_> =
        needed.iter().filter(|(program, _)| !installed(program)).map(|(_, package)| *package).collect();
    packages.dedup();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_named_once() {
        let needed = [("curl", "curl"), ("setpriv", "util-linux"), ("taskset", "util-linux")];
        assert_eq!(missing(&needed, |_| false), ["curl", "util-linux"]);
        assert_eq!(missing(&needed, |program| program != "curl"), ["curl"]);
        assert_eq!(missing(&needed, |_| true), [""; 0]);
    }
}
