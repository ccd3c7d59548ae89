//! `request_headers` and `response_headers` set, add and remove fields.

use testkit::{Balancer, Config, Target, exchange, response};

const EDITS: &str = "{ set = { X-Set = \"new\", Host = \"inner.example\" }, add = { X-Add = \"two\" }, remove = [\"X-Gone\"] }";

#[test]
fn headers_are_edited() {
    let target =
        Target::http(|_| response(200, "X-Set: old\r\nX-Add: one\r\nx-gone: 1\r\nX-Stay: 1\r\n", ""));
    let response_edits = EDITS.replace(", Host = \"inner.example\"", "");
    let balancer = Balancer::start(Config::to(&target).rule(&format!(
        "host = \"a\"\nforward = \"app\"\nrequest_headers = {EDITS}\nresponse_headers = {response_edits}"
    )));
    let response = exchange(
        balancer.web(),
        "GET / HTTP/1.1\r\nhost: a\r\nx-set: 1\r\nX-Set: 2\r\nX-Add: one\r\nX-GONE: 1\r\nX-Stay: 1\r\n\r\n",
    );
    for message in [&target.request(), &response] {
        assert_eq!(message.all("x-set"), ["new"]);
        assert_eq!(message.all("x-add"), ["one", "two"]);
        assert_eq!(message.field("x-gone"), None);
        assert_eq!(message.field("x-stay"), Some("1"));
    }
    assert_eq!(target.request().all("host"), ["inner.example"]);
    assert_eq!(target.request().field("x-forwarded-host"), Some("a"));
}

/// CGI, WSGI and PHP read `True_Client_IP` like `True-Client-IP`. A field that a client may not send is removed
/// in both spellings.
#[test]
fn an_underscore_does_not_bypass_edits() {
    let target = Target::http(|_| response(200, "X_User: theirs\r\n", ""));
    let rule = "forward = \"app\"\n\
                request_headers = { set = { X-User = \"ours\", X_Zone = \"z\" }, remove = [\"True-Client-IP\"] }\n\
                response_headers = { remove = [\"X-User\"] }";
    let balancer = Balancer::start(Config::to(&target).without_forward().rule(rule));
    let answer = exchange(
        balancer.web(),
        "GET / HTTP/1.1\r\nHost: a\r\nTrue_Client_IP: 1\r\ntrue-client_ip: 2\r\nTrue-Client-IP: 3\r\n\
         X_User: them\r\nx-user: them\r\nX-Zone: them\r\nX_Other: 1\r\n\r\n",
    );
    let request = target.request();
    for removed in ["true_client_ip", "true-client_ip", "true-client-ip", "x_user", "x-zone"] {
        assert_eq!(request.field(removed), None, "{removed}");
    }
    assert_eq!((request.all("x-user"), request.all("x_zone")), (vec!["ours"], vec!["z"]));
    assert_eq!(request.field("x_other"), Some("1"));
    assert_eq!(answer.field("x_user"), Some("theirs"), "browsers tell the two apart");
}

/// A rule may also edit fields that we generate.
#[test]
fn date_is_edited_like_any_field() {
    let target = Target::http(|request| {
        let date = if request.start.contains("own") { "Date: theirs\r\n" } else { "" };
        response(200, date, "")
    });
    for (edits, expected) in [("remove = [\"Date\"]", vec![]), ("set = { date = \"then\" }", vec!["then"])] {
        let edited = |path: &str, action: &str| {
            format!("path = \"{path}\"\n{action}\nresponse_headers = {{ {edits} }}")
        };
        let balancer = Balancer::start(
            Config::to(&target)
                .rule(&edited("/ready", "respond = { status = 200 }"))
                .rule(&edited("/moved", "redirect = { to = \"/\" }"))
                .rule(&edited("/", "forward = \"app\"")),
        );
        for path in ["/ready", "/moved", "/none", "/own"] {
            let answer = exchange(balancer.web(), format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            assert_eq!(answer.all("date"), expected, "{edits} {path}");
        }
    }
}
