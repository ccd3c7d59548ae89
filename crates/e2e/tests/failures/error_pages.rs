//! The page of a failure has the format that the client prefers, or is the operator's own page.

use testkit::{Balancer, Client, Config, refused_address};

fn ask(client: &mut Client, accept: &str) -> testkit::Message {
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n"));
    client.response()
}

#[test]
fn the_page_follows_accept() {
    let balancer = Balancer::start(Config::to_addresses(&[refused_address()]));
    let mut client = Client::connect(balancer.web());
    for (accept, content_type, begin) in [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8", "<!DOCTYPE html>"),
        ("application/json", "application/json", "{\"status\":502,"),
        ("*/*", "text/plain; charset=utf-8", "502 Bad Gateway\n"),
        ("image/png", "text/plain; charset=utf-8", "502 Bad Gateway\n"),
    ] {
        let response = ask(&mut client, accept);
        assert_eq!(response.field("content-type"), Some(content_type), "{accept}");
        assert!(response.text().starts_with(begin), "{accept}: {}", response.text());
        assert!(response.text().contains("target_refused"), "{accept}");
        let id = response.field("x-request-id").unwrap();
        assert!(response.text().contains(id), "{accept}");
        assert_eq!(response.field("cache-control"), Some("no-store"));
    }
    let json: serde_json::Value = serde_json::from_slice(&ask(&mut client, "application/json").body).unwrap();
    assert_eq!((json["status"].as_u64(), json["reason"].as_str()), (Some(502), Some("target_refused")));
}

#[test]
fn an_operators_page_comes_first() {
    let pages = "error_pages = { 502 = \"sorry.html\", 4xx = \"error.json\" }";
    let config = Config::to_addresses(&[refused_address()]).listener(pages);
    let config = config.rule("path = \"/503\"\nrespond = { status = 502, body = \"our own\" }");
    let balancer = Balancer::prepare(config)
        .file("sorry.html", "<h1>Sorry</h1>")
        .file("error.json", "{\"own\":1}")
        .start();
    let mut client = Client::connect(balancer.web());
    let sorry = ask(&mut client, "application/json");
    assert_eq!((sorry.status(), sorry.text().as_str()), (502, "<h1>Sorry</h1>"));
    assert_eq!(sorry.field("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(sorry.reason(), "target_refused");
    assert_eq!(client.get("/503").text(), "our own", "a fixed response is not a failure");
    client.send("GET / HTTP/1.1\r\n\r\n");
    let error = client.response();
    assert_eq!((error.status(), error.text().as_str()), (400, "{\"own\":1}"));
    assert_eq!(error.field("content-type"), Some("application/json"));
}
