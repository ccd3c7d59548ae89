//! Keeps sessions alive in the store, and brings back what other nodes have changed.

use tokio::time::timeout;

use super::Record;
use super::client::{Answer, Touched};
use super::writes::{REQUEST_LIMIT, Sessions};
use crate::{Item, Key};

impl Sessions {
    pub(super) async fn touch(&self, batch: Vec<Touched>) {
        for part in batch.chunks(PART) {
            self.touch_part(part).await;
        }
    }

    async fn touch_part(&self, part: &[Touched]) {
        let keys: Vec<Key> = part.iter().map(|touched| self.key(touched.name)).collect();
        let Ok(Ok(items)) = timeout(REQUEST_LIMIT, self.store.read_many(&keys)).await else {
            self.counters.untouched.add(part.len());
            return;
        };
        let (mut ends, mut prolonged) = (Vec::new(), Vec::new());
        let mut missing = Vec::new();
        // A store that answers with too few items has answered for these.
        for ((touched, key), item) in part.iter().zip(keys).zip(items) {
            match item.as_ref().and_then(|item| Some((item, Record::parse(&item.value)?))) {
                Some((item, record)) => {
                    self.correct(touched, record.target);
                    // The other nodes may have seen later requests of the session than this one.
                    let expires = self.end(touched.lifetime);
                    if is_earlier(item, expires) {
                        ends.push((key, Some(expires)));
                        prolonged.push((touched.name, record.target));
                    } else {
                        self.corrections.kept(touched.name, record.target);
                    }
                }
                None => missing.push(touched),
            }
        }
        if self.write_ends(&ends).await {
            prolonged.into_iter().for_each(|(name, target)| self.corrections.kept(name, target));
        }
        for touched in missing {
            self.write_again(touched).await;
        }
    }

    /// False: the store may not have all of them.
    async fn write_ends(&self, ends: &[(Key, Option<u64>)]) -> bool {
        if ends.is_empty() {
            return true;
        }
        let is_done = matches!(timeout(REQUEST_LIMIT, self.store.touch_many(ends)).await, Ok(Ok(())));
        if !is_done {
            self.counters.untouched.add(ends.len());
        }
        is_done
    }

    /// Writes a session that the store has lost, or that is still under its previous name.
    async fn write_again(&self, touched: &Touched) {
        let claim = self.establish(touched.name, touched.target, touched.lifetime);
        match timeout(REQUEST_LIMIT, claim).await {
            Ok(Ok(done)) => {
                if let Answer::Here { target, is_ours } = done.answer {
                    self.counters.rewritten.add(is_ours.into());
                    self.correct(touched, target);
                    self.corrections.kept(touched.name, target);
                }
            }
            Ok(Err(_)) | Err(_) => self.counters.untouched.add(1),
        }
    }

    fn correct(&self, touched: &Touched, target: u64) {
        if target != touched.target {
            self.counters.corrections.add(1);
            self.corrections.correct(touched.name, touched.target, target);
        }
    }
}

fn is_earlier(item: &Item, expires: u64) -> bool {
    item.expires.is_none_or(|end| end < expires)
}

// limit: sessions in one call, which has to end within the store's timeout.
pub(super) const PART: usize = 64;
