//! `timeouts.response` starts when the target has received the whole request, not before (KA12).

use std::time::Duration;

use testkit::{Balancer, Client, Config, Target, elapsed, ok};

const TIMEOUTS: &str = "timeouts = { response = \"1s\" }";

/// An upload of 2.4 s, by a client that also watches for an early response.
fn upload(client: &mut Client) {
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n");
    for byte in b"upload" {
        assert!(!client.closes_within(Duration::from_millis(400)), "closed before {byte}");
        client.send([*byte]);
    }
}

#[test]
fn a_long_upload_is_served() {
    let target = Target::http(|request| ok(&request.text()));
    let balancer = Balancer::start(Config::to(&target).group(TIMEOUTS));
    let mut client = Client::connect(balancer.web());
    upload(&mut client);
    let response = client.response();
    assert_eq!((response.status(), response.text().as_str()), (200, "upload"));
}

#[test]
fn the_timeout_starts_after_the_upload() {
    let target = Target::script(|mut connection| {
        connection.request()?;
        connection.stall()
    });
    let balancer = Balancer::start(Config::to(&target).group(TIMEOUTS));
    let mut client = Client::connect(balancer.web());
    upload(&mut client);
    let time = elapsed(|| {
        let response = client.response();
        assert_eq!((response.status(), response.reason().as_str()), (504, "target_response_timeout"));
    });
    assert!((Duration::from_millis(900)..Duration::from_secs(4)).contains(&time), "{time:?}");
    assert!(target.request().is_complete);
}
