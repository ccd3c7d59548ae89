//! A rule has at most `max_connections` tunnels, over all workers and across reloads; further ones are refused
//! until one ends (WS3).

use std::net::SocketAddr;

use testkit::{Balancer, Client, Config, Target, ok, wait_until, websocket_request};

use crate::{connect, strict_server};

fn config(target: &Target, max: usize) -> Config {
    let rule = format!("host = \"*.example\"\nforward = \"app\"\nwebsocket = {{ max_connections = {max} }}");
    Config::to(target).top("workers = 2").rule(&rule)
}

fn refusal(address: SocketAddr) -> Option<String> {
    let mut client = Client::connect(address);
    client.send(websocket_request("/"));
    let response = client.response();
    (response.status() == 503).then(|| response.reason())
}

#[test]
fn connections_are_limited() {
    let target = strict_server();
    let balancer = Balancer::start(config(&target, 8));
    let address = balancer.web();
    let mut clients: Vec<_> = (0..8).map(|_| connect(address)).collect();
    for _ in 0..4 {
        assert_eq!(refusal(address).as_deref(), Some("websocket_full"));
    }
    assert_eq!(Client::connect(address).get("/").status(), 400, "other requests are served");
    balancer.reload(config(&target, 8).listener("keepalive_timeout = \"5s\"")).unwrap();
    assert!(refusal(address).is_some(), "a reload keeps the count");
    clients.pop().unwrap().reset();
    wait_until("a tunnel may be opened", || refusal(address).is_none());
    wait_until("the tunnel is closed again", || target.open() == 7);
    clients.push(connect(address));
    assert!(refusal(address).is_some());
    balancer.reload(config(&target, 9)).unwrap();
    clients.push(connect(address));
    assert!(refusal(address).is_some());
}

#[test]
fn a_refused_upgrade_is_not_counted() {
    let target = Target::http(|_| ok("no"));
    let balancer = Balancer::start(config(&target, 1));
    for _ in 0..3 {
        assert_eq!(refusal(balancer.web()), None);
    }
}

#[test]
fn tunnels_opened_without_a_limit_are_counted() {
    let target = strict_server();
    let rule = "host = \"*.example\"\nforward = \"app\"";
    let balancer = Balancer::start(Config::to(&target).top("workers = 2").rule(rule));
    let _clients: Vec<_> = (0..3).map(|_| connect(balancer.web())).collect();
    balancer.reload(Config::to(&target)).unwrap();
    balancer.reload(config(&target, 3)).unwrap();
    assert!(refusal(balancer.web()).is_some(), "the count survives the removal of the rule");
}

/// A failed upgrade is not counted as a tunnel, even while its client's connection lingers.
#[test]
fn a_failed_upgrade_is_not_counted() {
    let target =
        Target::http(|_| b"HTTP/1.1 101 S\r\nUpgrade: other\r\nConnection: Upgrade\r\n\r\n".to_vec());
    let balancer = Balancer::start(config(&target, 1));
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..3 {
        let mut client = Client::connect(balancer.web());
        let last = websocket_request("/").replace("Connection: Upgrade", "Connection: Upgrade, close");
        client.send(last + "and more");
        assert_eq!(client.response().reason(), "target_upgrade_unasked");
        clients.push(client);
    }
}
