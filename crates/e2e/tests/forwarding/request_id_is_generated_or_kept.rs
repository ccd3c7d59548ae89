//! Every request has an id. The id of a trusted proxy is kept if it is safe in a log.

use testkit::{Balancer, Config, Target, exchange};

#[test]
fn request_id_is_generated_or_kept() {
    for (trusted, sent, kept) in
        [(false, "abc", false), (true, "abc-1", true), (true, "a b", false), (true, "", false)]
    {
        let target = Target::named("one");
        let trust = if trusted { "trusted_proxies = [\"127.0.0.1\"]" } else { "" };
        let balancer = Balancer::start(Config::to(&target).listener(trust));
        exchange(balancer.web(), format!("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: {sent}\r\n\r\n"));
        let request = target.request();
        let [id] = request.all("x-request-id")[..] else { panic!("{request:?}") };
        assert_eq!(id == sent, kept, "{sent:?} {id:?}");
        assert!(kept || (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())), "{id}");
        assert_eq!(balancer.log_line("status", 200)["request_id"], id);
    }
}
