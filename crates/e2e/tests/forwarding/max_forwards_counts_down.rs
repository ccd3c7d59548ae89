//! `Max-Forwards` limits how often an OPTIONS or TRACE request is forwarded; at 0 it is answered here (RFC 9110 §7.6.2).

use testkit::{Balancer, Config, Target, exchange};

#[test]
fn max_forwards_counts_down() {
    let target = Target::named("target");
    let last = Balancer::start(Config::to(&target));
    let first = Balancer::start(Config::to_addresses(&[last.web()]).listener("via = \"edge\""));
    let ask = |method: &str, left: u32| {
        let text =
            format!("{method} /x HTTP/1.1\r\nHost: a\r\nCookie: secret\r\nMax-Forwards: {left}\r\n\r\n");
        exchange(first.web(), text)
    };
    let response = ask("OPTIONS", 2);
    assert_eq!((response.text().as_str(), target.request().field("max-forwards")), ("target", Some("0")));
    let (here, there) = (ask("OPTIONS", 0), ask("OPTIONS", 1));
    assert_eq!((here.status(), there.status()), (200, 200));
    assert_eq!((here.all("via").len(), there.all("via")), (0, vec!["1.1 edge"]));
    assert!(here.field("allow").is_some_and(|allow| allow.contains("OPTIONS")), "{here:?}");
    let trace = ask("TRACE", 1);
    assert_eq!(trace.field("content-type"), Some("message/http"));
    assert_eq!(trace.text(), "TRACE /x HTTP/1.1\r\nHost: a\r\nVia: 1.1 edge\r\nMax-Forwards: 0\r\n\r\n");
    assert_eq!(target.requests().len(), 1);
}
