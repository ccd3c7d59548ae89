//! What every test here needs: a clock, keys, items, waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::SqlDialect;
use store::{Item, Key, SqlStore, Store, StoreError, Version};

/// Milliseconds since 1970, as the test sets them.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_800_000_000_000)))
    }

    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn advance(&self, milliseconds: u64) {
        self.0.fetch_add(milliseconds, Ordering::Relaxed);
    }

    pub(crate) fn reader(&self) -> Arc<dyn Fn() -> u64 + Send + Sync> {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

pub(crate) fn sql(dialect: SqlDialect, url: &str) -> SqlStore {
    SqlStore::new(dialect, url, Clock::new().reader()).expect("a good URL")
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text.as_bytes()).expect("a good key")
}

pub(crate) fn item(value: &str) -> Item {
    Item { value: value.as_bytes().to_vec().into(), flags: 0, expires: None, version: Version::default() }
}

/// Waits until the store serves, as after a start of its server.
pub(crate) async fn wait_until_serving(store: &dyn Store) {
    let mut last = None;
    for _ in 0..1000 {
        match store.get(&key("probe")).await {
            Ok(_) => return,
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the store does not serve: {last:?}");
}

/// What a write fails with.
pub(crate) async fn write_error(store: &dyn Store) -> StoreError {
    store
        .put(&key("written"), item("value"), store::When::Always)
        .await
        .expect_err("a write that cannot succeed")
}

/// A patience that every command of this test ends in.
pub(crate) async fn soon<T>(reply: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(8), reply)
        .await
        .expect("an answer within the limit of a command")
}
