//! A client that sends a body, or reads a response, below `min_rate` is ended although each of its pauses is shorter than
//! `body_timeout` and `send_timeout` (KA12). In a conversation, once the response has begun, there is no least rate.

use std::time::Duration;

use testkit::{
    Balancer, Client, Config, Http2Client, Http2Target, Target, elapsed, ok, response, wait_until,
};

const PAUSE: Duration = Duration::from_millis(200);

fn start(target: &Target, bytes_per_second: u32) -> Balancer {
    let min_rate = format!("min_rate = {{ bytes_per_second = {bytes_per_second}, grace = \"1s\" }}");
    Balancer::start(Config::to(target).listener(&min_rate))
}

#[test]
fn a_body_that_trickles_is_408() {
    let target = Target::named("never");
    let balancer = start(&target, 100);
    for (framing, body) in
        [("Content-Length: 1000", "x".repeat(1000)), ("Transfer-Encoding: chunked", "1\r\nx\r\n".repeat(99))]
    {
        let mut client = Client::connect(balancer.web());
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n"));
        let time = elapsed(|| {
            client.send_slowly(body, PAUSE);
        });
        assert!((Duration::from_millis(900)..Duration::from_secs(10)).contains(&time), "{time:?}");
        let response = client.response();
        assert_eq!(
            (response.status(), response.reason().as_str()),
            (408, "request_body_timeout"),
            "{framing}"
        );
        assert!(client.is_closed());
    }
    assert_eq!(balancer.log_line("reason", "request_body_timeout")["detail"], "min_rate");
}

#[test]
fn a_reader_below_the_rate_is_closed() {
    let target = Target::http(|_| response(200, "", &"x".repeat(64 << 20)));
    let balancer = start(&target, 100_000_000);
    let mut client = Client::connect(balancer.web());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.head().unwrap();
    wait_until("the client is ended", || {
        // It takes a little on each look.
        let _ = client.try_read_exactly(16 * 1024);
        balancer.log_lines().iter().any(|line| line["reason"] == "client_send_timeout")
    });
}

#[test]
fn a_conversation_may_be_slow() {
    let target = Target::script(|mut connection| {
        connection.head()?;
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")?;
        while !connection.read()?.ends_with(b"0\r\n\r\n") {}
        connection.send("1\r\nb\r\n0\r\n\r\n")
    });
    let balancer = start(&target, 100);
    let mut client = Client::connect(balancer.web());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("1\r\nx\r\n");
    let head = client.head().unwrap();
    assert_eq!((head.status(), client.read_exactly(6)), (200, b"1\r\na\r\n".to_vec()));
    assert_eq!(client.send_slowly("a\r\n0123456789\r\n", PAUSE), 15, "three seconds");
    client.send("0\r\n\r\n");
    assert_eq!(client.read_exactly(11), b"1\r\nb\r\n0\r\n\r\n");
}

/// A client's stream of gRPC messages may have quiet hours and no response before its end.
#[test]
fn a_grpc_stream_may_be_slow() {
    let target = Http2Target::http(|_| ok("all"));
    let config = Config::to_addresses(&[target.address()]).group("protocol = \"h2c\"");
    let balancer = Balancer::start(config.listener("min_rate = { bytes_per_second = 1000, grace = \"1s\" }"));
    let mut client = Http2Client::connect(balancer.web());
    let mut upload = |content_type| {
        let mut stream = client.request("POST", "/", &[("content-type", content_type)]);
        stream.send("message").unwrap();
        stream
    };
    let (mut grpc, mut other) = (upload("application/grpc+proto"), upload("application/json"));
    assert_eq!(other.response().status(), 408, "after the grace");
    grpc.send("message").unwrap();
    grpc.end().unwrap();
    assert_eq!(grpc.response().text(), "all");
}
