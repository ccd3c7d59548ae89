//! If no target of a group accepts connections, the operators' log names request, group, target and reason, and what to check.
//! When the target is back, it says so (OP6).

use testkit::{Balancer, Client, Config, Target, get, ok, wait_until};

#[test]
fn dead_group_is_told() {
    let address = Target::named("dead").kill();
    let balancer = Balancer::start(Config::to_addresses(&[address]));
    let mut client = Client::connect(balancer.web());
    for _ in 0..3 {
        assert_eq!(client.get("/").status(), 502);
    }
    let line = |part: &str| {
        let log = balancer.stderr();
        log.lines().find(|line| line.contains(part)).map(str::to_owned)
    };
    let down =
        format!(" error a target cannot be connected reason=target_refused group=app target={address} ");
    wait_until("the target is told of", || line(&down).is_some());
    assert_eq!(balancer.stderr().matches("a target cannot be connected").count(), 1, "once");
    let failed = format!(
        " error a request failed reason=target_refused status=502 listener=web group=app target={address} \
        attempts=1 client=127.0.0.1 request_id="
    );
    wait_until("the request is told of", || line(&failed).is_some());
    let id = balancer.log_line("status", 502)["request_id"].as_str().unwrap().to_owned();
    let told = line(&failed).unwrap();
    assert!(told.contains(&id) && told.contains(" hint=\"Nothing listens at "), "{told}");

    let _back = Target::http_at(address, |_| ok("back"));
    wait_until("it serves", || get(balancer.web(), "/").status() == 200);
    let back = format!(" info a target can be connected again group=app target={address}");
    wait_until("its return is told of", || line(&back).is_some());
}

#[test]
fn group_without_a_healthy_target_is_told() {
    let (dead, also_dead) = (Target::named("a").kill(), Target::named("b").kill());
    let check = "health_check = { type = \"tcp\", interval = \"100ms\", healthy = 1, unhealthy = 1 }";
    let balancer = Balancer::start(Config::to_addresses(&[dead, also_dead]).group(check));
    let said = |line: &str| balancer.stderr().contains(line);
    let fail_open =
        " error no target of a group is healthy: all of them get requests group=app targets=2 hint=";
    wait_until("all are unhealthy", || said(fail_open));
    let _back = Target::http_at(dead, |_| ok("back"));
    let end = format!(" info a group has a healthy target again group=app target={dead}");
    wait_until("one is healthy", || said(&end));
}
