//! A target has an unannounced idle timeout, and bursts of POSTs have pauses around it: the timeout is learnt,
//! and connections are still reused before it (KA6).

use std::time::Duration;

use testkit::{Balancer, Client, Config, Target, ok};

const LIMIT: Duration = Duration::from_millis(1000);
const PAUSES: &[u64] = &[950, 990, 1000, 1010, 1050, 980, 1000, 1000];
const BURST: usize = 20;

#[test]
fn hidden_idle_limit_is_learnt() {
    let target = Target::script(|mut connection| {
        while connection.request_within(LIMIT)?.is_some() {
            connection.send(ok("done"))?;
        }
        Ok(())
    });
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    let mut failures = 0;
    for pause in PAUSES {
        for _ in 0..BURST {
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
            failures += usize::from(client.response().status() != 200);
        }
        // Nothing arrives: this is the pause.
        assert!(!client.closes_within(Duration::from_millis(*pause)));
    }
    assert!(failures <= 3, "{failures} failures");
    let reused = balancer.metric("evenkeel_target_connections_reused_total", &[]);
    assert!(reused >= (PAUSES.len() * (BURST - 1)) as f64, "{reused} reused");
}
