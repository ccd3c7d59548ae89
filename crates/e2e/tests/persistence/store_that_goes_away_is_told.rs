//! A store that goes away is told of once, in the log and in status, without its password; so is its return, which is
//! noticed though no request needs it.

use serde_json::Value;
use testkit::{Balancer, Client, Config, wait_until};

use crate::redis::Redis;
use crate::users::{three, write_key};

#[test]
fn store_that_goes_away_is_told() {
    let redis = Redis::start();
    let targets = three();
    let config = Config::to_all(&targets.each_ref())
        .group("persistence = { type = \"source_ip\", timeout = \"5m\", store = \"shared\" }")
        .text(&format!(
            "[session_store.shared]\ntype = \"redis\"\nurl = \"redis://default:s3cret@127.0.0.1:{}\"\nkey_file = \"store.key\"\n",
            redis.port()
        ));
    let prepared = Balancer::prepare(&config);
    write_key(&prepared.path("store.key"));
    let balancer = prepared.start();
    let ask = |user: u8| {
        assert_eq!(Client::connect_from([127, 0, 5, user], balancer.web()).get("/").status(), 200);
    };
    let status = || {
        let output = balancer.run(&["status"]);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    ask(1);
    let (code, page) = status();
    assert!(code == Some(0) && page.contains("\nSESSION STORE  TYPE   STATE "), "{page}");
    assert!(page.contains("\nshared         redis  serves "), "{page}");

    redis.stop();
    (2..=20).for_each(ask);
    let away =
        " error a session store is away store=shared type=redis error=\"it did not answer in time\" hint=";
    wait_until("it is told of", || balancer.stderr().contains(away));
    let (code, page) = status();
    let problem =
        "\nPROBLEMS\n  session store shared: it is away, and is tried again all the time: it did not answer";
    assert!(code == Some(1) && page.contains(problem) && page.contains("  redis  AWAY "), "{page}");
    let json: Value = serde_json::from_slice(&balancer.run(&["status", "--json"]).stdout).unwrap();
    let row = &json["session_stores"][0];
    assert!(row["type"] == "redis" && row["state"] == "away" && row["errors"].as_u64() >= Some(5), "{json}");
    let of = |state| [("store", "shared"), ("state", state)];
    assert!(balancer.metric("evenkeel_session_store_state", &of("away")) > 0.5);

    redis.go_on();
    let back = " info a session store serves again store=shared type=redis";
    wait_until("its return is told of", || balancer.stderr().contains(back));
    assert_eq!(status().0, Some(0));
    assert!(balancer.metric("evenkeel_session_store_state", &of("serves")) > 0.5);
    let log = balancer.stderr();
    assert_eq!((log.matches(away).count(), log.matches(back).count()), (1, 1), "{log}");
    assert!(!log.contains("s3cret"), "{log}");
}
