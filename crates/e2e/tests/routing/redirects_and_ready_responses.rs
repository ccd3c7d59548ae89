//! Redirects and fixed responses are made here; no target sees the request, and the connection goes on.

use testkit::{Balancer, Client, Config, Target};

#[test]
fn redirects_and_ready_responses() {
    let target = Target::named("never");
    let balancer = Balancer::start(
        Config::to(&target)
            .rule("path = \"/old/\"\nredirect = { to = \"https://{host}{path}{query}\", code = 308 }")
            .rule("path = \"/moved\"\nredirect = { to = \"{path}\" }")
            .rule("path = \"/empty\"\nrespond = { status = 204 }")
            .rule("path = \"/teapot\"\nrespond = { status = 418, body = \"{}\", content_type = \"application/json\" }"),
    );
    let mut client = Client::connect(balancer.web());
    let redirect = client.get("/old/a%20b?q=1&r");
    assert_eq!(
        (redirect.status(), redirect.field("location")),
        (308, Some("https://shop.example/old/a%20b?q=1&r"))
    );
    let moved = client.get("//evil.example/../moved");
    assert_eq!((moved.status(), moved.field("location")), (302, Some("/evil.example/../moved")));
    let empty = client.get("/empty");
    assert_eq!((empty.status(), empty.field("content-length")), (204, None));
    client.send("POST /teapot HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    let teapot = client.response();
    assert_eq!((teapot.status(), teapot.text().as_str()), (418, "{}"));
    assert_eq!(teapot.field("content-type"), Some("application/json"));
    assert!(teapot.field("date").is_some());
    client.send("HEAD /teapot HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().field("content-length"), Some("2"));
    assert_eq!(client.get("/empty").status(), 204);
    assert_eq!(target.connections(), 0);
}
