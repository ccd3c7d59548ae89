//! Our own reply closes the client's connection only if the rest of the request cannot be told from the next
//! one. A reply to HEAD has no body, and one to HTTP/1.0 says whether the connection is kept (HTTP2, KA3, KA4).

use testkit::{Balancer, Client, Config, Target, refused_address, wait_until};

fn balancer() -> Balancer {
    let config = Config::to_addresses(&[refused_address()])
        .without_forward()
        .listener("error_pages = { 404 = \"lost.html\" }\nlimits = { body = \"4B\" }")
        .rule("path = \"/down\"\nforward = \"app\"")
        .rule("path = \"/gone\"\nrespond = { status = 410, body = \"gone\" }")
        .rule("path = \"/not-modified\"\nrespond = { status = 304 }")
        .rule("path = \"/moved\"\nredirect = { to = \"/down\" }");
    Balancer::prepare(config).file("lost.html", "<h1>Lost</h1>").start()
}

#[test]
fn own_replies_keep_the_connection() {
    let balancer = balancer();
    let mut client = Client::connect(balancer.web());
    for (request, status) in [
        ("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("HEAD /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("GET /down HTTP/1.1\r\nHost: a\r\n\r\n", 502),
        ("HEAD /down HTTP/1.1\r\nHost: a\r\n\r\n", 502),
        ("POST /down HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", 502),
        ("POST /nothing HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 404),
        ("GET /gone HTTP/1.1\r\nHost: a\r\n\r\n", 410),
        ("HEAD /gone HTTP/1.1\r\nHost: a\r\n\r\n", 410),
        ("GET /not-modified HTTP/1.1\r\nHost: a\r\n\r\n", 304),
        ("HEAD /moved HTTP/1.1\r\nHost: a\r\n\r\n", 302),
        ("GET /down HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 502),
    ] {
        client.send(request);
        let response = client.response();
        assert_eq!((response.status(), response.is_complete), (status, true), "{request:?}");
        let keeps = if request.contains("1.0") { Some("keep-alive") } else { None };
        assert_eq!(response.field("connection"), keeps, "{request:?}");
        assert_eq!(response.field("transfer-encoding"), None);
        let length = response.field("content-length").map(|length| length.parse::<usize>().unwrap());
        match status {
            304 => assert_eq!(length, None),
            _ if request.starts_with("HEAD") => assert_eq!(length == Some(0), status == 302, "{request:?}"),
            _ => assert_eq!(length, Some(response.body.len()), "{request:?}"),
        }
    }
    assert!(client.is_open_and_silent());
}

#[test]
fn requests_without_a_clear_end_close_the_connection() {
    let balancer = balancer();
    for (request, status) in [
        ("GET /down HTTP/1.0\r\n\r\n", 502),
        ("GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404),
        ("POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo", 404),
        ("POST /down HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", 413),
        ("GET / HTTP/1.1\r\n\r\n", 400),
    ] {
        let mut client = Client::connect(balancer.web());
        client.send(request);
        let response = client.response();
        assert_eq!((response.status(), response.field("connection")), (status, Some("close")), "{request:?}");
        assert!(client.is_closed(), "{request:?}");
    }
}

/// A status from a target is never treated as ours: it gets no page, no `Proxy-Status` and no counter.
#[test]
fn counters_tell_the_origin_of_a_status() {
    let target = Target::http(|_| testkit::response(503, "", "the target's own"));
    let config = Config::to(&target).rule("path = \"/ours\"\nrespond = { status = 503, body = \"ours\" }");
    let pages = config.listener("error_pages = { 503 = \"sorry.html\" }");
    let balancer = Balancer::prepare(pages).file("sorry.html", "sorry").start();
    let mut client = Client::connect(balancer.web());
    let theirs = client.get("/");
    assert_eq!((theirs.text().as_str(), theirs.proxy_status()), ("the target's own", None));
    assert_eq!(client.get("/ours").text(), "ours");
    client.send("GET /../x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status(), 400);
    testkit::wait_until("all requests are logged", || balancer.log_lines().len() == 3);
    let count = |made_by, class| {
        let labels = [("made_by", made_by), ("class", class)];
        balancer.metric("evenkeel_listener_responses_total", &labels)
    };
    wait_until("each response is counted", || {
        (count("target", "5xx"), count("evenkeel", "5xx"), count("evenkeel", "4xx")) == (1.0, 1.0, 1.0)
    });
    let made: Vec<_> = balancer.log_lines().iter().map(|line| line["made_by"].clone()).collect();
    assert_eq!(made, ["target", "evenkeel", "evenkeel"]);
    assert_eq!(balancer.metric("evenkeel_listener_failures_total", &[]), 1.0);
}
