//! A large body that is truncated, on either side, ends both connections; the next response is complete.

use testkit::{Balancer, Client, Config, Message, Target, wait_until};

const BYTES: usize = 8 * 1024 * 1024;
const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n";

/// Sends half of the body for `/half` and `/half-reset`, then closes or resets; sends the whole body for other
/// paths.
fn target() -> Target {
    Target::script(|mut connection| {
        loop {
            let request = connection.request()?;
            connection.send(HEAD)?;
            connection
                .send(vec![b'x'; if request.target().starts_with("/half") { BYTES / 2 } else { BYTES }])?;
            match request.target() {
                "/half" => return Ok(()),
                "/half-reset" => return connection.reset(),
                _ => {}
            }
        }
    })
}

fn is_whole(response: &Message) -> bool {
    response.is_complete && response.body == vec![b'x'; BYTES]
}

#[test]
fn a_response_truncated_by_the_target_cuts_the_client() {
    let target = target();
    let balancer = Balancer::start(Config::to(&target));
    for path in ["/half", "/half-reset", "/half", "/half-reset"] {
        let mut client = Client::connect(balancer.web());
        let response = client.get(path);
        assert!(!response.is_complete && response.body.len() <= BYTES / 2, "{}", response.body.len());
        assert!(client.is_closed());
        assert!(
            is_whole(&testkit::get(balancer.web(), "/whole")),
            "the pipe holds no byte of the truncated body"
        );
    }
}

#[test]
fn an_aborting_client_frees_the_target() {
    let target = target();
    let balancer = Balancer::start(Config::to(&target));
    for _ in 0..4 {
        let mut client = Client::connect(balancer.web());
        client.send("GET /whole HTTP/1.1\r\nHost: a\r\n\r\n");
        client.read_exactly(BYTES / 4);
        client.reset();
        wait_until("the request has ended", || balancer.targets()[0]["in_flight"] == 0);
        assert!(is_whole(&testkit::get(balancer.web(), "/whole")));
    }
}

#[test]
fn a_truncated_upload_does_not_look_complete() {
    let target = Target::named("never");
    let balancer = Balancer::start(Config::to(&target));
    for resets in [false, true] {
        let mut client = Client::connect(balancer.web());
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n");
        client.send(vec![b'x'; BYTES / 2]);
        wait_until("the request is in flight", || balancer.targets()[0]["in_flight"] == 1);
        if resets {
            client.reset();
        } else {
            drop(client);
        }
        wait_until("the target's connection is closed", || target.open() == 0);
    }
    assert!(target.requests().iter().all(|request| !request.is_complete));
}
