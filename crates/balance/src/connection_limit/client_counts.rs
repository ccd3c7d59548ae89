//! Counts the open connections of each client (KA11). Only clients with an open connection take memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

use model::ClientPrefix;

use super::cells::{Cells, Lock, Number};
use super::pool::{PermitPool, SHARDS, limited};
use super::pools::{Pools, Scope};
use crate::hash_bytes;

/// A client has as many connections as it may.
#[derive(Debug, PartialEq, Eq)]
pub struct ClientLimit;

/// A connection that is counted for its client: the first addresses of the client's prefix, in listener and load
/// balancer. `None`: clients are not limited there.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CountedClient([Option<u128>; 2]);

impl CountedClient {
    pub fn is_counted(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }
}

impl<C: Cells> Pools<'_, C> {
    /// Counts a connection for its client, in both pools or in none.
    pub fn count_client(&self, address: IpAddr) -> Result<CountedClient, ClientLimit> {
        let listener = self.of(Scope::Listener).count_client(address)?;
        match self.of(Scope::LoadBalancer).count_client(address) {
            Ok(load_balancer) => Ok(CountedClient([listener, load_balancer])),
            Err(limit) => {
                self.uncount_client(CountedClient([listener, None]));
                Err(limit)
            }
        }
    }

    /// Takes back one [`Self::count_client`].
    pub fn uncount_client(&self, CountedClient([listener, load_balancer]): CountedClient) {
        for (scope, client) in [(Scope::Listener, listener), (Scope::LoadBalancer, load_balancer)] {
            client.into_iter().for_each(|client| self.of(scope).uncount_client(client));
        }
    }
}

impl<C: Cells> PermitPool<C> {
    /// Clients that are counted.
    pub fn clients(&self) -> usize {
        self.clients.iter().map(|shard| shard.with(|counts| counts.clients())).sum()
    }

    fn count_client(&self, address: IpAddr) -> Result<Option<u128>, ClientLimit> {
        let Some(most) = limited(self.limits.per_client.load()) else { return Ok(None) };
        let [.., v4_bits, v6_bits] = self.limits.client.load().to_be_bytes();
        let client = ClientPrefix { v4_bits, v6_bits }.first(address);
        let is_added = self.shard(client).with(|counts| counts.add(client, most));
        if is_added { Ok(Some(client)) } else { Err(ClientLimit) }
    }

    // The key and not the address: the prefix may have changed meanwhile.
    fn uncount_client(&self, client: u128) {
        self.shard(client).with(|counts| counts.remove(client));
    }

    fn shard(&self, client: u128) -> &C::Lock<ClientCounts> {
        &self.clients[(hash_bytes(&client.to_be_bytes()) % SHARDS) as usize]
    }
}

/// Connections by the first address of a client's prefix.
#[derive(Debug, Default)]
pub(super) struct ClientCounts(HashMap<u128, u32>);

impl ClientCounts {
    /// Adds a connection of this client. Returns false, and adds nothing, if the client has `most` already.
    pub(super) fn add(&mut self, client: u128, most: u32) -> bool {
        match self.0.entry(client) {
            Entry::Occupied(entry) if *entry.get() >= most => false,
            entry => {
                *entry.or_insert(0) += 1;
                true
            }
        }
    }

    /// Reverses one [`Self::add`].
    pub(super) fn remove(&mut self, client: u128) {
        if let Entry::Occupied(mut entry) = self.0.entry(client) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
        // limit: a table that a past peak made large is shrunk.
        if self.0.capacity() > SHRUNK_ABOVE && self.0.len() < self.0.capacity() / 8 {
            self.0.shrink_to(self.0.len() * 2);
        }
    }

    /// Clients that have a connection.
    pub(super) fn clients(&self) -> usize {
        self.0.len()
    }
}

const SHRUNK_ABOVE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_is_capped_and_others_are_not() {
        let mut counts = ClientCounts::default();
        assert!(counts.add(1, 2) && counts.add(1, 2));
        assert!(!counts.add(1, 2), "the cap");
        assert!(counts.add(2, 2), "another");
        counts.remove(1);
        assert!(counts.add(1, 2), "a connection closed");
        assert!(!counts.add(1, 1), "a cap that was lowered");
    }

    #[test]
    fn memory_is_released_after_a_peak() {
        let mut counts = ClientCounts::default();
        (0..100_000).for_each(|client| assert!(counts.add(client, 1)));
        assert_eq!(counts.clients(), 100_000);
        (0..100_000).for_each(|client| counts.remove(client));
        assert_eq!(counts.clients(), 0);
        assert!(counts.0.capacity() <= SHRUNK_ABOVE * 2, "{}", counts.0.capacity());
        counts.remove(7);
        assert_eq!(counts.clients(), 0, "a client that was never counted");
    }
}
