//! The parts of `evenkeel demo`: targets in this process, a config for them, and commands to try.

mod targets;

use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};

use targets::Target;

use crate::AdminAddress;

#[derive(Debug)]
pub struct Demo {
    targets: Vec<Target>,
    ipv6: bool,
}

impl Demo {
    /// Starts the targets; they end with the runtime.
    pub async fn start() -> io::Result<Self> {
        Ok(Self { targets: targets::start().await?, ipv6: has_ipv6() })
    }

    /// The text of a configuration that listens at `port`.
    pub fn config(&self, port: u16) -> String {
        config_text(&self.targets, port, self.ipv6)
    }

    /// What to try, for the terminal.
    pub fn hints(&self, port: u16, admin: &AdminAddress) -> String {
        hints(&self.targets, port, admin)
    }
}

/// The demo has one worker: each worker has its own round-robin order, so with several the order would look
/// random.
fn config_text(targets: &[Target], port: u16, ipv6: bool) -> String {
    let addresses: Vec<_> = targets.iter().map(|target| format!("\"{}\"", target.address)).collect();
    let second = if ipv6 { format!(", \"[::1]:{port}\"") } else { String::new() };
    format!(
        "workers = 1\nstop_timeout = \"2s\"\n\
         [listener.web]\nbind = [\"127.0.0.1:{port}\"{second}]\nforward = \"app\"\n\
         access_log = {{ path = \"-\", format = \"text\" }}\n\
         [target_group.app]\ntargets = [{}]\n\
         health_check = {{ type = \"http\", path = \"/healthz\", interval = \"1s\", timeout = \"1s\", healthy = 2, unhealthy = 2 }}\n",
        addresses.join(", ")
    )
}

/// Whether IPv6 is available. Many programs resolve `localhost` to `::1` first.
fn has_ipv6() -> bool {
    TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))).is_ok()
}

fn hints(targets: &[Target], port: u16, admin: &AdminAddress) -> String {
    let flag =
        if *admin == AdminAddress::default_place() { String::new() } else { format!(" --admin {admin}") };
    let list: String =
        targets.iter().map(|target| format!("  {:<6} http://{}\n", target.name, target.address)).collect();
    let first = targets.first().map(|target| target.address.to_string()).unwrap_or_default();
    let tries = [
        (format!("curl -i localhost:{port}"), "again and again: the targets take turns"),
        (format!("evenkeel targets{flag}"), "what the balancer knows about them"),
        (format!("evenkeel status{flag}"), "what it serves"),
        (
            format!("curl -X POST {first}/fail"),
            "make the first one unhealthy: within 3 s it gets no more requests",
        ),
        (format!("curl -X POST {first}/heal"), "make it healthy again"),
    ];
    let width = tries.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
    let tries: String =
        tries.iter().map(|(command, what)| format!("  {command:<width$}  # {what}\n")).collect();
    format!(
        "\nThe balancer listens at http://localhost:{port} and distributes requests to\n{list}\n\
         Try, in another terminal:\n{tries}\nCtrl-C ends the demo. Its access log follows:\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Vec<Target> {
        let target = |name, port: u16| Target { name, address: SocketAddr::from(([127, 0, 0, 1], port)) };
        vec![target("alpha", 1), target("beta", 2), target("gamma", 3)]
    }

    #[test]
    fn its_configuration_is_valid_without_a_warning() {
        for (ipv6, addresses) in [(true, 2), (false, 1)] {
            let loaded = config::parse(&config_text(&three(), 8080, ipv6), "demo", &config::Disk);
            let loaded = loaded.unwrap_or_else(|errors| panic!("{errors}"));
            assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
            assert_eq!(loaded.config.listeners[0].bind.len(), addresses);
            assert_eq!(loaded.config.target_groups[0].targets.len(), 3);
        }
    }

    #[test]
    fn hints_name_the_port_the_targets_and_the_socket() {
        let own = AdminAddress::from(std::path::PathBuf::from("/tmp/x.sock"));
        let text = hints(&three(), 8081, &own);
        for part in
            ["curl -i localhost:8081", "alpha  http://127.0.0.1:1\n", "status --admin unix:/tmp/x.sock"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!hints(&three(), 8081, &AdminAddress::default_place()).contains("--admin"));
    }
}
