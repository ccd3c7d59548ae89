//! The first response carries one cookie of ours, and later requests with it go to the same target. It is inserted
//! whatever the status, and passed on to the target unless `hide` takes it off (SP4, SP6).

use testkit::{Balancer, Config, Target, response};

use crate::users::{User, three};

const COOKIE: &str = "persistence = { type = \"cookie\" }";

#[test]
fn cookie_goes_to_one_target() {
    let targets = three();
    let balancer = Balancer::start(Config::to_all(&targets.each_ref()).group(COOKIE).top("workers = 2"));
    let mut used = std::collections::HashSet::new();
    for _ in 0..12 {
        let mut user = User::default();
        let first = user.get(balancer.web(), "/");
        let set = first.field("set-cookie").unwrap();
        assert!(set.starts_with("EKSESSION=") && set.ends_with("; Path=/; HttpOnly"), "{set}");
        for _ in 0..5 {
            let next = user.get(balancer.web(), "/");
            assert_eq!(next.text(), first.text());
            assert_eq!(next.field("set-cookie"), None, "a session without `ttl` is told once");
        }
        used.insert(first.text());
    }
    assert_eq!(used.len(), 3, "sessions begin at every target");
    let kept = [("listener", "web"), ("session", "kept")];
    assert_eq!(balancer.metric("evenkeel_listener_session_requests_total", &kept), 60.0);
    assert_eq!(balancer.log_line("session", "new")["status"], 200);
    let passed_on =
        targets.iter().flat_map(Target::requests).filter(|request| request.field("cookie").is_some());
    assert_eq!(passed_on.count(), 60, "targets get the cookie");
}

#[test]
fn every_status_begins_a_session() {
    for status in [200, 204, 302, 304, 404, 500] {
        let target = Target::http(move |_| match status {
            204 | 304 => format!("HTTP/1.1 {status} Because\r\n\r\n").into_bytes(),
            _ => response(status, "Location: /login\r\n", "x"),
        });
        let balancer = Balancer::start(Config::to(&target).group(COOKIE));
        let answer = User::default().get(balancer.web(), "/");
        assert_eq!((answer.status(), answer.all("set-cookie").len()), (status, 1));
    }
}

#[test]
fn a_ttl_slides_and_attributes_are_as_configured() {
    let target = Target::named("a");
    let config = Config::to(&target).group(
        "persistence = { type = \"cookie\", name = \"route\", ttl = \"1h\", path = \"/shop\", http_only = false, \
         secure = true, same_site = \"lax\", hide = true }",
    );
    let balancer = Balancer::start(config);
    let mut user = User::with("theirs", "1");
    for _ in 0..3 {
        let answer = user.get(balancer.web(), "/shop/");
        let set = answer.field("set-cookie").expect("every response renews the cookie");
        assert!(set.starts_with("route="), "{set}");
        assert!(set.ends_with("; Path=/shop; Max-Age=3600; Secure; SameSite=Lax"), "{set}");
    }
    let cookies: Vec<_> =
        target.requests().iter().map(|one| one.field("cookie").map(str::to_owned)).collect();
    assert_eq!(cookies, vec![Some("theirs=1".to_owned()); 3], "the target does not get ours");
}
