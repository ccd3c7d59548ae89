//! A target that refuses the connection costs no client its own: another one gets it, before any byte is sent (L41).

use testkit::{Balancer, Client, Config, refused_address};

use crate::{echo, is_refused};

#[test]
fn dead_target_is_passed_over() {
    let target = echo();
    let dead = refused_address();
    let config = Config::to_addresses(&[dead, target.address()]).listener("protocol = \"tcp\"");
    let balancer = Balancer::start(config);
    for _ in 0..6 {
        let mut client = Client::connect(balancer.web());
        client.send("kept");
        assert_eq!(client.read_exactly(4), b"kept");
    }
    assert_eq!(balancer.log_line("attempts", 2)["target"], target.address().to_string());
    let dead = dead.to_string();
    assert!(balancer.metric("evenkeel_target_failures_total", &[("target", &dead)]) >= 1.0);
}

#[test]
fn without_a_target_the_client_is_reset() {
    let config = Config::to_addresses(&[refused_address()]).listener("protocol = \"tcp\"");
    let balancer = Balancer::start(config);
    assert!(is_refused(balancer.web()));
    let line = balancer.log_line("end", "target_refused");
    assert_eq!((&line["ended_by"], &line["attempts"]), (&"target".into(), &1.into()));
    let failed = [("end", "failed"), ("ended_by", "target")];
    assert_eq!(balancer.metric("evenkeel_listener_tcp_connections_ended_total", &failed), 1.0);
    testkit::wait_until("the operators' log has it", || {
        balancer.stderr().contains(" error a connection failed reason=target_refused listener=web group=app")
    });
}

#[test]
fn a_target_that_fails_its_checks_gets_nothing() {
    let (good, dead) = (echo(), refused_address());
    let config = Config::to_addresses(&[dead, good.address()])
        .listener("protocol = \"tcp\"")
        .group("health_check = { type = \"tcp\", interval = \"100ms\", healthy = 1, unhealthy = 1 }");
    let balancer = Balancer::start(config);
    balancer.wait_for_health(dead, "unhealthy");
    balancer.wait_for_health(good.address(), "healthy");
    for _ in 0..4 {
        crate::connect(&balancer);
    }
    assert_eq!(balancer.metric("evenkeel_listener_retries_total", &[]), 0.0);
}
