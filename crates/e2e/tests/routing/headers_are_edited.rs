//! `request_headers` and `response_headers` set, add and remove.

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
