//! The store in this process.

use std::sync::Arc;

use store::{MemoryLimits, MemoryStore};

use crate::contract::{self, Promises};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract() {
    let limits = MemoryLimits { bytes: 64 << 20, items: 100_000 };
    let store = Arc::new(MemoryStore::new(limits, contract::clock()));
    contract::check(store, Promises::default()).await;
}
