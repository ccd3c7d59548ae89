//! When descriptors run out, new clients are refused, those that are there are served, and it recovers (OP9).

use testkit::{Balancer, Client, Config, Target, get, wait_until};

#[test]
fn descriptors_run_out() {
    let target = Target::named("served");
    let balancer = Balancer::prepare(Config::to(&target)).open_files(200).start();
    let web = balancer.web();
    let mut early = Client::connect(web);
    assert_eq!(early.get("/").text(), "served");
    let crowd: Vec<_> = (0..300).map(|_| Client::connect(web)).collect();
    wait_until("some are refused", || {
        balancer.metric("evenkeel_worker_connections_refused_total", &[]) > 0.0
    });
    for _ in 0..5 {
        assert_eq!(early.get("/").text(), "served", "who is there is served");
    }
    let mut late = Client::connect(web);
    assert!(late.is_closed(), "who comes is refused");
    drop(crowd);
    wait_until("it recovers", || {
        let mut client = Client::connect(web);
        let _ = client.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.try_response().is_ok_and(|response| response.status() == 200)
    });
    assert_eq!(get(web, "/").text(), "served");
    assert_eq!(early.get("/").text(), "served");
}
