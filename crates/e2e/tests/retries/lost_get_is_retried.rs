//! A request that may be repeated is retried if the target closes without a response: on a new connection if this one was
//! reused, else on another target (KA6).

use testkit::{Balancer, Client, Config, Target, get, ok, wait_until};

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

/// Closes each connection when it has the request.
fn dying() -> Target {
    Target::script(|mut connection| connection.request().map(drop))
}

#[test]
fn an_idempotent_request_on_a_new_connection_goes_to_another_target() {
    let (dying, alive) = (dying(), Target::named("alive"));
    let balancer = Balancer::start(Config::to_all(&[&dying, &alive]));
    let mut client = Client::connect(balancer.web());
    for _ in 0..4 {
        assert_eq!(client.get("/").text(), "alive");
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
        assert_eq!(client.response().text(), "alive");
    }
    assert!(dying.connections() > 0);
    wait_until("it is told", || balancer.stderr().contains(GOES_ON));
    assert!(
        alive.requests().iter().filter(|request| request.method() == "PUT").all(|put| put.text() == "body")
    );
}

#[test]
fn each_target_is_tried_once() {
    let dying = [dying(), dying()];
    let balancer = Balancer::start(Config::to_all(&[&dying[0], &dying[1]]));
    for (method, attempts) in [("GET", 2), ("POST", 1)] {
        let mut client = Client::connect(balancer.web());
        client.send(format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
        let response = client.response();
        assert_eq!((response.status(), response.reason().as_str()), (502, "target_closed_before_response"));
        assert_eq!(balancer.log_line("method", method)["attempts"], attempts);
    }
}

#[test]
fn an_attempt_without_another_is_not_said_to_have_one() {
    let balancer = Balancer::start(Config::to(&dying()));
    assert_eq!(get(balancer.web(), "/").status(), 502);
    wait_until("the request is told of", || balancer.stderr().contains(" error a request failed "));
    assert!(!balancer.stderr().contains(GOES_ON), "{}", balancer.stderr());
}

const GOES_ON: &str = " an attempt failed, and the request goes to another target ";
