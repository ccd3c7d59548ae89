//! An empty element of a list is ignored (RFC 9110 §5.6.1.2), and not passed on in a list that we extend.

use testkit::{Balancer, Config, Target, exchange};

#[test]
fn empty_list_elements_say_nothing() {
    let target = Target::named("known");
    let config = Config::to(&target).listener(
        "trusted_proxies = [\"127.0.0.1\"]\naccess = { allow = [\"127.0.0.1\", \"203.0.113.0/24\"] }",
    );
    let balancer = Balancer::start(config);
    for (value, passed_on) in [
        ("203.0.113.7", "203.0.113.7, 127.0.0.1"),
        (",203.0.113.7", "203.0.113.7, 127.0.0.1"),
        ("203.0.113.7,", "203.0.113.7, 127.0.0.1"),
        ("203.0.113.7, , 127.0.0.1", "203.0.113.7, 127.0.0.1, 127.0.0.1"),
        ("", "127.0.0.1"),
        (" , ", "127.0.0.1"),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {value}\r\n\r\n");
        assert_eq!(exchange(balancer.web(), request).text(), "known", "{value:?}");
        assert_eq!(target.requests().last().unwrap().all("x-forwarded-for"), [passed_on], "{value:?}");
    }
    // An element that is no address still leaves the client unknown.
    let request = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: unknown,\r\n\r\n";
    assert_eq!(exchange(balancer.web(), request).reason(), "access_denied");
}
