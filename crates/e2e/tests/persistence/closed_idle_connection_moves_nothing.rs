//! A target that closes an idle connection just when a request comes gets that request again: a session that begins with it
//! is where it was served, and one that had begun stays (SP10, KA6).

use std::time::Duration;

use testkit::{Balancer, Client, Config, Target, ok};

use crate::users::User;

const PATIENCE: Duration = Duration::from_secs(10);

/// Answers the first request of a connection, and closes it when the second one has come.
fn forgetful(name: &'static str) -> Target {
    Target::script(move |mut connection| {
        if connection.request_within(PATIENCE)?.is_some() {
            connection.send(ok(name))?;
            connection.request_within(PATIENCE)?;
        }
        Ok(())
    })
}

#[test]
fn a_session_of_an_address_is_where_it_was_served() {
    let targets = [forgetful("a"), forgetful("b"), forgetful("c")];
    let balancer = Balancer::start(
        Config::to_all(&targets.each_ref()).group("persistence = { type = \"source_ip\", timeout = \"5m\" }"),
    );
    for source in 1..=20 {
        let ask = || Client::connect_from([127, 0, 4, source], balancer.web()).get("/").text();
        let first = ask();
        assert_eq!([ask(), ask()], [&*first; 2], "127.0.4.{source}");
    }
    assert_retried(&balancer);
    assert_eq!(moved(&balancer), 0.0);
}

#[test]
fn a_session_of_a_cookie_is_where_it_was_served() {
    let targets = [forgetful("a"), forgetful("b"), forgetful("c")];
    let balancer = Balancer::start(
        Config::to_all(&targets.each_ref()).group("persistence = { type = \"cookie\", name = \"route\" }"),
    );
    for number in 0..20 {
        let mut user = User::default();
        let mut ask = || user.get(balancer.web(), "/").text();
        let first = ask();
        assert_eq!([ask(), ask()], [&*first; 2], "user {number}");
    }
    assert_retried(&balancer);
    assert_eq!(moved(&balancer), 0.0);
}

/// The targets did what they are there for.
fn assert_retried(balancer: &Balancer) {
    assert!(balancer.metric("evenkeel_target_connections_reused_total", &[]) >= 10.0);
}

fn moved(balancer: &Balancer) -> f64 {
    balancer.metric("evenkeel_listener_session_requests_total", &[("outcome", "moved")])
}
