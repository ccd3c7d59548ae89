//! The most specific entry decides, in whichever list it is; `default` applies to clients that match no entry
//! (HTTP8).

use testkit::{Balancer, Config, Target};

use crate::statuses;

#[test]
fn most_specific_entry_decides() {
    let target = Target::named("one");
    let config = |access: &str| Config::to(&target).listener(&format!("access = {{ {access} }}"));
    let nested = "deny = [\"127.0.0.0/28\", \"127.0.0.5\"], allow = [\"127.0.0.4/30\"]";
    let balancer = Balancer::start(config(nested));
    let web = balancer.web();
    for (access, expected) in [
        // If there is an `allow` list, clients that match no entry are denied.
        (nested, [403, 200, 403, 403]),
        (
            "deny = [\"127.0.0.0/28\", \"127.0.0.5\"], allow = [\"127.0.0.4/30\"], default = \"allow\"",
            [403, 200, 403, 200],
        ),
        ("deny = [\"127.0.0.5\"]", [200, 200, 403, 200]),
        ("allow = [\"127.0.0.5\"]", [403, 403, 200, 403]),
        ("allow = []", [403, 403, 403, 403]),
        ("default = \"deny\"", [403, 403, 403, 403]),
    ] {
        balancer.reload(config(access)).unwrap();
        assert_eq!(statuses([2, 4, 5, 16], web, "/"), expected, "{access}");
    }
}
