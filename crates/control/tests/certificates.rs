//! Certificate files that change while the load balancer runs, and how status and metrics show them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "not every program of tests needs all of it")]
mod support;

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use control::{CertificateView, Reply, TargetView};
use serde_json::Value;
use support::{Balancer, Target, wait_until};
use tempfile::TempDir;
use testkit::{Authority, Http2Target, Leaf, TlsClient, TlsServer, ok};

const HTTPS: &str = "\
workers = 1
[listener.web]
bind = \"127.0.0.1:0\"
protocol = \"https\"
certificates = [{ cert = \"chain.pem\", key = \"key.pem\" }]
forward = \"app\"
[target_group.app]
targets = [\"127.0.0.1:1\"]
";

fn wall() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(testkit::unix_seconds())
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

async fn serving(leaf: &Leaf) -> Balancer {
    let folder = folder(&[("chain.pem", &leaf.chain_pem()), ("key.pem", &leaf.key_pem())]);
    Balancer::start_in(folder, HTTPS, wall).await
}

/// The certificate that a client gets.
async fn shown(address: SocketAddr) -> Vec<u8> {
    let handshake = move || TlsClient::to(address).connect().handshake();
    tokio::task::spawn_blocking(handshake).await.unwrap().peer_chain[0].clone()
}

impl Balancer {
    fn replace(&self, name: &str, text: &str) {
        let path = self.path().with_file_name(name);
        let next = path.with_extension("next");
        std::fs::write(&next, text).unwrap();
        std::fs::rename(next, path).unwrap();
    }

    async fn swap(&self) -> (u16, Value) {
        let Reply { status, body } = self.client.order("/certificates/reload").await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn certificates(&self) -> Vec<CertificateView> {
        self.client.decode(&self.client.read("/certificates").await.unwrap()).unwrap()
    }

    async fn sample(&self, start: &str) -> String {
        let page = self.metrics().await;
        let line = page.lines().find(|line| line.starts_with(start));
        line.unwrap_or_else(|| panic!("{start} in\n{page}")).rsplit(' ').next().unwrap().to_owned()
    }
}

#[tokio::test]
async fn changed_files_are_served_automatically() {
    let authority = Authority::new("CA");
    let (old, new) = (authority.leaf(&[]).issue(), authority.leaf(&[]).issue());
    let balancer = serving(&old).await;
    let web = balancer.control.bound()[0].actual;
    assert_eq!(shown(web).await, old.chain()[0].to_vec());
    balancer.replace("chain.pem", &new.chain_pem());
    balancer.replace("key.pem", &new.key_pem());
    wait_until(async || (shown(web).await == new.chain()[0].to_vec()).then_some(())).await;
    // The swap is counted once all workers serve the files, which is a little later.
    let done = "evenkeel_certificate_swaps_total{result=\"done\"}";
    wait_until(async || (balancer.sample(done).await != "0").then_some(())).await;
    assert_eq!(balancer.status().await.certificates.failed_swap, None);
}

#[tokio::test]
async fn replaced_links_are_followed() {
    let authority = Authority::new("CA");
    let (old, new) = (authority.leaf(&[]).issue(), authority.leaf(&[]).issue());
    // Like a mounted Kubernetes secret: names are links through `..data` to a versioned directory.
    let folder = folder(&[]);
    let at = |name: &str| folder.path().join(name);
    for (version, leaf) in [("..1", &old), ("..2", &new)] {
        std::fs::create_dir(at(version)).unwrap();
        std::fs::write(at(version).join("chain.pem"), leaf.chain_pem()).unwrap();
        std::fs::write(at(version).join("key.pem"), leaf.key_pem()).unwrap();
    }
    let link = |target: &str, name: &str| std::os::unix::fs::symlink(target, at(name)).unwrap();
    link("..1", "..data");
    link("..data/chain.pem", "chain.pem");
    link("..data/key.pem", "key.pem");
    link("..2", "..data_tmp");
    let root = folder.path().to_owned();
    let balancer = Balancer::start_in(folder, HTTPS, wall).await;
    let web = balancer.control.bound()[0].actual;
    assert_eq!(shown(web).await, old.chain()[0].to_vec());
    std::fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    wait_until(async || (shown(web).await == new.chain()[0].to_vec()).then_some(())).await;
}

#[tokio::test]
async fn broken_files_change_nothing() {
    let authority = Authority::new("CA");
    let (old, other) = (authority.leaf(&[]).issue(), authority.leaf(&[]).issue());
    let balancer = serving(&old).await;
    let web = balancer.control.bound()[0].actual;
    let (status, answer) = balancer.swap().await;
    assert_eq!((status, answer["changed"].as_array().unwrap().len()), (200, 0), "{answer}");

    balancer.replace("key.pem", &other.key_pem());
    let (status, answer) = balancer.swap().await;
    assert_eq!(status, 422, "{answer}");
    assert_eq!(answer["errors"][0]["line"], 5, "{answer}");
    assert!(answer["rendered"].as_str().unwrap().contains("key_mismatch"), "{answer}");
    assert_eq!(shown(web).await, old.chain()[0].to_vec());
    let status = balancer.status().await;
    let failed = status.certificates.failed_swap.as_ref().unwrap();
    assert!(
        failed.error.contains("key_mismatch") && !status.is_fine() && status.generation == 1,
        "{status:?}"
    );

    balancer.replace("key.pem", &old.key_pem());
    let (code, answer) = balancer.swap().await;
    assert_eq!((code, answer["generation"].as_u64()), (200, Some(1)), "{answer}");
    assert!(balancer.status().await.is_fine());

    balancer.replace("chain.pem", &other.chain_pem());
    balancer.replace("key.pem", &other.key_pem());
    let (code, answer) = balancer.swap().await;
    assert_eq!((code, answer["changed"].as_array().map(Vec::len)), (200, Some(2)), "{answer}");
    assert_eq!(shown(web).await, other.chain()[0].to_vec());
}

#[tokio::test]
async fn certificates_and_crls_are_in_status_and_metrics() {
    let authority = Authority::new("CA");
    let leaf = authority.leaf(&["a.example", "*.a.example"]).valid(-1, 20).issue();
    let revoked = authority.client("bob").issue();
    let config = HTTPS.replace(
        "forward = \"app\"",
        "forward = \"app\"\nclient_auth = { mode = \"required\", ca = \"ca.pem\", crl = [\"ca.crl\"] }",
    );
    let folder = folder(&[
        ("chain.pem", &leaf.chain_pem()),
        ("key.pem", &leaf.key_pem()),
        ("ca.pem", &authority.pem()),
        ("ca.crl", &authority.crl(&[&revoked])),
    ]);
    let balancer = Balancer::start_in(folder, &config, wall).await;
    let [certificate] = <[_; 1]>::try_from(balancer.certificates().await).unwrap();
    assert_eq!((certificate.listener.as_str(), certificate.subject.as_str()), ("web", "CN=a.example"));
    assert_eq!(
        (certificate.fingerprint.replace(':', "").to_lowercase(), certificate.is_fine()),
        (leaf.fingerprint(), true)
    );
    assert!(
        (19..=20).contains(&certificate.days_left) && certificate.path.ends_with("/chain.pem"),
        "{certificate:?}"
    );

    let status = balancer.status().await;
    assert_eq!(status.certificates.soonest_not_after.as_ref(), Some(&certificate.not_after));
    let tls = status.listeners[0].tls.as_ref().unwrap();
    assert_eq!((tls.certificates, tls.crl_entries, tls.crl_next_update.is_some()), (1, Some(1), true));

    let labels = format!("listener=\"web\",path=\"{}\",subject=\"CN=a.example\"", certificate.path);
    let end = certificate.not_after_seconds.to_string();
    let each = format!("evenkeel_certificate_not_after_seconds{{{labels}}}");
    for (start, value) in [
        (each.as_str(), end.as_str()),
        ("evenkeel_listener_certificates{listener=\"web\"}", "1"),
        ("evenkeel_listener_certificate_soonest_not_after_seconds{listener=\"web\"}", &end),
        ("evenkeel_crl_entries{listener=\"web\"}", "1"),
        ("evenkeel_certificate_swaps_total{result=\"failed\"}", "0"),
    ] {
        assert_eq!(balancer.sample(start).await, value, "{start}");
    }
    assert!(balancer.sample("evenkeel_crl_next_update_seconds{listener=\"web\"}").await > wall_text());

    balancer.replace("ca.crl", &authority.crl(&[]));
    assert_eq!(balancer.swap().await.0, 200);
    assert_eq!(balancer.sample("evenkeel_crl_entries{listener=\"web\"}").await, "0");
}

fn wall_text() -> String {
    testkit::unix_seconds().to_string()
}

fn checked(address: SocketAddr, protocol: &str, check: &str) -> String {
    format!(
        "workers = 1\n[listener.web]\nbind = \"127.0.0.1:0\"\nforward = \"app\"\n\
         [target_group.app]\ntargets = [\"{address}\"]\nprotocol = \"{protocol}\"\n\
         health_check = {{ type = \"{check}\", interval = \"100ms\", healthy = 1, unhealthy = 1 }}\n"
    ) + if protocol == "h2c" { "" } else { "tls = { ca = \"ca.pem\" }\n" }
}

async fn health(balancer: &Balancer) -> TargetView {
    let known = async || balancer.targets().await.into_iter().find(|target| target.health != "unknown");
    wait_until(known).await
}

#[test]
fn probes_over_tls_verify_the_target() {
    let (authority, stranger) = (Authority::new("CA"), Authority::new("Stranger"));
    let tls = |authority: &Authority, protocol: &str| {
        TlsServer::new(&authority.leaf(&[]).issue()).alpn(&[protocol])
    };
    let ca = authority.pem();
    let one = testkit::Target::https(&tls(&authority, "http/1.1"), |_| ok("one"));
    let two = Http2Target::https(&tls(&authority, "h2"), |_| ok("two"));
    let three = Http2Target::named("three");
    // HTTP/2 targets have their own runtime, so they are created and dropped outside this one.
    let story = async {
        for (address, protocol, check) in [
            (one.address(), "https", "https"),
            (two.address(), "h2", "https"),
            (three.address(), "h2c", "http"),
        ] {
            let config = checked(address, protocol, check);
            let balancer = Balancer::start_in(folder(&[("ca.pem", &ca)]), &config, wall).await;
            let target = health(&balancer).await;
            assert_eq!((target.health.as_str(), target.last_error), ("healthy", None), "{protocol}");
        }
        assert_eq!(two.requests()[0].field(":authority"), Some(two.address().to_string().as_str()));

        let config = checked(one.address(), "https", "https");
        let balancer = Balancer::start_in(folder(&[("ca.pem", &stranger.pem())]), &config, wall).await;
        let error = health(&balancer).await.last_error.unwrap();
        assert!(error.contains("TLS: invalid peer certificate: UnknownIssuer"), "{error}");
        // A changed CA changes the TLS settings, so the target is probed again.
        balancer.replace("ca.pem", &ca);
        assert_eq!(balancer.swap().await.0, 200);
        balancer.wait_for("healthy").await;
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(story);
}

#[tokio::test]
async fn a_target_without_tls_or_http2_fails_its_probe() {
    let (plain, authority) = (Target::start().await, Authority::new("CA"));
    let http1 = testkit::Target::https(&TlsServer::new(&authority.leaf(&[]).issue()), |_| ok(""));
    for (address, protocol, check, reason) in [
        (plain.address, "https", "https", "TLS: "),
        (http1.address(), "h2", "https", "TLS: it does not speak HTTP/2"),
        (plain.address, "h2c", "http", ""),
    ] {
        let config = checked(address, protocol, check);
        let balancer = Balancer::start_in(folder(&[("ca.pem", &authority.pem())]), &config, wall).await;
        let target = health(&balancer).await;
        let error = target.last_error.unwrap_or_default();
        assert!(target.health == "unhealthy" && error.starts_with(reason), "{protocol}: {error}");
    }
}
