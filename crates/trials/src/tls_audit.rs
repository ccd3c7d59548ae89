//! `cargo xtask tls-audit`: `sslscan` and `testssl.sh` examine an https listener, and `openssl` must get a chain in order
//! although its file holds it shuffled, with other blocks in between (TLS1, CH1).

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use balance::Rng;
use clap::Args;
use serde_json::Value;
use tempfile::TempDir;
use testkit::{Authority, Leaf, Target};
use xtask::{Outcome, packages};

use crate::stand_in::Program;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Without testssl.sh, which takes minutes
    #[arg(long)]
    quick: bool,

    /// The server to examine; others than evenkeel show what the tools report for those
    #[arg(long, value_enum, value_name = "NAME", default_value_t = Program::Evenkeel)]
    server: Program,
}

pub(crate) fn run(options: &Options) -> Outcome {
    packages::ensure(packages::FOR_TLS_AUDIT)?;
    let program = options.server.prepare(false)?;
    let chain = Chain::of_six();
    // Only Evenkeel is expected to put a shuffled chain in order.
    let bundle = if options.server == Program::Evenkeel { chain.shuffled() } else { chain.leaf.pem() };
    let target = Target::named("one");
    let proxy = program.start_with(target.address(), &chain.leaf, &bundle)?;
    let mut wrong = Vec::new();
    wrong.extend(chain.wrong(&show_chain(proxy.tls, &chain)?));
    wrong.extend(Scan::of(proxy.tls)?.print().wrong());
    if !options.quick {
        wrong.extend(findings(proxy.tls)?);
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// A leaf, four intermediate certificates and their root.
struct Chain {
    root: Authority,
    leaf: Leaf,
}

impl Chain {
    fn of_six() -> Self {
        let root = Authority::new("Audit Root");
        let lowest = (1..=4).fold(None::<Authority>, |above, number| {
            Some(above.as_ref().unwrap_or(&root).intermediate(&format!("Audit Intermediate {number}")))
        });
        let leaf = lowest.as_ref().unwrap_or(&root).leaf(&[]).issue();
        Self { root, leaf }
    }

    /// All six in random order, one of them twice, and the key.
    fn shuffled(&self) -> String {
        let mut all: Vec<String> =
            self.leaf.chain().iter().map(|der| testkit::pem("CERTIFICATE", der)).collect();
        all.extend([self.root.pem(), self.leaf.key_pem(), all[1].clone()]);
        let mut random = Rng::new(SHUFFLE_SEED);
        for last in (1..all.len()).rev() {
            let other = usize::try_from(random.below(last as u64 + 1)).unwrap_or(0);
            all.swap(last, other);
        }
        all.join("\r\n# a comment\r\n\r\n")
    }

    /// Problems in the output of `openssl s_client -showcerts`.
    fn wrong(&self, shown: &str) -> Vec<String> {
        let subjects: Vec<&str> = shown
            .lines()
            .filter_map(|line| line.trim().split_once(" s:"))
            .map(|(_, name)| name.trim())
            .collect();
        println!("chain shown: {}", subjects.join(" < "));
        let result = shown.lines().map(str::trim).find(|line| line.starts_with("Verify return code:"));
        println!("{}", result.unwrap_or("openssl verified nothing"));
        let wanted: Vec<String> = std::iter::once("localhost".to_owned())
            .chain((1..=4).rev().map(|number| format!("Audit Intermediate {number}")))
            .collect();
        let names: Vec<&str> =
            subjects.iter().map(|subject| subject.rsplit('=').next().unwrap_or_default().trim()).collect();
        let mut wrong = Vec::new();
        if names != wanted {
            wrong.push(format!("the chain is shown as {names:?} instead of {wanted:?}"));
        }
        if !result.is_some_and(|line| line.starts_with("Verify return code: 0 ")) {
            wrong.push("openssl does not verify the chain".to_owned());
        }
        wrong
    }
}

fn show_chain(address: SocketAddr, chain: &Chain) -> Outcome<String> {
    let directory = TempDir::new().map_err(|error| error.to_string())?;
    let root = directory.path().join("root.pem");
    fs::write(&root, chain.root.pem()).map_err(|error| error.to_string())?;
    let mut command = Command::new("timeout");
    command.args(["20", "openssl", "s_client", "-showcerts", "-servername", "localhost"]);
    command.args(["-verify_hostname", "localhost", "-connect", &address.to_string(), "-CAfile"]).arg(root);
    text_of(command)
}

/// The report of `sslscan`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Scan {
    /// Enabled protocols.
    protocols: Vec<String>,
    /// Version, bits, name, strength.
    suites: Vec<[String; 4]>,
    is_compressing: bool,
    renegotiates: bool,
}

impl Scan {
    fn of(address: SocketAddr) -> Outcome<Self> {
        let mut command = Command::new("timeout");
        command.args(["60", "sslscan", "--sni-name=localhost", "--xml=-", &address.to_string()]);
        Ok(Self::read(&text_of(command)?))
    }

    /// Parses the XML report, which has one element per line.
    fn read(xml: &str) -> Self {
        let mut scan = Self::default();
        for line in xml.lines().map(str::trim) {
            let value = |name: &str| attribute(line, name).unwrap_or_default().to_owned();
            if line.starts_with("<protocol ") && value("enabled") == "1" {
                scan.protocols.push(format!("{} {}", value("type").to_uppercase(), value("version")));
            } else if line.starts_with("<cipher ") {
                scan.suites.push(["sslversion", "bits", "cipher", "strength"].map(value));
            } else if line.starts_with("<compression ") {
                scan.is_compressing |= value("supported") == "1";
            } else if line.starts_with("<renegotiation ") {
                scan.renegotiates |= value("supported") == "1";
            }
        }
        scan
    }

    fn print(self) -> Self {
        println!("protocols: {}", self.protocols.join(", "));
        for [version, bits, name, strength] in &self.suites {
            println!("  {version} {bits:>3} bits  {name}  {strength}");
        }
        self
    }

    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.protocols != ["TLS 1.2", "TLS 1.3"] {
            wrong.push(format!("protocols: {:?}", self.protocols));
        }
        for [_, bits, name, strength] in &self.suites {
            let is_sound = bits.parse().is_ok_and(|bits: u32| bits >= 128)
                && ["strong", "acceptable"].contains(&strength.as_str())
                && !["CBC", "-SHA256", "-SHA384", "-SHA"].iter().any(|old| is_old(name, old));
            if !is_sound {
                wrong.push(format!("suite {name}: {bits} bits, {strength}"));
            }
        }
        if self.is_compressing {
            wrong.push("it compresses".to_owned());
        }
        if self.renegotiates {
            wrong.push("it renegotiates".to_owned());
        }
        wrong
    }
}

/// The names of suites without authenticated encryption end in their MAC.
fn is_old(name: &str, old: &str) -> bool {
    name.ends_with(old) && !name.contains("GCM") && !name.contains("POLY1305")
}

fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    element.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

/// Findings of `testssl.sh` that are worse than acceptable. The tool gives no grade for a part of its checks.
fn findings(address: SocketAddr) -> Outcome<Vec<String>> {
    let directory = TempDir::new().map_err(|error| error.to_string())?;
    let file = directory.path().join("findings.json");
    let mut command = Command::new("timeout");
    command.args(["300", "testssl", "--quiet", "--color", "0", "--warnings", "off", "--fast"]);
    command.args(["-p", "-P", "-U", "--jsonfile"]).arg(&file).arg(address.to_string());
    text_of(command)?;
    let text = fs::read_to_string(&file).map_err(|error| format!("testssl: {error}"))?;
    let found: Value = serde_json::from_str(&text).map_err(|error| format!("testssl: {error}"))?;
    let found = found.as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let of = |wanted: &[&str]| {
        let chosen = found.iter().filter(|one| wanted.contains(&text(one, "severity").as_str()));
        chosen
            .map(|one| format!("{}: {} ({})", text(one, "id"), text(one, "finding"), text(one, "severity")))
            .collect::<Vec<_>>()
    };
    let good = found.iter().filter(|one| ["OK", "INFO"].contains(&text(one, "severity").as_str())).count();
    println!("testssl: {} findings, {good} of them good or indifferent", found.len());
    of(&["WARN", "LOW", "MEDIUM", "HIGH", "CRITICAL"]).iter().for_each(|line| println!("  {line}"));
    Ok(of(&["MEDIUM", "HIGH", "CRITICAL"]))
}

/// The output of a tool. Its exit code is ignored: the findings are in the output.
fn text_of(mut command: Command) -> Outcome<String> {
    let name = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    if output.stdout.is_empty() {
        return Err(format!("{name}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

const SHUFFLE_SEED: u64 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_weakness_of_a_scan_is_reported() {
        let xml = r#"
            <protocol type="tls" version="1.1" enabled="0" />
            <protocol type="tls" version="1.2" enabled="1" />
            <protocol type="tls" version="1.3" enabled="1" />
            <renegotiation supported="0" secure="1" />
            <compression supported="0" />
            <cipher status="preferred" sslversion="TLSv1.3" bits="128" cipher="TLS_AES_128_GCM_SHA256" strength="acceptable" />
            <cipher status="preferred" sslversion="TLSv1.2" bits="256" cipher="ECDHE-RSA-AES256-GCM-SHA384" strength="strong" />"#;
        let scan = Scan::read(xml);
        assert_eq!((scan.suites.len(), scan.wrong()), (2, vec![]));
        for (from, to) in [
            ("version=\"1.1\" enabled=\"0\"", "version=\"1.1\" enabled=\"1\""),
            ("bits=\"128\"", "bits=\"112\""),
            ("AES256-GCM-SHA384", "AES256-SHA384"),
            ("<compression supported=\"0\"", "<compression supported=\"1\""),
            ("strength=\"strong\"", "strength=\"weak\""),
        ] {
            let wrong = Scan::read(&xml.replace(from, to)).wrong();
            assert_eq!(wrong.len(), 1, "{to}: {wrong:?}");
        }
    }

    #[test]
    fn a_shuffled_bundle_is_complete() {
        let chain = Chain::of_six();
        let bundle = chain.shuffled();
        assert_eq!(bundle.matches("BEGIN CERTIFICATE").count(), 7);
        assert_eq!(bundle.matches("PRIVATE KEY-----").count(), 2);
    }
}
