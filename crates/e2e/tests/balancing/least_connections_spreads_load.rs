//! Least connections: a busy target gets no request while another is idle (BAL1).

use testkit::{Balancer, Client, Config, Target, ok, wait_until};

#[test]
fn least_connections_spreads_load() {
    let slow = Target::http(|request| if request.target() == "/slow" { Vec::new() } else { ok("slow") });
    let quick = Target::http(|request| if request.target() == "/slow" { Vec::new() } else { ok("quick") });
    let targets = [&slow, &quick];
    let balancer = Balancer::start(Config::to_all(&targets).group("algorithm = \"least_connections\""));
    let mut held: Vec<_> = (0..2).map(|_| Client::connect(balancer.web())).collect();
    for (count, client) in held.iter_mut().enumerate() {
        client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
        wait_until("the target holds the request", || {
            slow.requests().len() + quick.requests().len() == count + 1
        });
    }
    assert_eq!(targets.map(|target| target.requests().len()), [1, 1], "one each");
    held.pop().unwrap().reset();
    let freed = || balancer.targets().iter().filter(|one| one["in_flight"] == 0).count() == 1;
    wait_until("the target of the aborted request is idle", freed);
    let mut client = Client::connect(balancer.web());
    let texts: Vec<_> = (0..6).map(|_| client.get("/").text()).collect();
    assert!(texts.windows(2).all(|pair| pair[0] == pair[1]), "always the idle target: {texts:?}");
}
