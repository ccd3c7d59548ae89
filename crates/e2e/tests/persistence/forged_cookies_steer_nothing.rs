//! A cookie that is forged, truncated, of another name, expired or one of several is as if it were absent: a new target and
//! a new cookie, and never a 5xx (SP5).

use testkit::{Balancer, Client, Config};

use crate::users::{User, three};

#[test]
fn forged_cookies_steer_nothing() {
    let targets = three();
    let config = Config::to_all(&targets.each_ref()).group("persistence = { type = \"cookie\" }");
    let balancer = Balancer::start(config);
    let mut user = User::default();
    user.get(balancer.web(), "/");
    let good = user.value("EKSESSION").unwrap().to_owned();
    let mut client = Client::connect(balancer.web());
    let mut ask = |cookies: &str| {
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookies}\r\n\r\n"));
        let answer = client.response();
        (answer.status(), answer.field("set-cookie").is_some())
    };
    assert_eq!(ask(&format!("EKSESSION={good}")), (200, false), "the good one");
    let mut bad = vec![
        String::new(),
        "x".to_owned(),
        good[1..].to_owned(),
        format!("{good}A"),
        format!("\"{good}\""),
        "A".repeat(8_192),
        format!("{good}; EKSESSION={good}"),
    ];
    for at in 0..good.len() {
        let other = if &good[at..=at] == "A" { "B" } else { "A" };
        bad.push(format!("{}{other}{}", &good[..at], &good[at + 1..]));
    }
    for value in &bad {
        assert_eq!(ask(&format!("EKSESSION={value}")), (200, true), "{value}");
    }
    assert_eq!(ask(&format!("OTHER={good}")), (200, true), "another name");
    let refused = |reason| {
        balancer.metric(
            "evenkeel_listener_session_cookies_refused_total",
            &[("listener", "web"), ("reason", reason)],
        )
    };
    assert_eq!(refused("several"), 1.0);
    assert_eq!(refused("malformed") + refused("forged"), (bad.len() - 1) as f64);
}

/// Any host of a domain can set a cookie for the whole domain, and browsers send both.
#[test]
fn a_cookie_that_another_host_sets_does_not_end_a_session() {
    let targets = three();
    let config = Config::to_all(&targets.each_ref()).group("persistence = { type = \"cookie\" }");
    let balancer = Balancer::start(config);
    let mut user = User::default();
    let home = user.get(balancer.web(), "/").text();
    let good = user.value("EKSESSION").unwrap().to_owned();
    let forged = format!("A{}", &good[1..].chars().rev().collect::<String>());
    let mut client = Client::connect(balancer.web());
    for cookies in [
        format!("EKSESSION=tossed; EKSESSION={good}"),
        format!("EKSESSION={good}; EKSESSION=tossed"),
        format!("EKSESSION={forged}; a=b; EKSESSION=; EKSESSION={good}"),
    ] {
        for _ in 0..3 {
            client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookies}\r\n\r\n"));
            let answer = client.response();
            assert_eq!((answer.text(), answer.field("set-cookie")), (home.clone(), None), "{cookies}");
        }
    }
}

#[test]
fn a_cookie_of_another_tenant_is_not_understood() {
    let [a, b, c] = three();
    let tenants = Config::to_all(&[&a, &b])
        .group("persistence = { type = \"cookie\", name = \"S\" }")
        .rule("host = \"other.example\"\nforward = \"other\"")
        .text(&format!(
            "[target_group.other]\ntargets = [\"{}\"]\npersistence = {{ type = \"cookie\", name = \"S\" }}\n",
            c.address()
        ));
    let balancer = Balancer::start(tenants);
    let mut user = User::default();
    user.get(balancer.web(), "/");
    let mut client = Client::connect(balancer.web());
    let cookie = user.value("S").unwrap();
    client.send(format!("GET / HTTP/1.1\r\nHost: other.example\r\nCookie: S={cookie}\r\n\r\n"));
    let answer = client.response();
    assert_eq!((answer.text().as_str(), answer.field("set-cookie").is_some()), ("c", true));
    let foreign = [("listener", "web"), ("reason", "forged")];
    assert_eq!(balancer.metric("evenkeel_listener_session_cookies_refused_total", &foreign), 1.0);
}
