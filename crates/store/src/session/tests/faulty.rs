//! A store that fails as it is told to.

use super::*;
use crate::{Key, Put, Reply, StoreError};

#[derive(Debug)]
pub(super) struct Faulty {
    pub(super) inner: Arc<MemoryStore>,
    pub(super) fault: Mutex<Fault>,
    calls: AtomicU64,
    /// Every successful write: its key, its target, and whether nothing was there.
    pub(super) writes: Mutex<Vec<(Key, u64, bool)>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// Never answers about this key; `None`: about any.
    Silent(Option<Key>),
    /// Every n-th call fails, half of these after it has taken effect.
    Every(u64),
    /// Takes nothing new.
    Full,
    /// Refuses every write without a word about what is there.
    Refuses,
}

impl Faulty {
    pub(super) fn new(time: &Time, fault: Fault) -> Arc<Self> {
        let inner = memory(time);
        Arc::new(Self {
            inner,
            fault: Mutex::new(fault),
            calls: AtomicU64::new(0),
            writes: Mutex::new(Vec::new()),
        })
    }

    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    async fn call<T>(&self, key: &Key, is_write: bool, reply: Reply<'_, T>) -> Result<T, StoreError> {
        let count = self.calls.fetch_add(1, Ordering::Relaxed);
        let fault = self.fault.lock().unwrap().clone();
        match fault {
            Fault::Silent(silent) if silent.as_ref().is_none_or(|silent| silent == key) => {
                std::future::pending().await
            }
            Fault::Every(n) if count % n == n - 1 => {
                if (count / n).is_multiple_of(2) {
                    reply.await?;
                }
                Err(StoreError::Away("as the test wants it".to_owned()))
            }
            Fault::Full if is_write => Err(StoreError::Full(String::new())),
            _ => {
                // So that calls of several nodes mix.
                for _ in 0..count % 3 {
                    tokio::task::yield_now().await;
                }
                reply.await
            }
        }
    }
}

impl Store for Faulty {
    fn get<'a>(&'a self, key: &'a Key) -> Reply<'a, Option<Item>> {
        Box::pin(self.call(key, false, self.inner.get(key)))
    }

    fn put<'a>(&'a self, key: &'a Key, item: Item, when: When) -> Reply<'a, Put> {
        let target = Record::parse(&item.value).map(|record| record.target);
        let write = async move {
            if *self.fault.lock().unwrap() == Fault::Refuses {
                return Ok(Put::Refused(None));
            }
            let put = self.inner.put(key, item, when).await?;
            if let (Put::Done(_), Some(target)) = (&put, target) {
                self.writes.lock().unwrap().push((key.clone(), target, when == When::Absent));
            }
            Ok(put)
        };
        Box::pin(self.call(key, true, Box::pin(write)))
    }

    fn touch<'a>(&'a self, key: &'a Key, expires: Option<u64>) -> Reply<'a, bool> {
        Box::pin(self.call(key, false, self.inner.touch(key, expires)))
    }

    fn delete<'a>(&'a self, key: &'a Key) -> Reply<'a, bool> {
        Box::pin(self.call(key, false, self.inner.delete(key)))
    }

    fn clear(&self) -> Reply<'_, ()> {
        self.inner.clear()
    }
}
