//! If descriptors run out, idle connections are evicted, active ones are served, new ones beyond the limit are
//! refused and counted, and the balancer recovers (OP9, KA10).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use testkit::{Balancer, Client, Config, Target, get, ok, wait_until};

#[test]
fn descriptors_run_out() {
    let may_answer = Arc::new(AtomicBool::new(false));
    let target = Target::http({
        let may_answer = Arc::clone(&may_answer);
        move |request| {
            if request.target() == "/held" {
                wait_until("a response is allowed", || may_answer.load(Ordering::SeqCst));
            }
            ok("served")
        }
    });
    let balancer = Balancer::prepare(Config::to(&target)).open_files(200).start();
    let web = balancer.web();
    let mut idle = Client::connect(web);
    assert_eq!(idle.get("/").text(), "served");
    let mut busy = Client::connect(web);
    busy.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    let crowd: Vec<_> = (0..300).map(|_| Client::connect(web)).collect();
    wait_until("some connections are refused", || {
        let labels = [("reason", "descriptors")];
        balancer.metric("evenkeel_listener_connections_refused_total", &labels) > 0.0
    });
    assert!(idle.is_closed(), "the idle connection was evicted first");
    may_answer.store(true, Ordering::SeqCst);
    assert_eq!(busy.response().text(), "served");
    for _ in 0..5 {
        assert_eq!(busy.get("/").text(), "served", "an open connection is served");
    }
    wait_until("a silent connection is evicted for a new one", || {
        let mut client = Client::connect(web);
        let _ = client.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.try_response().is_ok_and(|response| response.status() == 200)
    });
    drop(crowd);
    wait_until("the balancer recovers", || balancer.metric("evenkeel_listener_connections_open", &[]) <= 2.0);
    assert_eq!(get(web, "/").text(), "served");
}
