//! A target with weight 0 gets no new sessions and keeps the ones that it has (SP10).

use testkit::{Balancer, Config};

use crate::users::{User, three};

#[test]
fn drained_target_keeps_its_sessions() {
    let [a, b, c] = three();
    let cookie = "persistence = { type = \"cookie\" }";
    let balancer = Balancer::start(Config::to_all(&[&a, &b, &c]).group(cookie));
    let mut users: Vec<_> = (0..6).map(|_| User::default()).collect();
    let homes: Vec<_> = users.iter_mut().map(|user| user.get(balancer.web(), "/").text()).collect();
    balancer.reload(Config::weighted(&[(&a, 0), (&b, 1), (&c, 1)]).group(cookie)).unwrap();
    for (user, home) in users.iter_mut().zip(&homes) {
        assert_eq!(user.get(balancer.web(), "/").text(), *home);
    }
    for _ in 0..6 {
        assert_ne!(User::default().get(balancer.web(), "/").text(), "a");
    }
    balancer.reload(Config::to_all(&[&b, &c]).group(cookie)).unwrap();
    for (user, home) in users.iter_mut().zip(&homes) {
        let now = user.get(balancer.web(), "/").text();
        assert!(if home == "a" { now != "a" } else { now == *home }, "only sessions of `a` have moved");
    }
}
