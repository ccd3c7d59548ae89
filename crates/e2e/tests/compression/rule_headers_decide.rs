//! Fields that a rule sets in the response decide like the target's own: a type, a coding, `no-transform`. A
//! validator set by a rule is not changed (HTTP5).

use testkit::{Balancer, Client, Config, Target};

use crate::{ask, page};

#[test]
fn rule_headers_decide() {
    for (content_type, set, expected) in [
        ("image/png", "Content-Type = \"text/html\"", Some("gzip")),
        ("text/html", "Content-Type = \"image/png\"", None),
        ("text/html", "Cache-Control = \"no-transform\"", None),
        ("text/html", "ETag = '\"mine\"'", None),
        ("text/html", "X-Other = \"1\"", Some("gzip")),
    ] {
        let target = Target::http(move |_| {
            testkit::response(200, &format!("Content-Type: {content_type}\r\n"), &page())
        });
        let rule = format!("path = \"/\"\nforward = \"app\"\nresponse_headers = {{ set = {{ {set} }} }}");
        let config = Config::to(&target).without_forward().listener("compression = \"on\"").rule(&rule);
        let balancer = Balancer::start(config);
        let response = ask(&mut Client::connect(balancer.web()), "Accept-Encoding: gzip\r\n");
        assert_eq!(response.field("content-encoding"), expected, "{content_type} {set}");
    }
}

/// A validator that is removed must not come back as a weak one.
#[test]
fn a_removed_validator_is_not_added_again() {
    for (fields, remove) in [("", "remove = [\"ETag\"]"), ("Connection: ETag\r\n", "remove = [\"X-Other\"]")]
    {
        let target = Target::http(move |_| crate::html(&format!("ETag: \"x\"\r\n{fields}")));
        let rule = format!("forward = \"app\"\nresponse_headers = {{ {remove} }}");
        let config = Config::to(&target).without_forward().listener("compression = \"on\"").rule(&rule);
        let balancer = Balancer::start(config);
        let response = ask(&mut Client::connect(balancer.web()), "Accept-Encoding: gzip\r\n");
        assert_eq!(response.field("content-encoding"), Some("gzip"));
        assert_eq!(response.field("etag"), None, "{fields}{remove}");
    }
}
