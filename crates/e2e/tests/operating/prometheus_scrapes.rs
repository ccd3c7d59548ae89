//! A real Prometheus scrapes with the configuration of `docs/prometheus.md`, and `promtool` finds nothing to say about the
//! page of metrics and the rules.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use testkit::{Balancer, Config, Target, get, wait_for, wait_until};

use crate::admin_over_tcp::{TOKEN, addresses};

#[test]
fn prometheus_scrapes_with_the_configuration_of_the_page() {
    let balancer = balancer();
    let [local, remote] = addresses(&balancer);
    let config = block(0)
        .replace("127.0.0.1:9900", &local.to_string())
        .replace("192.0.2.10:9900", &SocketAddr::from(([127, 0, 0, 1], remote.port())).to_string())
        .replace("/etc/prometheus/evenkeel.token", balancer.path("token").to_str().unwrap())
        .replace("15s", "1s");
    balancer.write("prometheus.yml", &config);
    let prometheus = Prometheus::start(&balancer);
    for job in ["evenkeel", "evenkeel-remote"] {
        let query = format!("/api/v1/query?query=evenkeel_listener_requests_total{{job=%22{job}%22}}");
        let value = wait_for(&format!("samples of {job}"), || prometheus.first_value(&query));
        assert_eq!(value, "1");
    }
}

#[test]
fn promtool_has_nothing_to_say_about_the_page() {
    let balancer = balancer();
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(balancer.metrics().as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn the_rules_of_the_page_are_valid_and_ask_for_metrics_that_exist() {
    let rules = block(1);
    let balancer = balancer();
    balancer.write("rules.yml", rules);
    let output = Command::new("promtool").arg("check").arg("rules").arg(balancer.path("rules.yml")).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("SUCCESS: 9 rules found"), "{output:?}");

    let metrics = balancer.metrics();
    let words = PAGE.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names: BTreeSet<_> = words.filter(|word| word.starts_with("evenkeel_session")).collect();
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        assert!(metrics.contains(&format!("# TYPE {name} ")), "{name}");
    }
}

/// One that has served a request.
fn balancer() -> Balancer {
    let target = Target::named("served");
    let admin = "[admin]\nbind = [\"127.0.0.1:0\", \"0.0.0.0:0\"]\ntoken_file = \"token\"\n";
    let balancer = Balancer::prepare(Config::to(&target).text(admin)).file("token", TOKEN).start();
    assert_eq!(get(balancer.web(), "/").text(), "served");
    balancer
}

const PAGE: &str = include_str!("../../../../docs/prometheus.md");

/// A block of YAML of the page: the first is the scrape configuration, the second are the rules.
fn block(index: usize) -> &'static str {
    PAGE.split("```yaml\n").nth(index + 1).unwrap().split_once("```").unwrap().0
}

struct Prometheus {
    process: Child,
    address: SocketAddr,
}

impl Prometheus {
    fn start(balancer: &Balancer) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", balancer.path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", balancer.path("tsdb").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(balancer.path("prometheus.log")).unwrap())
            .spawn()
            .unwrap();
        let prometheus = Self { process, address };
        wait_until("Prometheus answers", || prometheus.ask("/-/ready").is_some());
        prometheus
    }

    fn first_value(&self, query: &str) -> Option<String> {
        let answer: Value = serde_json::from_str(&self.ask(query)?).ok()?;
        Some(answer["data"]["result"][0]["value"][1].as_str()?.to_owned())
    }

    /// The body of a response with 200.
    fn ask(&self, path: &str) -> Option<String> {
        let mut stream = std::net::TcpStream::connect(self.address).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: a\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.contains(" 200 ").then(|| body.to_owned())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
