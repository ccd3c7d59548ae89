//! The admin API over TCP: metrics, life and readiness, and nothing that changes anything; from other machines only with a
//! token.

use std::net::SocketAddr;
use std::sync::Mutex;

use testkit::{Balancer, Client, Config, PATIENCE, Signal, Target, exchange, get, ok, wait_for, wait_until};

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef\n";
const TWO: &str = "[admin]\nbind = [\"127.0.0.1:0\", \"0.0.0.0:0\"]\ntoken_file = \"token\"\n";

/// The TCP addresses of the admin API, in the order of the configuration.
pub(crate) fn addresses<const N: usize>(balancer: &Balancer) -> [SocketAddr; N] {
    wait_for("the addresses of the admin API", || {
        let stderr = balancer.stderr();
        let lines = stderr.lines().filter_map(|line| line.strip_prefix("serving metrics at "));
        lines.map(|address| address.parse().unwrap()).collect::<Vec<_>>().try_into().ok()
    })
}

#[test]
fn only_reports_are_there() {
    let balancer = Balancer::start(Config::to(&Target::named("a")).text("[admin]\nbind = \"127.0.0.1:0\"\n"));
    let [local] = addresses(&balancer);
    assert!(get(local, "/metrics").text().contains("evenkeel_build_info"));
    assert_eq!((get(local, "/health").status(), get(local, "/ready").status()), (200, 200));
    for path in [
        "/",
        "/status",
        "/targets",
        "/certificates",
        "/reload",
        "/logs/reopen",
        "/healthz",
        "/sessions",
        "/sessions/show",
    ] {
        assert_eq!(get(local, path).status(), 404, "{path}");
        let post = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(exchange(local, post).status(), 404, "{path}");
    }
    let post = "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(exchange(local, post).status(), 405);
    assert_eq!(balancer.status()["generation"], 1, "the Unix socket has the rest");
}

#[test]
fn other_machines_need_the_token() {
    let config = Config::to(&Target::named("a")).text(TWO);
    let balancer = Balancer::prepare(config.clone()).file("token", TOKEN).start();
    let [local, remote] = addresses(&balancer);
    let remote = SocketAddr::from(([127, 0, 0, 1], remote.port()));
    let ask = |path: &str, authorization: &str| {
        exchange(remote, format!("GET {path} HTTP/1.1\r\nHost: a\r\n{authorization}\r\n")).status()
    };
    for path in ["/metrics", "/health", "/ready"] {
        assert_eq!(get(local, path).status(), 200, "{path}");
        assert_eq!(ask(path, &format!("Authorization: Bearer {TOKEN}")), 200, "{path}");
        assert_eq!(ask(path, ""), 401, "{path}");
        assert_eq!(ask(path, "Authorization: Bearer 0123456789abcdef0123456789abcdee\r\n"), 401, "{path}");
        assert_eq!(ask(path, "Authorization: Basic Og==\r\n"), 401, "{path}");
    }
    balancer.write("token", "another-token-that-is-long");
    balancer.reload(config).unwrap();
    assert_eq!(ask("/metrics", &format!("Authorization: Bearer {TOKEN}")), 401, "the token has changed");
    assert_eq!(ask("/metrics", "Authorization: Bearer another-token-that-is-long\r\n"), 200);
}

#[test]
fn a_stop_is_not_ready() {
    let (release, gate) = std::sync::mpsc::sync_channel(1);
    let gate = Mutex::new(gate);
    let target = Target::http(move |_| {
        gate.lock().unwrap().recv().unwrap();
        ok("finished")
    });
    let mut balancer = Balancer::start(Config::to(&target).text("[admin]\nbind = \"127.0.0.1:0\"\n"));
    let [local] = addresses(&balancer);
    let mut busy = Client::connect(balancer.web());
    busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_until("the request is in flight", || target.requests().len() == 1);
    balancer.signal(Signal::TERM);
    wait_until("it is not ready", || get(local, "/ready").status() == 503);
    assert_eq!(get(local, "/health").status(), 200);
    release.send(()).unwrap();
    assert_eq!(busy.response().text(), "finished");
    assert_eq!(balancer.wait_exit().code(), Some(0));
}

#[test]
fn silent_connections_do_not_keep_others_out() {
    let balancer = Balancer::start(Config::to(&Target::named("a")).text("[admin]\nbind = \"127.0.0.1:0\"\n"));
    let [local] = addresses(&balancer);
    let mut silent: Vec<_> = (0..40).map(|_| Client::connect(local)).collect();
    assert_eq!(get(local, "/health").status(), 200, "after those have had their time, within {PATIENCE:?}");
    assert!(silent[0].is_closed());
}

#[test]
fn half_requests_do_not_keep_the_scraper_out() {
    let balancer = Balancer::prepare(Config::to(&Target::named("a")).text(TWO)).file("token", TOKEN).start();
    let [_, remote] = addresses(&balancer);
    let remote = SocketAddr::from(([127, 0, 0, 1], remote.port()));
    // If each kept its place until its time for a head is over, it would take seconds for every sixteen of them.
    let _half: Vec<_> = (0..200)
        .map(|_| {
            let mut client = Client::connect(remote);
            client.send("GET /metrics HTTP/1.1\r\nHost:");
            client
        })
        .collect();
    let scrape = format!("GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n");
    assert_eq!(exchange(remote, scrape).status(), 200);
}

#[test]
fn a_restart_takes_the_address_over() {
    let target = Target::named("a");
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (web, admin) = (free(), free());
    let bind = format!("bind = \"{web}\"");
    let mut balancer =
        Balancer::start(Config::to(&target).listener(&bind).text(&format!("[admin]\nbind = \"{admin}\"\n")));
    for _ in 0..3 {
        balancer.restart().wait_exit();
        assert_eq!(get(admin, "/ready").status(), 200);
    }
}
