//! If a response body is truncated, the client's connection is cut, so that the client does not take it for
//! complete: with a length, with chunks, and for HTTP/1.0 clients too.

use testkit::{Balancer, Client, Config, Target, wait_until};

#[test]
fn incomplete_bodies_cut_the_client() {
    for (body, ends_by_reset) in [
        ("Content-Length: 10\r\n\r\nshort", false),
        ("Content-Length: 10\r\n\r\nshort", true),
        ("Content-Length: 10000000\r\n\r\nshort", false),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n", true),
        ("Transfer-Encoding: chunked\r\n\r\n9\r\nshort", false),
        ("\r\nshort", true),
    ] {
        let target = Target::script(move |mut connection| {
            connection.request()?;
            connection.send(format!("HTTP/1.1 200 OK\r\n{body}"))?;
            // Waits, so that a reset does not overtake the response.
            connection.closes_within(std::time::Duration::from_millis(200));
            if ends_by_reset { connection.reset() } else { Ok(()) }
        });
        let balancer = Balancer::start(Config::to(&target));
        for version in ["1.1", "1.0"] {
            let mut client = Client::connect(balancer.web());
            client.send(format!("GET / HTTP/{version}\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"));
            let response = client.response();
            let seen = (response.status(), response.text(), response.is_complete);
            assert_eq!(seen, (200, "short".to_owned(), false), "{body:?} reset={ends_by_reset} {version}");
            assert!(client.is_closed());
        }
        let reason = "target_response_truncated";
        wait_until("both are logged", || {
            balancer
                .log_lines()
                .iter()
                .filter(|line| line["reason"] == reason && line["status"] == 200)
                .count()
                == 2
        });
    }
}
