//! A client that resets frees its target's connection within a second, whatever is in flight (KA7).

use std::time::Duration;

use testkit::{Balancer, Client, Config, Target, elapsed, wait_until};

#[test]
fn client_reset_frees_the_target() {
    for (request, is_answered) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", false),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
    ] {
        let target = Target::script(move |mut connection| {
            connection.head()?;
            if is_answered {
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")?;
            }
            connection.stall()
        });
        let balancer = Balancer::start(Config::to(&target));
        let mut client = Client::connect(balancer.web());
        client.send(request);
        wait_until("it is in flight", || target.requests().len() == 1);
        if is_answered {
            client.head().unwrap();
        }
        client.reset();
        let time = elapsed(|| wait_until("the target's connection is closed", || target.open() == 0));
        assert!(time < Duration::from_millis(1_500), "{time:?}");
        let line = balancer.log_line("reason", "client_aborted");
        assert_eq!(line["status"], if is_answered { 200 } else { 499 }, "{line}");
        assert_eq!(balancer.targets()[0]["in_flight"], 0);
    }
}

#[test]
fn a_client_that_only_finished_sending_is_answered() {
    let target = Target::named("served");
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.half_close();
    assert_eq!(client.response().text(), "served");
    assert!(client.is_closed());
}
