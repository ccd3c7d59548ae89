//! Each worker has a limit of encoders. Responses beyond it are not compressed and are counted; when an encoder
//! is freed, the next response is compressed again (HTTP5).

use testkit::{Balancer, Client, Config, Target, wait_until};

/// `Limits::ENCODER_BYTES_MAX` divided by the memory of one `br = 6` encoder.
const ENCODERS: usize = 32;

#[test]
fn responses_over_the_limit_are_not_compressed() {
    let target = Target::script(|mut connection| {
        connection.request()?;
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nnever done")?;
        connection.stall()
    });
    let config = Config::to(&target).listener("compression = { algorithms = [\"br\"], level = { br = 6 } }");
    let balancer = Balancer::start(config);
    let begin = || {
        let mut client = Client::connect(balancer.web());
        client.send("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br\r\n\r\n");
        let head = client.head().unwrap();
        assert_eq!(head.field("vary"), Some("Accept-Encoding"));
        (head.field("content-encoding").is_some(), client)
    };
    let mut open: Vec<_> = (0..ENCODERS).map(|_| begin()).collect();
    assert!(open.iter().all(|(compressed, _)| *compressed));
    let beyond = begin();
    assert!(!beyond.0);
    assert_eq!(balancer.metric("evenkeel_listener_compression_skipped_total", &[]), 1.0);
    open.pop().unwrap().1.reset();
    wait_until("one has ended", || {
        balancer.metric("evenkeel_listener_requests_in_flight", &[]) == ENCODERS as f64
    });
    assert!(begin().0);
}
