//! The idle connections of one listener at one worker.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use balance::connection_limit::{EvictionOrder, Shared};
use net::{StreamKey, Sys, Worker};
use observe::ListenerCells;

use super::atomics::Atomics;
use super::limit::ListenerLimits;
use crate::traffic::Traffic;

pub(crate) struct IdleConnections {
    pub(crate) limits: Arc<ListenerLimits>,
    worker: usize,
    pub(crate) traffic: Rc<Traffic>,
    pub(crate) order: RefCell<EvictionOrder<StreamKey>>,
}

impl IdleConnections {
    pub(crate) fn new(limits: &Arc<ListenerLimits>, worker: usize) -> Rc<Self> {
        let traffic = Rc::new(Traffic::Client(Arc::clone(&limits.cells), worker));
        Rc::new(Self { limits: Arc::clone(limits), worker, traffic, order: RefCell::default() })
    }

    pub(crate) fn cells(&self) -> &ListenerCells {
        self.limits.cells.of(self.worker)
    }

    /// Evicts as many of the oldest connections as are requested of this worker.
    pub(crate) fn evict<S: Sys>(&self, worker: &Worker<S>, now_millis: u64) {
        let evicted = self.order.borrow_mut().evict(&self.shared(), now_millis);
        evicted.connections.into_iter().for_each(|(stream, _)| worker.rouse(stream));
        self.limits.wake(evicted.wakes);
    }

    /// True if evictions are requested of this worker.
    pub(crate) fn has_requests(&self) -> bool {
        self.limits.board.has_requests(self.worker)
    }

    pub(crate) fn shared(&self) -> Shared<'_, Atomics> {
        Shared { pools: self.limits.pools(), board: &self.limits.board, worker: self.worker }
    }
}

impl Drop for IdleConnections {
    // invariant: a request to a worker without connections is answered. Otherwise the limit would count an eviction
    // under way, and evict no more.
    fn drop(&mut self) {
        self.limits.decline(self.worker);
    }
}

#[cfg(test)]
mod tests {
    use balance::connection_limit::Scope;
    use model::{ListenerName, LoadBalancerName};
    use net::{Linux, TcpStream};

    use super::*;
    use crate::connection::permit::Permit;
    use crate::live::Live;

    /// With two streams of a worker.
    fn with_streams(test: impl FnOnce(&Worker<Linux>, [StreamKey; 2]) + 'static) {
        let socket = net::bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
        let address = socket.local_address().unwrap();
        let main = |worker: Worker<Linux>| async move {
            let streams = [(); 2].map(|()| TcpStream::connect(&worker, address).unwrap());
            test(&worker, [streams[0].key(), streams[1].key()]);
        };
        Worker::run(Linux::new().unwrap(), main).unwrap();
    }

    fn limits() -> Arc<ListenerLimits> {
        Live::new(1).listener_limits(&ListenerName::new("web"), &LoadBalancerName::new("main"))
    }

    #[test]
    fn a_new_connection_stays_however_many_evictions_are_requested() {
        with_streams(|worker, [kept, fresh]| {
            let limits = limits();
            let connections = IdleConnections::new(&limits, 0);
            let permit = || Permit::take(&connections).unwrap();
            let (one, other) = (permit(), permit());
            let kept = one.idle(kept, false, 5_000);
            let fresh = other.idle(fresh, true, 5_500);
            let evict = |now| limits.limit(Scope::Listener).evict_oldest(Scope::Listener, now, 2);
            assert!(evict(6_000) && evict(6_000), "both rest on the same published time");
            connections.evict(worker, 6_000);
            assert!(kept.is_evicted() && !fresh.is_evicted());
            assert!(!evict(6_000), "no other connection has been idle for long enough");
            assert!(evict(6_500), "the request that found no connection is answered");
            connections.evict(worker, 6_500);
            assert!(fresh.is_evicted());
        });
    }

    #[test]
    fn a_request_to_a_worker_without_connections_is_answered() {
        with_streams(|_, [stream, _]| {
            let limits = limits();
            for _ in 0..2 {
                let connections = IdleConnections::new(&limits, 0);
                let permit = Permit::take(&connections).unwrap();
                let _idle = permit.idle(stream, false, 5_000);
                assert!(limits.limit(Scope::Listener).evict_oldest(Scope::Listener, 6_000, 1));
            }
        });
    }
}
