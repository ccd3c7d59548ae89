//! A whole head must arrive within `header_timeout`, and a body may pause for `body_timeout`; else the response
//! is 408 (KA12). Other clients are served meanwhile.

use std::time::Duration;

use testkit::{Balancer, Client, Config, Target, elapsed, get, wait_until};

fn config(target: &Target) -> Config {
    Config::to(target).listener("header_timeout = \"1s\"").listener("body_timeout = \"1s\"")
}

#[test]
fn a_slow_head_is_408() {
    let target = Target::named("served");
    let balancer = Balancer::start(config(&target));
    let mut client = Client::connect(balancer.web());
    client.send("GET / HTTP/1.1\r\n");
    let mut fields = "Host: a\r\nX: y\r\n".bytes().cycle();
    let time = elapsed(|| {
        wait_until("the request is refused", || {
            assert_eq!(get(balancer.web(), "/").status(), 200);
            client.try_send([fields.next().unwrap()]).is_err() || !client.is_open_and_silent()
        });
    });
    assert!((Duration::from_millis(900)..Duration::from_secs(4)).contains(&time), "{time:?}");
    let response = client.response();
    assert_eq!((response.status(), response.reason().as_str()), (408, "request_head_timeout"));
    assert!(client.is_closed());
}

#[test]
fn silence_from_the_start_is_closed() {
    let target = Target::named("served");
    let balancer = Balancer::start(config(&target));
    assert!(Client::connect(balancer.web()).is_closed());
}

#[test]
fn a_slow_body_is_408() {
    let target = Target::named("served");
    let balancer = Balancer::start(config(&target));
    let mut client = Client::connect(balancer.web());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    let response = client.response();
    assert_eq!((response.status(), response.reason().as_str()), (408, "request_body_timeout"));
    assert!(client.is_closed());
    wait_until("the target's connection is closed", || target.open() == 0);
    assert!(!target.requests().iter().any(|request| request.is_complete));
}

#[test]
fn a_slow_body_without_long_pauses_is_served() {
    let target = Target::named("served");
    let balancer = Balancer::start(config(&target));
    let mut client = Client::connect(balancer.web());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    for byte in b"abcde" {
        assert!(!client.closes_within(Duration::from_millis(400)));
        client.send([*byte]);
    }
    assert_eq!(client.response().status(), 200);
}
