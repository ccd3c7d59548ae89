//! With `via`, requests and responses name us and the version in which they were received, and a request that
//! loops is refused (HTTP5, HTTP2).

use testkit::{
    Balancer, Config, Http2Client, Http2Target, Message, Target, exchange, get, ok, refused_address,
};

fn passed(request: &str, response: &'static str, via: &str) -> (Message, Message) {
    let target = Target::script(move |mut connection| {
        connection.request()?;
        connection.send(response)
    });
    let balancer = Balancer::start(Config::to(&target).listener(via));
    let response = exchange(balancer.web(), request);
    (target.request(), response)
}

#[test]
fn via_names_each_balancer() {
    let (request, response) = passed(
        "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 first\r\n\r\n",
        "HTTP/1.0 200 OK\r\nVia: 2 origin\r\nContent-Length: 0\r\n\r\n",
        "via = \"edge\"",
    );
    assert_eq!(request.all("via"), ["1.0 first", "1.1 edge"]);
    assert_eq!(response.all("via"), ["2 origin", "1.0 edge"]);
    let (request, response) =
        passed("GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "via = \"edge\"");
    assert_eq!((request.all("via"), response.all("via")), (vec!["1.0 edge"], vec!["1.1 edge"]));
    let (_, interim) = passed(
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "via = \"edge\"",
    );
    assert_eq!((interim.status(), interim.all("via")), (103, vec!["1.1 edge"]));
}

/// HTTP/2 has no minor version (RFC 9113 §1).
#[test]
fn messages_of_http2_say_so() {
    let target = Http2Target::http(|_| ok(""));
    let config = Config::to_addresses(&[target.address()]).group("protocol = \"h2c\"");
    let balancer = Balancer::start(config.listener("via = \"edge\""));
    let response = get(balancer.web(), "/");
    assert_eq!((target.requests()[0].all("via"), response.all("via")), (vec!["1.1 edge"], vec!["2 edge"]));
    let response = Http2Client::connect(balancer.web()).get("/");
    assert_eq!((target.requests()[1].all("via"), response.all("via")), (vec!["2 edge"], vec!["2 edge"]));
}

#[test]
fn via_is_not_written_by_default() {
    for keys in ["", "via = \"off\""] {
        let (request, response) = passed(
            "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 first, 1.1 off\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            keys,
        );
        assert_eq!((request.all("via"), response.field("via")), (vec!["1.0 first, 1.1 off"], None));
    }
}

#[test]
fn a_loop_is_broken() {
    let named = |name: &str, address| Config::to_addresses(&[address]).listener(&format!("via = \"{name}\""));
    let first =
        Balancer::start(named("first", refused_address()).rule("path = \"/x\"\nrespond = { status = 204 }"));
    let second = Balancer::start(named("second", first.web()));
    first.reload(named("first", second.web()).listener(&format!("bind = \"{}\"", first.web()))).unwrap();
    let response = get(first.web(), "/");
    assert_eq!((response.status(), response.reason().as_str()), (508, "request_loop"));
    assert_eq!(response.all("via"), ["1.1 second", "1.1 first"], "the response passed both balancers");
    let line = first.log_line("reason", "request_loop");
    assert_eq!((line["status"].as_u64(), line["attempts"].as_u64()), (Some(508), Some(0)));
    assert_eq!(second.metric("evenkeel_target_requests_total", &[]), 1.0, "the request looped once");
}
