//! The target's own `Set-Cookie` lines, and the client's `Cookie`, pass byte for byte and in their order (SP8).

use testkit::{Balancer, Client, Config, Target, response};

const THEIRS: [&str; 3] = [
    "a=1; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT",
    "EKSESSIONX=\"x;y\"",
    "  c = odd ;;HttpOnly; SameSite=none",
];

#[test]
fn cookies_of_others_are_not_touched() {
    let target = Target::http(|_| {
        let lines: String = THEIRS.iter().map(|value| format!("set-COOKIE: {}\r\n", value.trim())).collect();
        response(200, &lines, "x")
    });
    let balancer = Balancer::start(Config::to(&target).group("persistence = { type = \"cookie\" }"));
    let mut client = Client::connect(balancer.web());
    client.send("GET / HTTP/1.1\r\nHost: a\r\ncookie:  b=2;a=1 ;; x\r\nCookie: second=1\r\n\r\n");
    let answer = client.response();
    let set = answer.all("set-cookie");
    assert_eq!(set[..3], THEIRS.map(str::trim));
    assert!(set.len() == 4 && set[3].starts_with("EKSESSION="));
    let head = String::from_utf8(target.request().raw_head).unwrap();
    assert!(head.contains("cookie:  b=2;a=1 ;; x\r\nCookie: second=1\r\n"), "{head}");
}
