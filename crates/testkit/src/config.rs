//! The configuration of a scenario: a listener `web`, a group `app`, and the settings under test.

use std::fmt;
use std::net::SocketAddr;

use crate::target::Target;

/// Renders as a configuration with one worker, so that pools are shared, a port chosen by the kernel, and a
/// JSON access log.
#[derive(Clone, Debug, Default)]
pub struct Config {
    top: Vec<String>,
    listener: Vec<String>,
    rules: Vec<String>,
    group: Vec<String>,
    targets: Vec<String>,
    more: Vec<String>,
    without_forward: bool,
}

impl Config {
    pub fn to(target: &Target) -> Self {
        Self::to_all(&[target])
    }

    pub fn to_all(targets: &[&Target]) -> Self {
        Self::to_addresses(&targets.iter().map(|target| target.address()).collect::<Vec<_>>())
    }

    pub fn to_addresses(addresses: &[SocketAddr]) -> Self {
        let targets = addresses.iter().map(|address| format!("\"{address}\"")).collect();
        Self { targets, ..Self::default() }
    }

    /// Targets with their weights.
    pub fn weighted(targets: &[(&Target, u32)]) -> Self {
        let target = |(target, weight): &(&Target, u32)| {
            format!("{{ address = \"{}\", weight = {weight} }}", target.address())
        };
        Self { targets: targets.iter().map(target).collect(), ..Self::default() }
    }

    /// Adds a top-level key.
    #[must_use]
    pub fn top(mut self, line: &str) -> Self {
        self.top.push(line.to_owned());
        self
    }

    /// Adds a key of the listener.
    #[must_use]
    pub fn listener(mut self, line: &str) -> Self {
        self.listener.push(line.to_owned());
        self
    }

    /// Gives the listener TLS with certificates from these files, which are beside the configuration.
    #[must_use]
    pub fn https(self, files: &[&str]) -> Self {
        self.listener("protocol = \"https\"").listener(&format!("certificates = {files:?}"))
    }

    /// Leaves out the default action.
    #[must_use]
    pub fn without_forward(mut self) -> Self {
        self.without_forward = true;
        self
    }

    /// Adds a rule with these keys.
    #[must_use]
    pub fn rule(mut self, lines: &str) -> Self {
        self.rules.push(lines.to_owned());
        self
    }

    /// Adds a key of the group `app`.
    #[must_use]
    pub fn group(mut self, line: &str) -> Self {
        self.group.push(line.to_owned());
        self
    }

    /// Adds another group.
    #[must_use]
    pub fn also(mut self, name: &str, target: &Target) -> Self {
        self.more.push(format!("[target_group.{name}]\ntargets = [\"{}\"]\n", target.address()));
        self
    }

    /// Appends any other text.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.more.push(text.to_owned());
        self
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has =
            |lines: &[String], key: &str| lines.iter().any(|line| line.split(['=', ' ']).next() == Some(key));
        if !has(&self.top, "workers") {
            writeln!(f, "workers = 1")?;
        }
        writeln!(f, "{}\n[listener.web]", self.top.join("\n"))?;
        for (key, default) in LISTENER_DEFAULTS {
            let is_left_out = *key == "forward" && self.without_forward;
            if !has(&self.listener, key) && !is_left_out {
                writeln!(f, "{default}")?;
            }
        }
        writeln!(f, "{}", self.listener.join("\n"))?;
        for rule in &self.rules {
            writeln!(f, "[[listener.web.rule]]\n{rule}")?;
        }
        writeln!(
            f,
            "[target_group.app]\ntargets = [{}]\n{}",
            self.targets.join(", "),
            self.group.join("\n")
        )?;
        write!(f, "{}", self.more.join("\n"))
    }
}

const LISTENER_DEFAULTS: &[(&str, &str)] = &[
    ("bind", "bind = \"127.0.0.1:0\""),
    ("access_log", "access_log = { path = \"access.log\", format = \"json\" }"),
    ("forward", "forward = \"app\""),
];
