//! A configuration that is invalid, or cannot be applied, changes nothing and is reported with its reason
//! (OP3).

use testkit::{Balancer, Client, Config, Target};

#[test]
fn bad_config_changes_nothing() {
    let target = Target::named("one");
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    let other = Target::named("another program");
    let taken = other.address();
    for (config, why) in [
        (Config::to(&target).listener("keepalive_timeoutt = \"1s\""), "keepalive_timeoutt"),
        (Config::to(&target).listener("keepalive_timeout = \"75x\""), "75x"),
        (Config::to(&target).listener("forward = \"nowhere\""), "nowhere"),
        (Config::to(&target).listener("access_log = { path = \"no/such/directory/a.log\" }"), "no such"),
        (
            Config::to(&target).text(&format!("[listener.b]\nbind = \"{taken}\"\nforward = \"app\"\n")),
            "another program listens",
        ),
        (Config::to(&target).text("[listener"), "evenkeel.toml:"),
    ] {
        let (status, body) = balancer.reload(config).unwrap_err();
        assert!(status == 422 && body.to_lowercase().contains(why), "{why}: {status} {body}");
        assert_eq!(client.get("/").text(), "one");
    }
    let status = balancer.status();
    assert_eq!(
        (status["generation"].as_u64(), status["last_reload"]["ok"].as_bool()),
        (Some(1), Some(false))
    );
    assert_eq!(balancer.metric("evenkeel_config_last_reload_successful", &[]), 0.0);
    balancer.reload(Config::to(&target)).unwrap();
    assert_eq!(balancer.metric("evenkeel_config_last_reload_successful", &[]), 1.0);
}
