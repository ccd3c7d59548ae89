//! Frames that cost a client nothing have a budget. A connection that exceeds it is ended with a reason
//! (HTTP6).

use h2::Reason;
use testkit::{Balancer, Config, Target, wait_until};

use crate::{GET, frame, goaway, raw};

#[test]
fn every_flood_ends_with_enhance_your_calm() {
    let target = Target::named("hello");
    let balancer = Balancer::start(Config::to(&target));
    let opened = frame(1, 4, 1, GET);
    for (flood, times) in [
        (frame(4, 0, 0, &[]), 100),
        (frame(6, 0, 0, &[0; 8]), 2000),
        (frame(2, 0, 1, &[0, 0, 0, 3, 1]), 1000),
        (frame(0xbb, 0, 0, &[0; 10]), 1000),
        ([opened, frame(0, 0, 1, &[]).repeat(1000)].concat(), 1),
        ([frame(1, 0, 1, GET), frame(9, 0, 1, &[]).repeat(100)].concat(), 1),
    ] {
        let mut client = raw(balancer.web());
        // The connection may end before all is sent.
        let _ = client.try_send(flood.repeat(times));
        assert_eq!(goaway(&mut client), Some(Reason::ENHANCE_YOUR_CALM), "{:?}", &flood[..9]);
    }
    wait_until("all connections are closed", || {
        balancer.metric("evenkeel_listener_connections_open", &[]) == 0.0
    });
    assert_eq!(balancer.metric("evenkeel_listener_http2_connections_total", &[]), 6.0);
    for reason in ["settings", "ping", "priority", "other_frame", "empty_data", "continuation"] {
        let reason = format!("{reason}_flood");
        let counted = balancer.metric("evenkeel_listener_http2_faults_total", &[("reason", &reason)]);
        assert_eq!(counted, 1.0, "{reason}");
    }
}

/// CVE-2023-44487.
#[test]
fn rapid_reset_is_ended_and_few_requests_reach_the_target() {
    let target = Target::script(|mut connection| {
        connection.request()?;
        connection.stall()
    });
    let balancer = Balancer::start(Config::to(&target).group("timeouts = { response = \"30s\" }"));
    let mut client = raw(balancer.web());
    for number in 0..5_000_u32 {
        let stream = 2 * number + 1;
        let both = [frame(1, 5, stream, GET), frame(3, 0, stream, &[0, 0, 0, 8])].concat();
        if client.try_send(both).is_err() {
            break;
        }
    }
    assert_eq!(goaway(&mut client), Some(Reason::ENHANCE_YOUR_CALM));
    wait_until("the target's connections are closed", || target.open() == 0);
    assert!(target.connections() <= 500, "{}", target.connections());
}
