//! A path with an encoded slash is passed unchanged if the same rule decides however the target reads it, whatever
//! other rules there are; `encoded_slash = "refuse"` refuses every such path.

use testkit::{Balancer, Config, Target, exchange};

const PATHS: [&str; 3] =
    ["/api/v4/projects/group%2Fproject", "/@scope%2fname", "/cool/https%3A%2F%2Fhost%2Fwopi/ws"];

const OTHER_RULES: [&str; 6] = [
    "path = \"= /healthz\"\nforward = \"app\"",
    "path = \"/some/long/prefix/\"\nrespond = { status = 403 }",
    "path = '~ \\.php$'\nrespond = { status = 403 }",
    "host = \"other.example\"\npath = \"= /api/v4/projects/group/project\"\nrespond = { status = 403 }",
    "host = \"other.example\"\npath = \"~ /name$\"\nrespond = { status = 403 }",
    "path = \"/api/v4/projects/group/\"\nforward = \"app\"",
];

fn status(balancer: &Balancer, path: &str) -> u16 {
    exchange(balancer.web(), format!("GET {path} HTTP/1.1\r\nHost: git.example\r\n\r\n")).status()
}

#[test]
fn encoded_slashes_are_passed() {
    for rule in OTHER_RULES {
        let target = Target::named("served");
        let balancer = Balancer::start(Config::to(&target).rule(rule));
        for path in PATHS {
            assert_eq!(status(&balancer, path), 200, "{path} with {rule}");
            assert_eq!(target.requests().last().unwrap().target(), path);
        }
    }
}

#[test]
fn a_rule_for_the_decoded_path_refuses_the_encoded_one() {
    let target = Target::named("served");
    let rule =
        "host = \"git.example\"\npath = \"= /api/v4/projects/group/project\"\nrespond = { status = 403 }";
    let balancer = Balancer::start(Config::to(&target).rule(rule));
    assert_eq!(PATHS.map(|path| status(&balancer, path)), [400, 200, 200]);
    assert_eq!(target.connections(), 1);
}

#[test]
fn a_listener_may_refuse_all_of_them() {
    let target = Target::named("served");
    let config = Config::to(&target).listener("paths = { encoded_slash = \"refuse\" }");
    let balancer = Balancer::start(config);
    for path in PATHS.into_iter().chain(["/a%5Cb", "/a%00", "/a\\b"]) {
        assert_eq!(status(&balancer, path), 400, "{path}");
    }
    assert_eq!(status(&balancer, "/a%20b"), 200);
}
