//! What a rule sets or removes cannot be said again in a trailer: some receivers merge trailers into the head.

use testkit::{Balancer, Config, Http2Client, Target, exchange, ok};

const RULE: &str = "forward = \"app\"\n\
    request_headers = { set = { X-Tenant = \"shop\" }, remove = [\"True-Client-IP\"] }\n\
    response_headers = { set = { X-Frame-Options = \"DENY\" }, remove = [\"X-Powered-By\"] }";

/// Fields that do not pass in a request, and one that does.
const SENT: [(&str, &str); 7] = [
    ("x-tenant", "evil"),
    ("x_tenant", "evil"),
    ("true-client-ip", "6.6.6.6"),
    ("true_client_ip", "6.6.6.6"),
    ("x-forwarded-for", "6.6.6.6"),
    ("x_real_ip", "6.6.6.6"),
    ("x-sum", "1"),
];

fn edited(target: &Target) -> Balancer {
    Balancer::start(Config::to(target).without_forward().rule(RULE))
}

fn last_trailers(target: &Target) -> Vec<String> {
    target.requests().last().unwrap().trailers.clone()
}

#[test]
fn a_request_keeps_other_trailers_only() {
    let target = Target::http(|_| ok("done"));
    let balancer = edited(&target);
    for (name, value) in SENT {
        exchange(
            balancer.web(),
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                 2\r\nhi\r\n0\r\n{name}: {value}\r\n\r\n"
            ),
        );
        let expected = if name == "x-sum" { vec!["x-sum: 1"] } else { vec![] };
        assert_eq!(last_trailers(&target), expected, "{name}");
    }
    let mut client = Http2Client::connect(balancer.web());
    let mut stream = client.request("POST", "/", &[]);
    stream.send("hi").unwrap();
    stream.end_with_trailers(&SENT).unwrap();
    assert_eq!(stream.response().text(), "done");
    assert_eq!(last_trailers(&target), ["x-sum: 1"], "HTTP/2");
}

#[test]
fn a_response_keeps_other_trailers_only() {
    let target = Target::http(|_| {
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Powered-By: PHP\r\n\
          x_powered_by: PHP\r\nX-Frame-Options: ALLOW\r\nX-Sum: 1\r\n\r\n"
            .to_vec()
    });
    let balancer = edited(&target);
    let response = exchange(balancer.web(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        (response.text().as_str(), response.trailers.as_slice()),
        ("hi", &["X-Sum: 1".to_owned()][..])
    );
    let response = Http2Client::connect(balancer.web()).get("/");
    assert_eq!(response.trailers, ["x-sum: 1"], "HTTP/2");
}

/// `Connection` names fields of this hop, of the trailers too (RFC 9110 §7.6.1).
#[test]
fn names_that_connection_lists_do_not_trail() {
    let target = Target::http(|_| ok("done"));
    let balancer = Balancer::start(Config::to(&target));
    for (option, expected) in [("X-Sum, keep-alive", vec![]), ("keep-alive", vec!["X-Sum: 1"])] {
        exchange(
            balancer.web(),
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nConnection: {option}\r\nTransfer-Encoding: chunked\r\n\r\n\
                 2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n"
            ),
        );
        assert_eq!(last_trailers(&target), expected, "{option}");
    }
}
