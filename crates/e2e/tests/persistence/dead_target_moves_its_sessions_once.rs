//! The sessions of a target that dies move once and then stay, also when it comes back (SP10).

use testkit::{Balancer, Client, Config, Target, ok};

use crate::users::{User, three, with_sessions};

#[test]
fn dead_target_moves_its_sessions_once() {
    for persistence in ["type = \"cookie\"", "type = \"source_ip\", timeout = \"5m\""] {
        let [a, b, c] = three();
        let config = Config::to_all(&[&a, &b, &c])
            .group(&format!("persistence = {{ {persistence} }}"))
            .top("workers = 2");
        let balancer = Balancer::start(config);
        let mut user = User::default();
        // The round robin begins anywhere.
        let first = user.get(balancer.web(), "/").text();
        let (mut alive, dead): (Vec<_>, Vec<_>) =
            [("a", a), ("b", b), ("c", c)].into_iter().partition(|(name, _)| *name != first);
        let address = dead.into_iter().next().unwrap().1.kill();
        let second = user.get(balancer.web(), "/");
        assert_eq!(second.status(), 200, "{persistence}: the move costs no request");
        assert_ne!(second.text(), first);
        alive.push(("again", Target::http_at(address, |_| ok("again"))));
        for _ in 0..6 {
            assert_eq!(user.get(balancer.web(), "/").text(), second.text(), "{persistence}");
        }
        let moved = [("listener", "web"), ("session", "moved")];
        assert_eq!(balancer.metric("evenkeel_listener_session_requests_total", &moved), 1.0);
        // The group goes on with all three.
        let mut client = Client::connect(balancer.web());
        assert_eq!(client.get("/").status(), 200);
    }
}

#[test]
fn a_rewritten_cookie_of_a_dead_target_has_one_new_home() {
    let targets = [with_sessions("a"), with_sessions("b"), with_sessions("c")];
    let config = Config::to_all(&targets.each_ref())
        .group("persistence = { type = \"cookie\", mode = \"rewrite\", name = \"SID\" }");
    let balancer = Balancer::start(config);
    let mut user = User::default();
    let home = user.get(balancer.web(), "/1").text();
    let mut targets = Vec::from(targets);
    let names = ["a", "b", "c"];
    targets.remove(names.iter().position(|name| *name == home).unwrap()).kill();
    // The application does not set its cookie again.
    let next = user.get(balancer.web(), "/").text();
    assert_ne!(next, home);
    assert!((0..6).all(|_| user.get(balancer.web(), "/").text() == next));
}

#[test]
fn a_lost_response_does_not_move_a_session() {
    let crashing = Target::script(|mut connection| {
        while let Ok(request) = connection.request() {
            if request.target() == "/crash" {
                return Ok(());
            }
            connection.send(ok("crashing"))?;
        }
        Ok(())
    });
    let other = Target::named("other");
    let both = Config::to_all(&[&crashing, &other]);
    let balancer = Balancer::start(both.clone().group("persistence = { type = \"cookie\" }"));
    let users =
        [User::default(), User::default()].map(|mut user| (user.get(balancer.web(), "/").text(), user));
    let (_, mut user) = users.into_iter().find(|(home, _)| home == "crashing").unwrap();
    user.get(balancer.web(), "/crash");
    assert_eq!(user.get(balancer.web(), "/").text(), "crashing");

    let by_address = "persistence = { type = \"source_ip\", timeout = \"5m\" }";
    let balancer = Balancer::start(both.group(by_address));
    let get = |user, path| Client::connect_from([127, 0, 6, user], balancer.web()).get(path).text();
    let user = (1..=2).find(|user| get(*user, "/") == "crashing").unwrap();
    get(user, "/crash");
    assert_eq!(get(user, "/"), "crashing");
}
