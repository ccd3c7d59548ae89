//! An active check takes a failing target out and back in. A new target gets no traffic until it is healthy
//! (BAL2).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use testkit::{Balancer, Client, Config, Target, ok, response};

const CHECK: &str = "health_check = { type = \"http\", path = \"/healthz\", interval = \"100ms\", healthy = 2, unhealthy = 2 }";

#[test]
fn dead_target_is_left_out() {
    let is_well = Arc::new(AtomicBool::new(true));
    let sick = Target::http({
        let is_well = Arc::clone(&is_well);
        move |request| match request.target() {
            "/healthz" if !is_well.load(Ordering::SeqCst) => response(500, "", "sick"),
            _ => ok("sick"),
        }
    });
    let well = Target::named("well");
    let balancer = Balancer::start(Config::to_all(&[&sick, &well]).group(CHECK));
    balancer.wait_for_health(sick.address(), "healthy");
    balancer.wait_for_health(well.address(), "healthy");
    let mut client = Client::connect(balancer.web());
    let mut share = || (0..10).filter(|_| client.get("/").text() == "sick").count();
    assert_eq!(share(), 5);
    is_well.store(false, Ordering::SeqCst);
    balancer.wait_for_health(sick.address(), "unhealthy");
    assert_eq!(share(), 0);
    let status = balancer.status();
    assert_eq!(
        (status["groups"][0]["healthy"].as_u64(), status["groups"][0]["unhealthy"].as_u64()),
        (Some(1), Some(1))
    );
    is_well.store(true, Ordering::SeqCst);
    balancer.wait_for_health(sick.address(), "healthy");
    assert_eq!(share(), 5);
}

#[test]
fn a_killed_target_comes_back() {
    let (one, two) = (Target::named("one"), Target::named("two"));
    let tcp = "health_check = { type = \"tcp\", interval = \"100ms\", healthy = 1, unhealthy = 1 }";
    let balancer = Balancer::start(Config::to_all(&[&one, &two]).group(tcp));
    balancer.wait_for_health(one.address(), "healthy");
    balancer.wait_for_health(two.address(), "healthy");
    let address = one.kill();
    balancer.wait_for_health(address, "unhealthy");
    let mut client = Client::connect(balancer.web());
    assert!((0..4).all(|_| client.get("/").text() == "two"));
    let _one = Target::http_at(address, |_| ok("one again"));
    balancer.wait_for_health(address, "healthy");
    assert!((0..4).any(|_| client.get("/").text() == "one again"));
}
