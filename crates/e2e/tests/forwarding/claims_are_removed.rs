//! Fields from which targets learn where a request came from, or what it asked for, are removed unless a
//! trusted proxy sent them (HTTP5).

use testkit::{Balancer, Config, Target, exchange};

const CLAIMS: [&str; 12] = [
    "X-Real-IP",
    "x_real_ip",
    "X-Forwarded-User",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "X-Forwarded-Scheme",
    "X-Forwarded-Prefix",
    "X_Forwarded_Prefix",
    "X-Forwarded-Client-Cert",
    "x_forwarded_client_cert",
    "X-Original-URL",
    "X-Rewrite-Url",
];

fn seen(config: impl Fn(Config) -> Config) -> Vec<String> {
    let target = Target::named("served");
    let balancer = Balancer::start(config(Config::to(&target)));
    let claims: String = CLAIMS.iter().map(|name| format!("{name}: claimed\r\n")).collect();
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{claims}True-Client-IP: claimed\r\n\r\n");
    assert_eq!(exchange(balancer.web(), request).status(), 200);
    let claimed = target.request().fields.into_iter().filter(|(_, value)| value == "claimed");
    claimed.map(|(name, _)| name).collect()
}

#[test]
fn claims_are_removed() {
    for keys in ["x_forwarded = true", "x_forwarded = false"] {
        // There is no complete list of such fields; a rule can remove others that a target trusts.
        assert_eq!(seen(|config| config.listener(keys)), ["True-Client-IP"]);
    }
}

#[test]
fn claims_of_a_trusted_proxy_are_kept() {
    let kept = seen(|config| config.listener("trusted_proxies = [\"127.0.0.1\"]"));
    let expected = CLAIMS.into_iter().filter(|name| !name.contains('_')).chain(["True-Client-IP"]);
    assert_eq!(kept, expected.collect::<Vec<_>>(), "all except the aliases with `_`");
}

#[test]
fn a_rule_may_set_claims() {
    let rule = "path = \"/\"\nforward = \"app\"\nrequest_headers = { set = { X-Forwarded-Prefix = \"/app\" }, \
                remove = [\"True-Client-IP\"] }";
    let target = Target::named("served");
    let balancer = Balancer::start(Config::to(&target).rule(rule));
    exchange(
        balancer.web(),
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Prefix: /evil\r\nTrue-Client-IP: 6.6.6.6\r\n\r\n",
    );
    assert_eq!(target.request().all("x-forwarded-prefix"), ["/app"]);
    assert_eq!(target.request().field("true-client-ip"), None);
}
