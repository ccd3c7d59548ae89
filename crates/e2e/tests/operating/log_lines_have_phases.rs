//! An access log line has the duration of each phase and the result (OP6).

use testkit::{Balancer, Client, Config, Target, get};

#[test]
fn log_lines_have_phases() {
    let target = Target::named("hello");
    let balancer = Balancer::start(Config::to(&target).rule("path = \"/ready\"\nrespond = { status = 204 }"));
    let mut client = Client::connect(balancer.web());
    client.send("POST /a?b=c HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: test \"1\"\r\nContent-Length: 4\r\n\r\nbody");
    client.response();
    client.get("/second");
    get(balancer.web(), "/ready");
    let line = balancer.log_line("request_target", "/a?b=c");
    for phase in ["total_us", "read_head_us", "connect_us", "respond_us", "relay_us"] {
        assert!(line[phase].is_u64(), "{phase}: {line}");
    }
    for (key, value) in [
        ("method", "POST"),
        ("host", "shop.example"),
        ("made_by", "target"),
        ("listener", "web"),
        ("group", "app"),
        ("client", "127.0.0.1"),
        ("version", "1.1"),
        ("user_agent", "test \"1\""),
    ] {
        assert_eq!(line[key], value, "{line}");
    }
    assert_eq!(line["target"], target.address().to_string());
    assert_eq!(line["request_id"].as_str(), target.requests()[0].field("x-request-id"));
    for (key, value) in [
        ("status", 200),
        ("request_body_bytes", 4),
        ("response_body_bytes", 5),
        ("attempts", 1),
        ("connection_request", 1),
    ] {
        assert_eq!(line[key], value, "{key}: {line}");
    }
    let second = balancer.log_line("request_target", "/second");
    assert_eq!((second["reused"].as_bool(), second["connection_request"].as_u64()), (Some(true), Some(2)));
    assert!(second["connect_us"].is_null());
    let ready = balancer.log_line("request_target", "/ready");
    assert_eq!((ready["made_by"].as_str(), ready["rule"].as_u64()), (Some("evenkeel"), Some(0)));
}
