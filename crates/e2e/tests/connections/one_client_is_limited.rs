//! `max_connections_per_client` closes a client's connection over the limit at once and counts it, over all
//! workers. Other clients are not affected (KA11).

use testkit::{Balancer, Client, Config, Target, wait_until};

fn refused(balancer: &Balancer) -> f64 {
    balancer.metric("evenkeel_listener_connections_refused_total", &[("reason", "client_limit")])
}

#[test]
fn one_client_is_limited() {
    let target = Target::named("served");
    let config = Config::to(&target).top("workers = 2").listener("max_connections_per_client = 3");
    let balancer = Balancer::start(config);
    let from = |last| Client::connect_from([127, 0, 0, last], balancer.web());
    let mut open: Vec<_> = (0..3).map(|_| from(7)).collect();
    open.iter_mut().for_each(|client| assert_eq!(client.get("/").text(), "served"));
    for count in 1..=5 {
        assert!(from(7).is_closed());
        assert_eq!(refused(&balancer), f64::from(count));
    }
    let line = " warning a client has too many connections listener=web peer=127.0.0.7:";
    wait_until("the operators' log has it", || balancer.stderr().contains(line));
    assert!(balancer.stderr().contains(" limit=3 hint="), "{}", balancer.stderr());
    assert_eq!(from(8).get("/").text(), "served", "another client");
    assert!(open.iter_mut().all(|client| client.get("/").text() == "served"), "connections within the limit");
    drop(open.pop());
    wait_until("the client may connect again", || {
        let mut client = from(7);
        let _ = client.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.try_response().is_ok()
    });
}

#[test]
fn clients_of_one_network_are_one_client() {
    let target = Target::named("served");
    let config = Config::to(&target)
        .text("[load_balancer.default]\nmax_connections_per_client = 2\nclient_prefix_v4 = 24\n");
    let balancer = Balancer::start(config);
    let mut open = [[127, 0, 0, 7], [127, 0, 0, 8]].map(|from| Client::connect_from(from, balancer.web()));
    open.iter_mut().for_each(|client| assert_eq!(client.get("/").text(), "served"));
    assert!(Client::connect_from([127, 0, 0, 9], balancer.web()).is_closed());
    assert_eq!(Client::connect_from([127, 0, 1, 9], balancer.web()).get("/").text(), "served");
}

#[test]
fn the_client_of_a_proxy_header_is_counted() {
    let target = Target::named("served");
    let config = Config::to(&target)
        .listener("proxy_protocol = [\"127.0.0.0/8\"]")
        .listener("max_connections_per_client = 1");
    let balancer = Balancer::start(config);
    let named = |client: &str| {
        let mut connection = Client::connect(balancer.web());
        let request = format!("PROXY TCP4 {client} 192.0.2.1 1000 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
        connection.send(request);
        connection
    };
    let mut one = named("198.51.100.1");
    assert_eq!(one.response().text(), "served");
    assert!(named("198.51.100.1").is_closed());
    assert_eq!(refused(&balancer), 1.0);
    assert_eq!(named("198.51.100.2").response().text(), "served", "the same peer, another client");
    assert_eq!(one.get("/").text(), "served");
}

#[test]
fn connections_without_a_client_address_are_not_counted_for_the_proxy() {
    let target = Target::named("served");
    let config = Config::to(&target)
        .listener("proxy_protocol = [\"127.0.0.0/8\"]")
        .listener("max_connections_per_client = 1");
    let balancer = Balancer::start(config);
    let mut open = [(); 3].map(|()| Client::connect(balancer.web()));
    for client in &mut open {
        client.send("PROXY UNKNOWN\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response().text(), "served");
    }
    assert_eq!(refused(&balancer), 0.0);
}
