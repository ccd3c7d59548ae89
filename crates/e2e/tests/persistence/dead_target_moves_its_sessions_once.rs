//! The sessions of a target that dies move once and then stay, also when it comes back (SP10).

use testkit::{Balancer, Client, Config, Target, ok};

use crate::users::{User, three};

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
