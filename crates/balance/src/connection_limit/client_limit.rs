//! Limits on the connections of one client (KA11).

use std::net::IpAddr;

use model::ClientPrefix;

use super::cells::{Cells, Lock, Number};
use super::client_counts::ClientCounts;
use super::pool::{PermitPool, SHARDS, limited};
use super::pools::Pools;
use super::scope::Scope;
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

    /// The most connections of one client.
    pub fn per_client(&self) -> Option<u32> {
        limited(self.limits.per_client.load())
    }

    fn count_client(&self, address: IpAddr) -> Result<Option<u128>, ClientLimit> {
        let Some(most) = self.per_client() else { return Ok(None) };
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
