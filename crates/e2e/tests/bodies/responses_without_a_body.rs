//! Responses to HEAD, 204 and 304 have no body, whatever their fields say, and the connection is kept after
//! them.

use testkit::{Balancer, Client, Config, Target, ok};

#[test]
fn responses_without_a_body() {
    let target = Target::http(|request| match request.target() {
        "/204" => "HTTP/1.1 204 No Content\r\n\r\n".into(),
        "/304" => "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nContent-Length: 99\r\n\r\n".into(),
        _ if request.method() == "HEAD" => "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n".into(),
        _ => ok("body"),
    });
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.response();
    assert_eq!((head.status(), head.field("content-length")), (200, Some("12345")));
    let no_content = client.get("/204");
    assert_eq!((no_content.status(), no_content.field("content-length")), (204, None));
    assert_eq!(no_content.field("transfer-encoding"), None);
    let not_modified = client.get("/304");
    assert_eq!((not_modified.status(), not_modified.field("etag")), (304, Some("\"1\"")));
    assert_eq!(client.get("/").text(), "body");
    assert_eq!(target.connections(), 1);
}

#[test]
fn failures_answer_head_without_a_body() {
    let balancer = Balancer::start(Config::to_addresses(&[testkit::refused_address()]));
    let mut client = Client::connect(balancer.web());
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = client.response();
        assert_eq!((response.status(), response.field("connection")), (502, None));
    }
}
