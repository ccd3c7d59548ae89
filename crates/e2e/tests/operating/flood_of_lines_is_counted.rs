//! A client that causes many lines of one kind in the operators' log gets a few of them written. The rest is counted, which
//! is told at the latest when the balancer ends (OP9).

use testkit::{Balancer, Client, Config, Signal, Target};

const SENDER: [u8; 4] = [127, 0, 0, 2];
const FLOOD: usize = 40;
const KIND: &str = "no PROXY header to believe";

#[test]
fn flood_of_lines_is_counted() {
    let target = Target::named("served");
    let mut balancer = Balancer::start(Config::to(&target).listener("proxy_protocol = [\"127.0.0.2\"]"));
    for _ in 0..FLOOD {
        let mut hostile = Client::connect_from(SENDER, balancer.web());
        hostile.send("no PROXY header");
        assert!(hostile.is_closed());
    }
    let left_out = balancer.metric("evenkeel_operators_log_lines_left_out_total", &[("reason", "too_many")]);
    balancer.signal(Signal::TERM);
    assert!(balancer.wait_exit().success());
    let log = balancer.stderr();
    let written = log.lines().filter(|line| line.contains(&format!("warning {KIND}"))).count();
    assert!((5..=10).contains(&written), "5 in each of at most two windows:\n{log}");
    let told = log.lines().filter_map(|line| line.split_once("suppressed=")?.1.parse::<usize>().ok());
    assert_eq!(told.sum::<usize>(), FLOOD - written, "{log}");
    assert_eq!(left_out as usize, FLOOD - written);
    let (stopping, stopped) = (log.find("info stopping"), log.find("info stopped"));
    assert!(stopping.is_some() && stopping < stopped, "the last lines are written, in their order:\n{log}");
}
