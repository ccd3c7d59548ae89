//! Sessions that a store cannot change stay as they are, and all of them are counted.

use testkit::{Client, Config};

use crate::redis::Redis;
use crate::users::{node, three};

#[test]
fn sessions_stay_if_the_store_is_away() {
    let redis = Redis::start();
    let targets = three();
    let config = Config::to_all(&targets.each_ref())
        .group("persistence = { type = \"source_ip\", timeout = \"5m\", store = \"shared\" }")
        .text(&redis.store(""));
    let balancer = node(&config);
    for user in 1..=9 {
        assert_eq!(Client::connect_from([127, 0, 6, user], balancer.web()).get("/").status(), 200);
    }
    redis.stop();
    let output = balancer.run(&["sessions", "delete", "--group", "app"]);
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!((output.status.code(), &*out), (Some(1), "0 sessions deleted\n"), "{err}");
    assert!(err.contains("9 sessions not deleted"), "{err}");
    let told =
        " info sessions were changed by a command change=delete sessions=0 failed=9 filter=\"group app\"\n";
    assert!(balancer.stderr().contains(told), "{}", balancer.stderr());
}
