//! The open connections of an address that anyone can reach: bounded, and never closed to clients that are admitted.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tokio::task::{AbortHandle, JoinSet};

/// Whether a connection has sent a whole request that may be answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Admission(Arc<AtomicBool>);

impl Admission {
    pub(super) fn grant(&self) {
        self.0.store(true, Relaxed);
    }

    fn is_granted(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// The tasks of the connections. Dropping it closes them.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    tasks: JoinSet<()>,
    /// In the order of their arrival.
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    task: AbortHandle,
    peer: Peer,
    admission: Admission,
}

impl Crowd {
    /// Whether there is room for a newcomer, or a connection that may be closed for it.
    pub(super) fn has_room(&self) -> bool {
        self.open.len() < CONNECTIONS_MAX || self.open.iter().any(|open| !open.admission.is_granted())
    }

    /// Starts the task of a newcomer. At the limit it takes the place of a connection that is not admitted.
    pub(super) fn add(
        &mut self,
        peer: IpAddr,
        admission: Admission,
        connection: impl Future<Output = ()> + Send + 'static,
    ) {
        self.forget_ended();
        if self.open.len() >= CONNECTIONS_MAX {
            let waiting = self.open.iter().map(|open| (open.peer, open.admission.is_granted()));
            // If all were admitted since `has_room`, there is one more until the next one ends.
            if let Some(place) = least_deserving(&waiting.collect::<Vec<_>>()) {
                self.open.remove(place).task.abort();
            }
        }
        let task = self.tasks.spawn(connection);
        self.open.push(Open { task, peer: Peer::of(peer), admission });
    }

    /// Waits until a connection ends; `None`: there are none.
    // cancel-safe: an end that is missed here is found by the next call or newcomer.
    pub(super) async fn ended(&mut self) -> Option<()> {
        let ended = self.tasks.join_next().await;
        self.forget_ended();
        ended.map(drop)
    }

    fn forget_ended(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        self.open.retain(|open| !open.task.is_finished());
    }
}

/// A client, by its address, or by its network with IPv6, where one has many addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Peer(u128);

impl Peer {
    fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.to_bits().into(),
            IpAddr::V6(address) => address.to_bits() >> 64 << 64,
        })
    }
}

/// The place of the connection to close: of those that are not admitted, the oldest of the client that has most of them. So a
/// client that opens many connections takes no place from others.
fn least_deserving(open: &[(Peer, bool)]) -> Option<usize> {
    let waiting = || open.iter().filter(|(_, is_admitted)| !is_admitted);
    let count = |peer: Peer| waiting().filter(|(other, _)| *other == peer).count();
    let most = waiting().map(|&(peer, _)| count(peer)).max()?;
    open.iter().position(|&(peer, is_admitted)| !is_admitted && count(peer) == most)
}

// limit: connections of one address at the same time.
pub(super) const CONNECTIONS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[test]
    fn the_oldest_of_the_client_with_most_makes_room() {
        let [a, b, c] = [1, 2, 3].map(Peer);
        for (open, expected) in [
            (&[][..], None),
            (&[(a, true), (b, true)], None),
            (&[(a, true), (b, false), (c, false)], Some(1)),
            (&[(a, false), (b, false), (b, false)], Some(1)),
            (&[(a, false), (b, true), (b, true)], Some(0)),
            (&[(a, false), (b, false), (c, false), (c, true), (c, false), (b, false)], Some(1)),
        ] {
            assert_eq!(least_deserving(open), expected, "{open:?}");
        }
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let peer = |text: &str| Peer::of(text.parse().unwrap());
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::2:1"));
        assert_ne!(peer("2001:db8:0:1::1"), peer("2001:db8::1"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
    }

    #[tokio::test]
    async fn the_crowd_is_bounded_and_the_admitted_stay() {
        let mut crowd = Crowd::default();
        let peer = IpAddr::from([192, 0, 2, 1]);
        let admitted = Admission::default();
        crowd.add(peer, admitted.clone(), pending());
        admitted.grant();
        for _ in 0..100 {
            assert!(crowd.has_room());
            crowd.add(peer, Admission::default(), pending());
            assert!(crowd.open.len() <= CONNECTIONS_MAX);
        }
        assert!(crowd.open[0].admission.is_granted() && !crowd.open[0].task.is_finished());
        crowd.open.iter().for_each(|open| open.admission.grant());
        assert!(!crowd.has_room());
        crowd.open[3].task.abort();
        while crowd.open.len() == CONNECTIONS_MAX {
            crowd.ended().await.unwrap();
        }
        assert!(crowd.has_room());
    }
}
