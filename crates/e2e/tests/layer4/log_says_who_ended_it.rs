//! Each connection has a line in the access log when it ends, in text and in JSON (L41).

use testkit::{Balancer, wait_for};

use crate::{connect, echo, tcp};

#[test]
fn log_says_who_ended_it() {
    let target = echo();
    let config = tcp(&target).listener("access_log = { path = \"access.log\", format = \"text\" }");
    let balancer = Balancer::start(config);
    let mut client = connect(&balancer);
    let peer = client.address();
    client.half_close();
    assert!(client.is_closed());
    let line = wait_for("a line", || {
        let text = std::fs::read_to_string(balancer.path("access.log")).unwrap_or_default();
        text.ends_with('\n').then_some(text)
    });
    let words: Vec<_> = line.split_whitespace().collect();
    assert_eq!(&words[1..4], ["tcp", "closed", "client"], "{line}");
    let rest = words[6..].join(" ");
    let expected = format!(
        "listener=web group=app target={} attempts=1 client=127.0.0.1 peer={peer} bytes_in=5 bytes_out=5",
        target.address()
    );
    assert_eq!(rest, expected);
    let ended = [("listener", "web"), ("end", "closed"), ("ended_by", "client")];
    assert_eq!(balancer.metric("evenkeel_listener_tcp_connections_ended_total", &ended), 1.0);
}
