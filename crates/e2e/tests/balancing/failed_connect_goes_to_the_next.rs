//! A request whose connect is refused goes to the next target, and the refusing target is passed over for a
//! while (KA6).

use testkit::{Balancer, Client, Config, Target, refused_address};

#[test]
fn failed_connect_goes_to_the_next() {
    let target = Target::named("alive");
    let dead = refused_address();
    let balancer = Balancer::start(Config::to_addresses(&[dead, target.address()]));
    let mut client = Client::connect(balancer.web());
    for _ in 0..6 {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
        assert_eq!(client.response().text(), "alive");
    }
    assert!(target.requests().iter().all(|request| request.text() == "body"), "the body was sent again");
    let tried = balancer.metric("evenkeel_target_requests_total", &[("target", &dead.to_string())]);
    assert_eq!(tried, 1.0, "then it is passed over");
    let passed_over = balancer.targets().iter().any(|one| one["passed_over"] == true);
    assert!(passed_over || balancer.metrics().contains("target_refused"));
    assert_eq!(balancer.log_line("attempts", 2)["status"], 200);
}

#[test]
fn if_all_targets_refuse_the_response_is_502() {
    let dead: Vec<_> = (0..5).map(|_| refused_address()).collect();
    let balancer = Balancer::start(Config::to_addresses(&dead));
    let mut client = Client::connect(balancer.web());
    for _ in 0..3 {
        let response = client.get("/");
        assert_eq!((response.status(), response.reason().as_str()), (502, "target_refused"));
    }
    assert_eq!(balancer.log_line("status", 502)["attempts"], 3, "at most three tries");
}
