//! With `mode = "rewrite"` the target's cookie carries the route. The target gets its own value back, and nothing else in the
//! response changes (SP7).

use testkit::{Balancer, Config};

use crate::users::{User, with_sessions};

#[test]
fn cookie_of_the_target_carries_the_route() {
    let targets = [with_sessions("a"), with_sessions("b"), with_sessions("c")];
    let rewrite = "persistence = { type = \"cookie\", mode = \"rewrite\", name = \"SID\" }";
    let balancer = Balancer::start(Config::to_all(&targets.each_ref()).group(rewrite).top("workers = 2"));
    for number in 0..9 {
        let mut user = User::default();
        let first = user.get(balancer.web(), &format!("/{number}"));
        let name = first.text();
        let set = first.field("set-cookie").unwrap();
        assert!(
            set.starts_with(&format!("SID={name}{number}~")) && set.ends_with("; Path=/; HttpOnly"),
            "{set}"
        );
        assert_eq!(first.all("set-cookie").len(), 1);
        for _ in 0..4 {
            assert_eq!(user.get(balancer.web(), "/").text(), name);
        }
        let target = targets
            .iter()
            .find(|target| target.requests().iter().any(|request| request.target() == format!("/{number}")));
        let of_user = |cookie: &&str| cookie.contains(&format!("{name}{number}"));
        if let Some(target) = target {
            let requests = target.requests();
            let cookies: Vec<_> =
                requests.iter().filter_map(|one| one.field("cookie")).filter(of_user).collect();
            assert_eq!(cookies, vec![format!("SID={name}{number}"); 4], "the target gets its own value");
        }
    }
}
