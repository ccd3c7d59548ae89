//! The load balancer in front of the shops: Evenkeel, or HAProxy in its place to try the trial itself.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testkit::{Balancer, Signal};
use xtask::Outcome;

use super::mechanism::Mechanism;
use crate::server::{Server, free_address};

/// The program that balances.
#[derive(Clone, Debug)]
pub(crate) enum Program {
    Evenkeel(PathBuf),
    Haproxy,
}

/// What all load balancers of a case are told.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) mechanism: Mechanism,
    pub(crate) targets: Vec<SocketAddr>,
    /// Tables `[session_store.…]` and `[session_gateway.…]`.
    pub(crate) tables: String,
    /// The name of the store of sessions.
    pub(crate) store: Option<&'static str>,
    /// Further lines of the target group.
    pub(crate) group: String,
    /// What answers below `/trial/`.
    pub(crate) trial: Option<SocketAddr>,
    /// Places of targets with weight 0.
    pub(crate) drained: Vec<usize>,
}

/// A running load balancer.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    process: Running,
    config: String,
    program: Program,
}

#[derive(Debug)]
enum Running {
    Evenkeel(Box<Balancer>),
    Haproxy(Server),
    Killed,
}

/// A file of one key that all load balancers share.
#[derive(Debug)]
pub(crate) struct Keys(TempDir);

impl Keys {
    /// `digit` makes the key.
    pub(crate) fn new(digit: char) -> Outcome<Self> {
        let failed = |error: std::io::Error| format!("key file: {error}");
        let directory = TempDir::new().map_err(failed)?;
        let path = directory.path().join("keys");
        fs::write(&path, format!("{}\n", digit.to_string().repeat(64))).map_err(failed)?;
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).map_err(failed)?;
        Ok(Self(directory))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("keys")
    }
}

impl Plan {
    pub(crate) fn new(mechanism: Mechanism, targets: Vec<SocketAddr>) -> Self {
        Self {
            mechanism,
            targets,
            tables: String::new(),
            store: None,
            group: String::new(),
            trial: None,
            drained: Vec::new(),
        }
    }

    /// The configuration for Evenkeel at `address`.
    pub(crate) fn evenkeel(&self, address: SocketAddr, keys: &Path) -> String {
        let mut text = format!("workers = 2\n[listener.web]\nbind = \"{address}\"\nforward = \"shop\"\n");
        if let Some(trial) = self.trial {
            text += "[[listener.web.rule]]\npath = \"/trial/\"\nforward = \"trial\"\n";
            let _ = writeln!(text, "[target_group.trial]\ntargets = [\"{trial}\"]");
        }
        text += "[target_group.shop]\ntargets = [\n";
        for (place, target) in self.targets.iter().enumerate() {
            let weight = u32::from(!self.drained.contains(&place));
            let _ = writeln!(text, "    {{ address = \"{target}\", weight = {weight} }},");
        }
        text += "]\nhealth_check = { type = \"tcp\", interval = \"500ms\" }\n";
        text += &self.group;
        text += &self.mechanism.evenkeel(keys, self.store);
        text + &self.tables
    }

    fn haproxy(&self, address: SocketAddr) -> String {
        let trial = self.trial.map(|trial| format!("    server t {trial}\n")).unwrap_or_default();
        let text = HAPROXY.replace("@ADDRESS@", &address.to_string()).replace("@TRIAL@", &trial);
        text + &self.mechanism.haproxy(&self.targets)
    }
}

impl Program {
    /// Starts a load balancer and waits until its targets are healthy.
    pub(crate) fn start(&self, plan: &Plan, keys: &Keys) -> Outcome<Front> {
        let address = free_address()?;
        let config = match self {
            Self::Evenkeel(_) => plan.evenkeel(address, &keys.path()),
            Self::Haproxy if plan.store.is_some() || !plan.tables.is_empty() => {
                return Err("HAProxy has no session store".into());
            }
            Self::Haproxy => plan.haproxy(address),
        };
        let process = self.launch(&config, address)?;
        let front = Front { address, process, config, program: self.clone() };
        front.wait_for_targets(plan.targets.len())?;
        Ok(front)
    }

    fn launch(&self, config: &str, address: SocketAddr) -> Outcome<Running> {
        match self {
            Self::Evenkeel(binary) => {
                let prepared = Balancer::prepare(config).binary(binary.clone());
                // It says why, where a start would panic.
                let check = prepared.command(&["check", "evenkeel.toml"]).output();
                let check = check.map_err(|error| format!("evenkeel check: {error}"))?;
                if !check.status.success() {
                    let texts = [check.stdout, check.stderr].concat();
                    return Err(format!("evenkeel check: {}", String::from_utf8_lossy(&texts)));
                }
                Ok(Running::Evenkeel(Box::new(prepared.start())))
            }
            Self::Haproxy => {
                let directory = Server::directory()?;
                let path = directory.path().join("config");
                fs::write(&path, config).map_err(|error| format!("haproxy: {error}"))?;
                let mut command = Server::command("haproxy");
                command.args(["-db", "-f"]).arg(path);
                Ok(Running::Haproxy(Server::start("haproxy", command, directory, &[address])?))
            }
        }
    }
}

impl Front {
    /// Waits until `count` targets are healthy.
    pub(crate) fn wait_for_targets(&self, count: usize) -> Outcome {
        let Running::Evenkeel(balancer) = &self.process else { return Ok(()) };
        let deadline = Instant::now() + HEALTHY_TIMEOUT;
        loop {
            let healthy = balancer.targets().iter().filter(|one| one["health"] == "healthy").count();
            if healthy >= count {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("{healthy} of {count} targets are healthy"));
            }
            std::thread::sleep(POLL);
        }
    }

    /// How often this came of a session that other processes may know, as the metrics count it.
    pub(crate) fn shared(&self, event: &str) -> f64 {
        let Running::Evenkeel(balancer) = &self.process else { return 0.0 };
        balancer.metric("evenkeel_session_store_sessions_total", &[("event", event)])
    }

    /// Ends it by KILL.
    pub(crate) fn kill(&mut self) -> Outcome {
        match std::mem::replace(&mut self.process, Running::Killed) {
            Running::Evenkeel(mut balancer) => {
                balancer.signal(Signal::KILL);
                balancer.wait_exit();
                Ok(())
            }
            Running::Haproxy(mut server) => server.kill(),
            Running::Killed => Ok(()),
        }
    }

    /// Ends it by KILL and starts another one at its address with the same configuration, in a directory of its own.
    pub(crate) fn restart(&mut self, targets: usize) -> Outcome {
        self.kill()?;
        self.process = self.program.launch(&self.config, self.address)?;
        self.wait_for_targets(targets)
    }

    /// Lets Evenkeel serve another plan from now on.
    pub(crate) fn reload(&mut self, plan: &Plan, keys: &Keys) -> Outcome {
        let Running::Evenkeel(balancer) = &self.process else { return Err("no reload here".into()) };
        self.config = plan.evenkeel(self.address, &keys.path());
        balancer.reload(&self.config).map(|_| ()).map_err(|(status, text)| format!("reload: {status} {text}"))
    }
}

const HEALTHY_TIMEOUT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

const HAPROXY: &str = "
global
    nbthread 2
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option redispatch 1
    retry-on conn-failure empty-response
frontend web
    bind @ADDRESS@
    use_backend trial if { path_beg /trial/ }
    default_backend shop
backend trial
@TRIAL@
backend shop
    balance roundrobin
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_becomes_a_configuration() {
        let targets = ["127.0.0.1:1", "127.0.0.1:2"].map(|text| text.parse().unwrap()).to_vec();
        let mut plan = Plan::new(Mechanism::SourceIp, targets);
        plan.store = Some("shared");
        plan.tables = "[session_store.shared]\ntype = \"memory\"\n".into();
        let text = plan.evenkeel("127.0.0.1:9".parse().unwrap(), Path::new("/keys"));
        assert!(text.contains("{ address = \"127.0.0.1:2\", weight = 1 },\n]"), "{text}");
        assert!(text.contains("store = \"shared\" }\n[session_store.shared]\n"), "{text}");
    }

    #[test]
    fn a_key_file_is_private() {
        let keys = Keys::new('a').unwrap();
        assert_eq!(fs::metadata(keys.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(keys.path()).unwrap().trim().len(), 64);
    }
}
