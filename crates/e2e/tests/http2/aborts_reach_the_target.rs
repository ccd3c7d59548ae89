//! A reset stream closes its target's connection; other streams continue.

use h2::Reason;
use testkit::{Balancer, Config, Target, wait_until};

use crate::{request, with};

#[test]
fn a_reset_ends_the_attempt() {
    let target = Target::script(|mut connection| {
        if connection.request()?.target() == "/quick" {
            return connection.send(testkit::ok("quick"));
        }
        connection.stall()
    });
    let balancer = Balancer::start(Config::to(&target));
    with(balancer.web(), async |mut connection| {
        let (response, mut sender) = connection.send(request("GET", "/slow"), true).await;
        tokio::time::timeout(std::time::Duration::from_millis(1), response).await.unwrap_err();
        let (mut requests, mut open) = (0, 0);
        while requests == 0 {
            tokio::task::yield_now().await;
            (requests, open) = (target.requests().len(), target.open());
        }
        assert_eq!(open, 1);
        sender.send_reset(Reason::CANCEL);
        assert_eq!(connection.get("/quick").await.1, "quick");
        drop(sender);
    });
    wait_until("the target's connection is closed", || target.open() == 0);
    let line = balancer.log_line("reason", "client_aborted");
    assert_eq!(line["status"], 499, "{line}");
}
