//! After a failure whose body was read already, the next request is not skipped as part of that body (HTTP3).

use testkit::{Balancer, Client, Config, Target};

#[test]
fn body_is_skipped_once() {
    let target = Target::named("never");
    let balancer = Balancer::start(Config::weighted(&[(&target, 0)]));
    let next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    for body in
        ["Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"]
    {
        let mut client = Client::connect(balancer.web());
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{body}{next}{next}"));
        for _ in 0..3 {
            let response = client.response();
            assert_eq!((response.status(), response.reason().as_str()), (503, "no_target"), "{body}");
            assert_eq!(response.field("connection"), None, "{body}");
        }
        assert!(client.is_open_and_silent(), "{body}");
    }
    let paths: Vec<_> = balancer.log_lines().iter().map(|line| line["request_target"].clone()).collect();
    assert!(paths.iter().all(|path| path == "/" || path == "/next"), "{paths:?}");
    assert_eq!(target.connections(), 0);
}
