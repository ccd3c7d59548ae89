//! What each meta command does.

use std::io;

use proto::memcached::{Meta, MetaItem, MetaVerb, Outcome, Reply, Verb};
use store::Item;

use super::connection::{Connection, NoMemory};
use super::execute::ended;
use super::figures::{self, Result as Ended};
use super::socket::Stream;

impl Connection {
    pub(super) async fn meta(&mut self, meta: &Meta, stream: &mut dyn Stream) -> io::Result<()> {
        let expires = meta.expiry.map(|expiry| expiry.at(self.shelf.now()));
        match &meta.verb {
            MetaVerb::Get => return self.meta_get(meta, expires, stream).await,
            MetaVerb::Debug => return self.meta_get(meta, None, stream).await,
            MetaVerb::Store { verb, flags, value } => {
                let (shelf, limit, patience) = (&self.shelf, self.item_bytes_max, &mut self.patience);
                // No item has the version 0.
                let version = meta.version.unwrap_or(0);
                let outcome = match verb {
                    Verb::Append | Verb::Prepend => {
                        let is_front = *verb == Verb::Prepend;
                        patience.outcome(shelf.extend(&meta.key, value, is_front, version, limit)).await
                    }
                    _ => {
                        let put = shelf.put(*verb, &meta.key, value, *flags, expires.flatten(), version);
                        patience.outcome(put).await
                    }
                };
                let version = if let Outcome::Stored(version) = outcome { version } else { 0 };
                let item = MetaItem { version, ..MetaItem::default() };
                self.meta_end(meta, figures::Command::Store, outcome, Some(item));
            }
            MetaVerb::Delete => {
                let version = meta.version.map_or(0, |version| if version == 0 { NONE } else { version });
                let outcome = self.patience.outcome(self.shelf.delete(&meta.key, version)).await;
                self.meta_end(meta, figures::Command::Delete, outcome, None);
            }
            MetaVerb::Add { delta, is_minus, initial } => {
                let now = self.shelf.now();
                let initial = initial.map(|(number, expiry)| (number, expiry.at(now)));
                let version = meta.version.unwrap_or(0);
                let before = if meta.tells_old_end() { Some(self.end_of(meta).await) } else { None };
                let add = self.shelf.add(&meta.key, *delta, *is_minus, initial, version, expires);
                let outcome = self.patience.outcome(add).await;
                self.meta_added(meta, outcome, before).await;
            }
        }
        Ok(())
    }

    async fn meta_get(
        &mut self,
        meta: &Meta,
        expires: Option<Option<u64>>,
        stream: &mut dyn Stream,
    ) -> io::Result<()> {
        // A copy has another version, and ends earlier.
        let of_truth = meta.verb == MetaVerb::Debug || meta.has(b'c') || meta.has(b't');
        let is_old = meta.tells_old_end();
        let found = match expires {
            Some(end) => {
                let read = self.patience.found(self.shelf.read_and_touch(&meta.key, end)).await;
                read.map(|found| {
                    found.map(|item| Item { expires: if is_old { item.expires } else { end }, ..item })
                })
            }
            None => self.patience.found(self.shelf.get(&meta.key, of_truth)).await,
        };
        let (mut outcome, mut taken) = (Outcome::Done, None);
        match &found {
            Ok(Some(item)) if meta.has(b'v') => match self.take_for(&item.value) {
                Ok(bytes) => taken = bytes,
                Err(NoMemory) => outcome = Outcome::NoMemory,
            },
            Ok(Some(_)) => {}
            Ok(None) => outcome = Outcome::NotFound,
            Err(error) => outcome = Outcome::Away(error.reason()),
        }
        let result = match outcome {
            Outcome::Done => Ended::Hit,
            Outcome::NotFound => Ended::Miss,
            _ => Ended::Error,
        };
        self.figures.count(figures::Command::Get, result);
        let found = found.ok().flatten();
        let item = found.as_ref().map(|item| MetaItem {
            value: &item.value,
            flags: item.flags,
            version: item.version.0,
            seconds: self.seconds(item),
        });
        match &found {
            Some(large) if taken.is_some() => {
                if Reply(&mut self.out).meta_head(meta, outcome, item) {
                    self.send_value(&large.value, stream).await?;
                    self.out.extend_from_slice(b"\r\n");
                }
            }
            _ => Reply(&mut self.out).meta(meta, outcome, item),
        }
        Ok(())
    }

    async fn meta_added(&mut self, meta: &Meta, outcome: Outcome, before: Option<Option<u64>>) {
        let Outcome::Number(number, version) = outcome else {
            return self.meta_end(meta, figures::Command::Add, outcome, None);
        };
        let seconds = match before {
            Some(seconds) => seconds,
            None if meta.has(b't') => self.end_of(meta).await,
            None => None,
        };
        let value = number.to_string();
        let item = MetaItem { value: value.as_bytes(), flags: 0, version, seconds };
        self.meta_end(meta, figures::Command::Add, outcome, Some(item));
    }

    fn meta_end(
        &mut self,
        meta: &Meta,
        kind: figures::Command,
        outcome: Outcome,
        item: Option<MetaItem<'_>>,
    ) {
        self.figures.count(kind, ended(outcome));
        Reply(&mut self.out).meta(meta, outcome, item);
    }

    async fn end_of(&mut self, meta: &Meta) -> Option<u64> {
        let item = self.patience.found(self.shelf.get(&meta.key, true)).await;
        item.ok().flatten().and_then(|item| self.seconds(&item))
    }

    /// Until the end of its life.
    fn seconds(&self, item: &Item) -> Option<u64> {
        item.expires.map(|end| end.saturating_sub(self.shelf.now()).div_ceil(1000))
    }
}

/// A version that no item has, where 0 is any.
const NONE: u64 = u64::MAX;
