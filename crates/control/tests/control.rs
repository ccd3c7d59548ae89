//! The control plane with a real data plane, over a real admin socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::net::TcpListener;
use std::time::Duration;

use control::{AdminSocket, Control, ReloadError, Setup, SocketError, Successor, start_error};
use support::{Balancer, Target, setup, wait_until, within};
use tokio::net::{TcpStream, UnixStream};

const PLAIN: &str = "\
workers = 1
[listener.web]
bind = \"127.0.0.1:0\"
forward = \"app\"
[target_group.app]
targets = [\"127.0.0.1:1\"]
";

fn checked(targets: &[&Target], interval_millis: u32) -> String {
    let addresses: Vec<_> = targets.iter().map(|target| format!("\"{}\"", target.address)).collect();
    PLAIN.replace("\"127.0.0.1:1\"", &addresses.join(", "))
        + &format!(
            "health_check = {{ type = \"http\", path = \"/\", interval = \"{interval_millis}ms\", healthy = 1, unhealthy = 2 }}\n"
        )
}

#[tokio::test]
async fn probes_decide_what_is_healthy() {
    let target = Target::start().await;
    let balancer = Balancer::start(&checked(&[&target], 100)).await;
    let healthy = balancer.wait_for("healthy").await;
    assert_eq!((healthy.last_error, healthy.since.as_deref()), (None, Some("2026-01-01T00:00:00Z")));
    assert!(balancer.status().await.is_fine());

    target.answer(503);
    let unhealthy = balancer.wait_for("unhealthy").await;
    assert_eq!(unhealthy.last_error.as_deref(), Some("status 503, expected 200-399"));
    let status = balancer.status().await;
    assert!(status.groups[0].fail_open && !status.is_fine(), "{status:?}");
    let metrics = balancer.metrics().await;
    let labels = format!("group=\"app\",target=\"{}\"", target.address);
    for line in [
        format!("evenkeel_target_health{{{labels},state=\"unhealthy\"}} 1"),
        format!("evenkeel_target_health{{{labels},state=\"healthy\"}} 0"),
    ] {
        assert!(metrics.lines().any(|written| written == line), "{line} in\n{metrics}");
    }

    target.answer(204);
    balancer.wait_for("healthy").await;
    within(balancer.stop()).await;
}

#[tokio::test]
async fn health_outlives_a_reload() {
    let (sick, other) = (Target::start().await, Target::start().await);
    sick.answer(500);
    let balancer = Balancer::start(&checked(&[&sick], 100)).await;
    balancer.wait_for("unhealthy").await;

    // First the same check, then a changed check and a new target: the health is known without another probe.
    for config in [checked(&[&sick], 100), checked(&[&sick, &other], 3_600_000)] {
        balancer.write(&config);
        assert_eq!(balancer.reload().await.0, 200);
        let targets = balancer.targets().await;
        assert_eq!(targets[0].health, "unhealthy");
        assert_eq!(targets[0].last_error.as_deref(), Some("status 500, expected 200-399"));
    }

    balancer.write(PLAIN.replace("127.0.0.1:1", &sick.address.to_string()).as_str());
    assert_eq!(balancer.reload().await.0, 200);
    let targets = balancer.targets().await;
    assert_eq!((targets[0].health.as_str(), &targets[0].since), ("unchecked", &None));
    assert!(!balancer.metrics().await.contains("result=\"failure\""), "its probe counts are removed");
}

#[tokio::test]
async fn a_bad_config_changes_nothing() {
    let balancer = Balancer::start(PLAIN).await;
    let before = balancer.status().await;
    assert_eq!((before.generation, before.last_reload.is_none()), (1, true));

    balancer.write("[listener.web]\nbind = \"127.0.0.1:0\"\nforwrad = \"app\"\n");
    let (status, answer) = balancer.reload().await;
    assert_eq!(status, 422);
    assert!(answer["errors"].as_array().unwrap().iter().any(|error| error["line"] == 3), "{answer}");
    assert!(answer["rendered"].as_str().unwrap().contains("did you mean `forward`"), "{answer}");

    let after = balancer.status().await;
    assert_eq!((after.generation, &after.listeners[0].bind), (1, &before.listeners[0].bind));
    let reload = after.last_reload.as_ref().unwrap();
    assert!(
        !reload.ok && reload.error.as_ref().unwrap().contains("forwrad") && !after.is_fine(),
        "{after:?}"
    );
    TcpStream::connect(balancer.control.bound()[0].actual).await.unwrap();
    assert!(balancer.metrics().await.contains("\nevenkeel_config_last_reload_successful 0\n"));

    balancer.write(PLAIN);
    let (status, answer) = balancer.reload().await;
    assert_eq!((status, &answer["generation"]), (200, &2.into()));
    assert!(balancer.status().await.is_fine());
}

#[tokio::test]
async fn an_address_in_use_changes_nothing() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap();
    let balancer = Balancer::start(PLAIN).await;
    balancer.write(&format!("{PLAIN}[listener.second]\nbind = \"{taken}\"\nforward = \"app\"\n"));
    let (status, answer) = balancer.reload().await;
    assert_eq!(status, 422);
    let rendered = answer["rendered"].as_str().unwrap();
    assert!(rendered.contains(&format!("`second` cannot listen at {taken}")), "{rendered}");
    assert!(rendered.contains("help: `ss -ltnp"), "{rendered}");
    assert_eq!(balancer.status().await.listeners.len(), 1);
}

#[tokio::test]
async fn a_setting_that_needs_a_restart_is_a_warning() {
    let balancer = Balancer::start(PLAIN).await;
    balancer.write(&PLAIN.replace("workers = 1", "workers = 2"));
    let (status, answer) = balancer.reload().await;
    assert_eq!((status, &answer["warnings"][0]["key"]), (200, &"workers".into()), "{answer}");
    assert_eq!(balancer.status().await.workers, 1);
}

#[tokio::test]
async fn a_reload_completes_when_its_caller_disconnects() {
    let balancer = Balancer::start(PLAIN).await;
    let abandoned = tokio::time::timeout(Duration::ZERO, balancer.control.reload()).await;
    if abandoned.is_err() {
        wait_until(async || (balancer.control.generation() == 2).then_some(())).await;
    }
    let status = balancer.status().await;
    assert_eq!((status.generation, status.last_reload.is_some_and(|reload| reload.ok)), (2, true));
}

#[tokio::test]
async fn concurrent_reloads_run_one_at_a_time() {
    let balancer = Balancer::start(PLAIN).await;
    let (first, second, third) = tokio::join!(balancer.reload(), balancer.reload(), balancer.reload());
    let mut generations: Vec<_> =
        [first, second, third].iter().map(|(_, answer)| answer["generation"].as_u64().unwrap()).collect();
    generations.sort_unstable();
    assert_eq!(generations, [2, 3, 4]);
}

#[tokio::test]
async fn the_admin_api_answers_every_path() {
    let balancer = Balancer::start(PLAIN).await;
    for (path, status, part) in [
        ("/healthz", 200, "ok"),
        ("/status", 200, "\"version\":\"1.2.3\""),
        ("/targets", 200, "\"address\":\"127.0.0.1:1\""),
        ("/metrics", 200, "evenkeel_build_info{version=\"1.2.3\"} 1\n"),
        ("/metrics", 200, "evenkeel_listener_requests_total{listener=\"web\"} 0\n"),
        ("/metrics", 200, "evenkeel_config_generation 1\n"),
        ("/metrics", 200, "evenkeel_access_log_lines_total 0\n"),
        ("/metrics", 200, "evenkeel_process_start_time_seconds 1767225600\n"),
        ("/nothing", 404, ""),
        ("/reload", 405, ""),
    ] {
        let reply = balancer.client.read(path).await.unwrap();
        let body = String::from_utf8(reply.body).unwrap();
        assert_eq!(reply.status, status, "{path}");
        assert!(body.contains(part), "{path}: {part} in\n{body}");
    }
    assert_eq!(balancer.client.order("/logs/reopen").await.unwrap().status, 200);
}

#[tokio::test]
async fn no_family_is_on_the_page_twice() {
    let target = Target::start().await;
    let balancer = Balancer::start(&checked(&[&target], 100)).await;
    let page = balancer.metrics().await;
    let mut families: Vec<_> = page.lines().filter(|line| line.starts_with("# TYPE ")).collect();
    families.sort_unstable();
    assert!(families.windows(2).all(|pair| pair[0] != pair[1]), "{families:?}");
}

#[tokio::test]
async fn a_second_instance_is_refused() {
    let balancer = Balancer::start(PLAIN).await;
    let error = AdminSocket::bind(&balancer.address()).await.unwrap_err();
    assert!(matches!(error, SocketError::OtherInstance(_)), "{error}");

    let served = balancer.control.bound()[0].actual;
    balancer.write(&PLAIN.replace("127.0.0.1:0", &served.to_string()));
    let error = start_error(&Control::start(setup(balancer.path())).await.unwrap_err());
    assert!(error.contains("`web` cannot listen at") && error.contains("help: `ss -ltnp"), "{error}");
    assert!(balancer.status().await.is_fine());
}

#[tokio::test]
async fn what_cannot_be_reloaded_has_not_failed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("evenkeel.toml");
    std::fs::write(&file, PLAIN).unwrap();
    let control = Control::start(Setup { path: None, ..setup(file) }).await.unwrap();
    let error = control.reload().await.unwrap_err();
    assert!(matches!(error, ReloadError::NoFile), "{error:?}");
    assert!(control.status().is_fine(), "no correction would end that problem");
    control.stop(Duration::from_secs(5), Successor::None).await;
}

#[tokio::test]
async fn stuck_admin_clients_do_not_block_others() {
    let balancer = Balancer::start(PLAIN).await;
    let mut stuck = Vec::new();
    for _ in 0..20 {
        stuck.push(UnixStream::connect(balancer.address().path()).await.unwrap());
    }
    within(balancer.status()).await;
}

#[tokio::test]
async fn status_is_served_during_a_stop_and_the_stop_ends_everything() {
    let balancer = Balancer::start(PLAIN).await;
    let bound = balancer.control.bound()[0].actual;
    within(balancer.control.stop(Duration::from_secs(5), Successor::None)).await;
    let status = balancer.status().await;
    assert!(status.stopping && status.listeners.len() == 1, "{status:?}");
    assert_eq!(balancer.reload().await.0, 503);
    balancer.metrics().await;
    assert!(TcpStream::connect(bound).await.is_err());
    within(balancer.stop()).await;
}
