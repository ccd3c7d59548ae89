//! Endless heads are limited in size and time, and a stalled response is ended (BAL5).

use testkit::{Balancer, Client, Config, Target};

const TIMEOUTS: &str = "timeouts = { response = \"500ms\", idle = \"500ms\" }";

#[test]
fn endless_heads_are_refused() {
    for line in ["X: y\r\n".to_owned(), "x".repeat(1000), format!("X: {}\r\n", "y".repeat(10_000))] {
        let target = Target::script(move |mut connection| {
            connection.request()?;
            connection.send("HTTP/1.1 200 OK\r\n")?;
            loop {
                connection.send(&line)?;
            }
        });
        let balancer = Balancer::start(Config::to(&target));
        let response = Client::connect(balancer.web()).get("/");
        assert_eq!(
            (response.status(), response.reason().as_str()),
            (502, "target_response_fields_too_large")
        );
    }
}

#[test]
fn a_stall_is_504() {
    for (begin, reason) in [
        ("", "target_response_timeout"),
        ("HTTP/1.1 200 O", "target_response_timeout"),
        ("HTTP/1.1 103 Early Hints\r\n\r\n", "target_response_timeout"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "target_stalled"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", "target_stalled"),
        ("HTTP/1.1 200 OK\r\n\r\nab", "target_stalled"),
    ] {
        let target = Target::script(move |mut connection| {
            connection.request()?;
            connection.send(begin)?;
            connection.stall()
        });
        let balancer = Balancer::start(Config::to(&target).group(TIMEOUTS));
        let mut client = Client::connect(balancer.web());
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut response = client.response();
        if response.status() == 103 {
            response = client.response();
        }
        assert_eq!(balancer.log_line("reason", reason)["attempts"], 1, "{begin:?}");
        match reason {
            "target_stalled" => assert_eq!((response.text().as_str(), response.is_complete), ("ab", false)),
            _ => assert_eq!((response.status(), response.reason().as_str()), (504, reason)),
        }
    }
}
