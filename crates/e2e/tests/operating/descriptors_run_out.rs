//! If descriptors run out while all connections are in use, new ones are refused, counted and told of, those in use are
//! served, and the balancer recovers (OP9, KA10).

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
    let in_flight = || balancer.metric("evenkeel_target_requests_in_flight", &[]);
    let mut busy: Vec<_> = (0..40).map(|_| Client::connect(web)).collect();
    busy.iter_mut().for_each(|client| client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n"));
    wait_until("the requests are in flight", || in_flight() == 40.0);
    let mut crowd = Vec::new();
    wait_until("some connections are refused", || {
        let mut client = Client::connect(web);
        let _ = client.try_send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
        crowd.push(client);
        let labels = [("reason", "descriptors")];
        balancer.metric("evenkeel_listener_connections_refused_total", &labels) > 0.0
    });
    let line = " error connections are refused: no file descriptor is free listener=web peer=127.0.0.1:";
    wait_until("the refused ones are told of", || balancer.stderr().contains(line));
    assert!(balancer.stderr().contains(" limit=200 hint=\"Raise the limit of open files"));
    may_answer.store(true, Ordering::SeqCst);
    for client in &mut busy {
        assert_eq!(client.response().text(), "served", "a connection in use is served");
    }
    drop((busy, crowd));
    wait_until("the balancer recovers", || balancer.metric("evenkeel_listener_connections_open", &[]) <= 2.0);
    assert_eq!(get(web, "/").text(), "served");
}
