//! A tunnel cut off by a stop is logged with the bytes that it carried, and its client is reset.

use std::time::Duration;

use testkit::{Balancer, Config, Signal, elapsed};

use crate::{connect, strict_server};

#[test]
fn cut_tunnel_is_logged() {
    let target = strict_server();
    let mut balancer = Balancer::start(Config::to(&target).top("stop_timeout = \"1s\""));
    let mut client = connect(balancer.web());
    client.send("thousands");
    assert_eq!(client.read_exactly(9), b"thousands");
    let time = elapsed(|| {
        balancer.signal(Signal::TERM);
        assert!(client.is_closed());
    });
    assert!(time >= Duration::from_millis(900), "{time:?}");
    assert!(balancer.wait_exit().success());
    let line = balancer.log_line("reason", "stopped");
    assert_eq!((line["status"].as_u64(), line["tunnel"].as_bool()), (Some(503), Some(true)));
    assert_eq!(
        (line["request_body_bytes"].as_u64(), line["response_body_bytes"].as_u64()),
        (Some(9), Some(9))
    );
    assert!(line["relay_us"].as_u64().unwrap() >= 900_000, "{line}");
}
