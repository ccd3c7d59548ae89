//! Load balancer, listener and rule each refuse the clients they deny, whatever the other two allow (HTTP8).

use testkit::{Balancer, Config, Target};

use crate::{statuses, visit};

#[test]
fn every_level_must_allow() {
    let target = Target::named("one");
    let balancer = Balancer::start(
        Config::to(&target)
            .text("[load_balancer.default]\naccess = { deny = [\"127.0.0.2\"] }")
            .listener("access = { allow = [\"127.0.0.0/8\"], deny = [\"127.0.0.3\"] }")
            .rule("path = \"/open\"\nforward = \"app\"\naccess = { allow = [\"127.0.0.2\", \"127.0.0.3\", \"127.0.0.5\"] }")
            .rule("path = \"/moved\"\nredirect = { to = \"/\" }\naccess = { deny = [\"127.0.0.4\"] }")
            .rule("path = \"/moved\"\nheader = { X-Never = \"*\" }\nredirect = { to = \"/\" }"),
    );
    let web = balancer.web();
    assert_eq!(statuses([2, 3, 4, 5], web, "/"), [403, 403, 200, 200]);
    assert_eq!(statuses([2, 3, 4, 5], web, "/open"), [403, 403, 403, 200]);
    assert_eq!(statuses([2, 3, 4, 5], web, "/moved"), [403, 403, 403, 302], "redirects as well");
    assert_eq!(target.connections(), 1, "a denied request reaches no target");
    for (last, path, detail) in [
        (2, "/lb", "by the load balancer"),
        (3, "/listener", "by the listener"),
        (4, "/moved/x", "by the rule"),
    ] {
        let denied = visit([127, 0, 0, last], web, path);
        let reason = ("http_request_denied".to_owned(), "access_denied".to_owned());
        assert_eq!((denied.status(), denied.proxy_status()), (403, Some(reason)));
        let line = balancer.log_line("request_target", path);
        assert_eq!(line["detail"], detail, "{line}");
    }
}
