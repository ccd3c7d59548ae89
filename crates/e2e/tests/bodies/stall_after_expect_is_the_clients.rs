//! A client that stops within its body is timed out by `body_timeout` and gets a 408, with `Expect: 100-continue` too, and the
//! target is not blamed: once it has sent its 100, or the client has begun the body, it waits for the client.

use testkit::{Balancer, Client, Config, Http2Client, Target};

const KEYS: &str = "body_timeout = \"1s\"";
const GROUP: &str = "timeouts = { response = \"20s\" }";

/// Sends its 100 if it `continues`, and waits for the body.
fn target(continues: bool) -> Target {
    Target::script(move |mut connection| {
        connection.head()?;
        if continues {
            connection.send("HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        connection.stall()
    })
}

#[test]
fn the_client_is_timed_out() {
    for (continues, framing, begun) in [
        (true, "Content-Length: 30", ""),
        (true, "Content-Length: 30", "a"),
        (true, "Transfer-Encoding: chunked", ""),
        (true, "Transfer-Encoding: chunked", "1"),
        (false, "Content-Length: 30", "a"),
        (false, "Transfer-Encoding: chunked", "5\r\na"),
    ] {
        let target = target(continues);
        let balancer = Balancer::start(Config::to(&target).listener(KEYS).group(GROUP));
        let mut client = Client::connect(balancer.web());
        client
            .send(format!("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n{framing}\r\n\r\n{begun}"));
        if continues {
            assert_eq!(client.head().unwrap().status(), 100);
        }
        let response = client.response();
        let got = (response.status(), response.reason());
        assert_eq!(got, (408, "request_body_timeout".to_owned()), "{continues} {framing} {begun}");
    }
}

#[test]
fn a_stream_is_timed_out_alike() {
    let target = target(true);
    let balancer = Balancer::start(Config::to(&target).listener(KEYS).group(GROUP));
    let mut client = Http2Client::connect(balancer.web());
    let mut stream = client.request("POST", "/", &[("expect", "100-continue"), ("content-length", "30")]);
    stream.send("a").unwrap();
    assert_eq!(stream.response().reason(), "request_body_timeout");
}

/// A target that neither sends a 100 nor answers is the one that is slow.
#[test]
fn a_target_without_a_100_is_timed_out() {
    let target = target(false);
    let config =
        Config::to(&target).listener("body_timeout = \"20s\"").group("timeouts = { response = \"400ms\" }");
    let balancer = Balancer::start(config);
    let mut client = Client::connect(balancer.web());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 30\r\n\r\n");
    let response = client.response();
    assert_eq!((response.status(), response.reason().as_str()), (504, "target_response_timeout"));
}
