//! From a sender that is not listed, a PROXY header is a malformed request and is ignored (L47).

use testkit::{Balancer, Client, Config, Target, exchange, get};

use crate::{GET, V4, binary, config};

#[test]
fn header_of_an_unlisted_sender_is_refused() {
    for on in [true, false] {
        let target = Target::named("served");
        let balancer = Balancer::start(if on { config(&target) } else { Config::to(&target) });
        assert_eq!(get(balancer.web(), "/").status(), 200);
        for header in [b"PROXY TCP4 192.0.2.1 198.51.100.7 1 2\r\n".to_vec(), binary(1, 0x11, V4)] {
            let response = exchange(balancer.web(), [&header, GET].concat());
            assert_eq!((response.status(), response.reason().as_str()), (400, "request_malformed"));
        }
        assert_eq!(target.requests().len(), 1);
        assert_eq!(target.request().all("x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(balancer.metric("evenkeel_listener_proxy_headers_total", &[]), 0.0);
    }
}

#[test]
fn a_listener_may_clear_the_inherited_list() {
    let target = Target::named("served");
    let inherited = "[load_balancer.default]\nproxy_protocol = [\"127.0.0.0/8\"]";
    let due = Balancer::start(Config::to(&target).text(inherited));
    let mut client = Client::connect(due.web());
    client.send(GET);
    assert!(client.is_closed());
    let ordinary = Balancer::start(Config::to(&target).text(inherited).listener("proxy_protocol = []"));
    assert_eq!(get(ordinary.web(), "/").status(), 200);
}
