//! A target that announces its idle timeout loses no request by it (KA6).

use std::time::Duration;

use testkit::{Balancer, Client, Config, Target, response};

#[test]
fn announced_idle_limit_is_believed() {
    let target = Target::script(|mut connection| {
        while connection.request_within(Duration::from_secs(2))?.is_some() {
            connection.send(response(200, "Keep-Alive: timeout=2\r\n", "done"))?;
        }
        Ok(())
    });
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    for pause in [100, 1_990, 2_000, 2_010] {
        for _ in 0..5 {
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
            assert_eq!(client.response().status(), 200, "before {pause}");
        }
        // Nothing arrives: this is the pause.
        assert!(!client.closes_within(Duration::from_millis(pause)));
    }
    assert_eq!(target.connections(), 3, "the short pause needed no new connection");
}
