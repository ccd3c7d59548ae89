//! With `mode = "learn"` the values of the target's own cookie are remembered. Nothing in requests and responses changes, and
//! what clients make up is not remembered (SP7).

use testkit::{Balancer, Client, Config, Target, ok, response};

use crate::users::{User, with_sessions};

const LEARN: &str = "persistence = { type = \"cookie\", mode = \"learn\", name = \"SID\" }";

#[test]
fn cookie_of_the_target_is_remembered() {
    let targets = [with_sessions("a"), with_sessions("b"), with_sessions("c")];
    let balancer = Balancer::start(Config::to_all(&targets.each_ref()).group(LEARN).top("workers = 2"));
    for number in 0..9 {
        let mut user = User::default();
        let first = user.get(balancer.web(), &format!("/{number}"));
        assert_eq!(user.value("SID"), Some(&*format!("{}{number}", first.text())));
        for _ in 0..4 {
            assert_eq!(user.get(balancer.web(), "/").text(), first.text());
        }
    }
}

#[test]
fn a_value_that_no_target_has_set_means_nothing() {
    let targets = [Target::named("a"), Target::named("b")];
    let balancer = Balancer::start(Config::to_all(&targets.each_ref()).group(LEARN));
    let mut client = Client::connect(balancer.web());
    let mut ask = || {
        client.send("GET / HTTP/1.1\r\nHost: a\r\nCookie: SID=made-up\r\n\r\n");
        client.response().text()
    };
    let first = ask();
    assert!((0..4).all(|_| ask() == first), "a hash of it chooses, so that it is the same everywhere");
    assert_eq!(balancer.metric("evenkeel_sessions", &[("store", "process")]), 0.0, "nothing is remembered");
}

#[test]
fn a_cookie_that_the_target_deletes_is_forgotten() {
    let target = |name: &'static str| {
        Target::http(move |request| match request.target() {
            "/login" => response(200, "Set-Cookie: SID=1\r\n", name),
            "/logout" => {
                response(200, "Set-Cookie: SID=; Max-Age=0\r\nSet-Cookie: SID=x; Max-Age=0\r\n", name)
            }
            _ => ok(name),
        })
    };
    let targets = [target("a"), target("b")];
    let balancer = Balancer::start(Config::to_all(&targets.each_ref()).group(LEARN));
    let mut user = User::default();
    let name = user.get(balancer.web(), "/login").text();
    assert!((0..4).all(|_| user.get(balancer.web(), "/").text() == name));
    User::with("SID", "1").get(balancer.web(), "/logout");
    let sessions = balancer.metric("evenkeel_sessions", &[("store", "process")]);
    assert_eq!(sessions, 0.0, "the session is over");
}
