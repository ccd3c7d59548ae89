//! A GET is retried once, on a new connection, if the target closes a reused connection without a response.

use testkit::{Balancer, Client, Config, Target, ok, wait_until};

/// Answers the first request of each connection, and closes at the second one.
fn forgetful() -> Target {
    Target::script(|mut connection| {
        connection.request()?;
        connection.send(ok("answered"))?;
        connection.request().map(drop)
    })
}

#[test]
fn lost_get_is_retried() {
    let target = forgetful();
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    for _ in 0..5 {
        assert_eq!(client.get("/").text(), "answered");
    }
    assert_eq!((target.connections(), target.requests().len()), (5, 9));
    // A request is counted after its response has gone.
    wait_until("all retries are counted", || balancer.metric("evenkeel_listener_retries_total", &[]) == 4.0);
    assert_eq!(balancer.log_line("attempts", 2)["status"], 200);
}

#[test]
fn an_idempotent_request_is_retried_with_its_body() {
    let target = forgetful();
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    client.get("/");
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(client.response().text(), "answered");
    assert_eq!(target.requests().last().unwrap().text(), "body");
}

#[test]
fn a_request_on_a_new_connection_is_not_retried() {
    let target = Target::script(|mut connection| connection.request().map(drop));
    let balancer = Balancer::start(Config::to(&target));
    let response = Client::connect(balancer.web()).get("/");
    assert_eq!((response.status(), response.reason().as_str()), (502, "target_closed_before_response"));
    wait_until("the target has the request", || target.requests().len() == 1);
    assert_eq!(target.connections(), 1);
}
