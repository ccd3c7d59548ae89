//! A target fails its probes with a GOAWAY that holds a long text. Log and `targets` say what happened in words of ours.

use testkit::{Balancer, Config, Http2Frame, Target};

const CHECK: &str = "health_check = { type = \"http\", interval = \"100ms\", healthy = 1, unhealthy = 1 }";

#[test]
fn words_of_targets_stay_out_of_the_log() {
    let mut goaway = Http2Frame::goaway(0, 11);
    goaway.payload.extend(b"word ".repeat(2800));
    let answer = [Http2Frame::settings(&[]).bytes(), goaway.bytes()].concat();
    let target = Target::script(move |mut connection| {
        connection.send(&answer)?;
        connection.stall()
    });
    let balancer = Balancer::start(Config::to(&target).group("protocol = \"h2c\"").group(CHECK));
    balancer.wait_for_health(target.address(), "unhealthy");
    let run = balancer.run(&["targets"]);
    for text in [balancer.stderr(), String::from_utf8_lossy(&run.stdout).into_owned()] {
        assert!(text.contains("the target ended the connection: ENHANCE_YOUR_CALM"), "{text}");
        assert!(!text.contains("word"), "{text}");
    }
}
