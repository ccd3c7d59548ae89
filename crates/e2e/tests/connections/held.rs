//! A target that holds requests for `/held` until the test allows a response.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::{Balancer, Client, Target, ok, wait_until};

pub(crate) struct Held {
    pub(crate) target: Target,
    answers: Arc<AtomicUsize>,
}

impl Held {
    pub(crate) fn new() -> Self {
        let answers = Arc::new(AtomicUsize::new(0));
        let allowed = Arc::clone(&answers);
        let target = Target::http(move |request| {
            if request.target() == "/held" {
                let take = || allowed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
                wait_until("a response is allowed", || take().is_ok());
            }
            ok("served")
        });
        Self { target, answers }
    }

    /// Allows this many responses.
    pub(crate) fn answer(&self, count: usize) {
        self.answers.fetch_add(count, Ordering::SeqCst);
    }
}

/// A client with a request that stays in flight.
pub(crate) fn busy(balancer: &Balancer) -> Client {
    let in_flight = || balancer.metric("evenkeel_target_requests_in_flight", &[]);
    let before = in_flight();
    let mut client = Client::connect(balancer.web());
    client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_until("the request is in flight", || in_flight() > before);
    client
}

/// Waits until only `in_use` connections have requests. A connection whose response has arrived may be busy for
/// a moment.
pub(crate) fn wait_for_idle(balancer: &Balancer, in_use: u32) {
    wait_until("the others are idle", || {
        balancer.metric("evenkeel_listener_requests_in_flight", &[]) == f64::from(in_use)
    });
}

pub(crate) const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
