//! Data of a malformed chunk stays data, although it looks like the end of the body and another request
//! (HTTP3).

use testkit::{Balancer, Client, Config, Target};

#[test]
fn malformed_chunk_data_is_not_a_request() {
    let target = Target::named("never");
    let balancer = Balancer::start(Config::to(&target));
    let data = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let length = data.len();
    for chunks in [format!("{length:x}\r\n{data}XX"), format!("1\r\na\r\n{length:x}\r\n{data}XX")] {
        let mut client = Client::connect(balancer.web());
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"));
        let response = client.response();
        assert_eq!((response.status(), response.reason().as_str()), (400, "request_body_malformed"));
        assert_eq!(response.field("connection"), Some("close"));
        assert!(client.read().unwrap().is_empty(), "it is the only response");
    }
    assert!(!target.requests().iter().any(|request| request.target() == "/smuggled"));
    assert!(target.requests().iter().all(|request| !request.is_complete), "no body was complete");
}
