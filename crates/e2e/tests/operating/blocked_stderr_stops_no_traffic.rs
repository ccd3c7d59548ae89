//! If standard error is a pipe that is full and never read, clients that cause lines in the operators' log stop neither
//! the traffic nor a stop (OP9).

use testkit::{Balancer, Client, Config, Signal, Target, get, unread_pipe, wait_until};

const SENDER: [u8; 4] = [127, 0, 0, 2];

#[test]
fn blocked_stderr_stops_no_traffic() {
    let pipe = unread_pipe();
    let target = Target::named("served");
    let config = Config::to(&target).listener("proxy_protocol = [\"127.0.0.2\"]");
    let mut balancer = Balancer::prepare(config).stderr(pipe.writer()).start();
    pipe.fill();
    for count in 1..=50 {
        let mut hostile = Client::connect_from(SENDER, balancer.web());
        hostile.send("no PROXY header");
        assert!(hostile.is_closed());
        assert_eq!(get(balancer.web(), "/").text(), "served", "after {count} lines");
    }
    wait_until("lines are left out and counted", || {
        balancer.metric("evenkeel_operators_log_lines_left_out_total", &[]) > 0.0
    });
    assert!(balancer.reload("nonsense").is_err(), "the control plane answers");
    balancer.signal(Signal::TERM);
    assert!(balancer.wait_exit().success());
}
