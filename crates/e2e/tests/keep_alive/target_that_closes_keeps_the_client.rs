//! The two sides are independent: a target that closes after each response does not close the client's
//! connection (KA5).

use testkit::{Balancer, Client, Config, Target, response};

#[test]
fn target_that_closes_keeps_the_client() {
    let target = Target::http(|_| response(200, "Connection: close\r\n", "bye"));
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    for _ in 0..3 {
        let response = client.get("/");
        assert_eq!((response.status(), response.field("connection")), (200, None));
    }
    assert_eq!(target.connections(), 3);
}

#[test]
fn target_that_closes_without_notice_keeps_the_client() {
    let target = Target::once(response(200, "", "bye"));
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    for _ in 0..3 {
        assert_eq!(client.get("/").text(), "bye");
    }
}
