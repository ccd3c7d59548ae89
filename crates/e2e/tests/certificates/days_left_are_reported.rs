//! How long certificates are still valid: a command with an exit code for scripts, JSON, and metrics.

use testkit::{Authority, Balancer, Config, Target, unix_seconds};

#[test]
fn days_left_are_reported() {
    let authority = Authority::new("CA");
    let target = Target::named("one");
    let config = Config::to(&target).https(&["site.pem"]);
    let long = authority.leaf(&["site.example"]).valid(-1, 90).issue();
    let balancer = Balancer::prepare(config).file("site.pem", &long.pem()).start();
    let run = balancer.run(&["certificates"]);
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && text.contains("site.example") && text.contains("CN=CA"), "{text}");

    let end = balancer.metric("evenkeel_certificate_not_after_seconds", &[("subject", "CN=site.example")]);
    let days = (end - unix_seconds() as f64) / 86_400.0;
    assert!((89.0..=90.0).contains(&days), "{days}");

    let short = authority.leaf(&["site.example"]).valid(-80, 10).issue();
    balancer.write("site.pem", &short.pem());
    let run = balancer.run(&["certificates", "reload"]);
    assert!(run.status.success() && String::from_utf8_lossy(&run.stdout).contains("site.pem"), "{run:?}");
    let run = balancer.run(&["certificates", "--json"]);
    assert_eq!(run.status.code(), Some(1));
    let line: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert!(
        [9, 10].contains(&line["days_left"].as_i64().unwrap()) && line["names"][0] == "site.example",
        "{line}"
    );
    assert_eq!(line["fingerprint"].as_str().unwrap().replace(':', "").to_lowercase(), short.fingerprint());
    let run = balancer.run(&["certificates", "reload"]);
    assert!(
        run.status.success() && String::from_utf8_lossy(&run.stdout).contains("nothing changed"),
        "{run:?}"
    );
}
