//! What each command does.

use std::io;

use proto::memcached::{Command, Expiry, Form, Keys, Outcome, Reply, Verb};
use store::Item;

use super::connection::{Connection, NoMemory, OUT_BYTES_MAX};
use super::figures::{self, Result as Ended};
use super::shelf::Shelf;
use super::socket::Stream;

impl Connection {
    /// Executes one command and adds its reply. Only a `get` may send replies meanwhile.
    pub(super) async fn execute(&mut self, command: Command, stream: &mut dyn Stream) -> io::Result<()> {
        let (kind, outcome, form) = match command {
            Command::Get { keys, touch, form } => return self.get(&keys, touch, form, stream).await,
            Command::Version(form) => {
                Reply(&mut self.out).version(VERSION, form);
                return Ok(());
            }
            Command::Meta(meta) => return self.meta(&meta, stream).await,
            Command::Stats(argument, form) => {
                self.stats(&argument, form);
                return Ok(());
            }
            Command::Nothing(form) | Command::Quit(form) => (figures::Command::Other, Outcome::Done, form),
            Command::Store { verb, key, flags, expiry, value, version, form } => {
                let expires = expiry.at(self.shelf.now());
                let (shelf, limit, patience) = (&self.shelf, self.item_bytes_max, &mut self.patience);
                let outcome = match verb {
                    Verb::Append | Verb::Prepend => {
                        let is_front = verb == Verb::Prepend;
                        patience.outcome(shelf.extend(&key, &value, is_front, version, limit)).await
                    }
                    _ => patience.outcome(shelf.put(verb, &key, &value, flags, expires, version)).await,
                };
                (figures::Command::Store, outcome, form)
            }
            Command::Delete { key, version, form } => {
                let delete = self.shelf.delete(&key, version);
                (figures::Command::Delete, self.patience.outcome(delete).await, form)
            }
            Command::Add { key, delta, is_minus, initial, version, form } => {
                let now = self.shelf.now();
                let initial = initial.map(|(number, expiry)| (number, expiry.at(now)));
                let add = self.shelf.add(&key, delta, is_minus, initial, version, None);
                (figures::Command::Add, self.patience.outcome(add).await, form)
            }
            Command::Touch { key, expiry, form } => {
                let expires = expiry.at(self.shelf.now());
                let touch = self.shelf.touch(&key, expires);
                (figures::Command::Touch, self.patience.outcome(touch).await, form)
            }
            Command::Flush { at, form } => {
                let flush = Shelf::flush(&self.shelf, at);
                (figures::Command::Flush, self.patience.outcome(flush).await, form)
            }
        };
        self.figures.count(kind, ended(outcome));
        Reply(&mut self.out).outcome(outcome, form);
        Ok(())
    }

    async fn get(
        &mut self,
        keys: &Keys,
        touch: Option<Expiry>,
        form: Form,
        stream: &mut dyn Stream,
    ) -> io::Result<()> {
        let is_versioned = !matches!(form, Form::Text { is_versioned: false });
        let expires = touch.map(|expiry| expiry.at(self.shelf.now()));
        let (mut any, mut last) = (false, &b""[..]);
        for key in keys.iter() {
            last = key;
            let found = match expires {
                Some(expires) => self.patience.found(self.shelf.read_and_touch(key, expires)).await,
                None => self.patience.found(self.shelf.get(key, is_versioned)).await,
            };
            match found {
                Ok(Some(item)) => {
                    self.figures.count(figures::Command::Get, Ended::Hit);
                    any = true;
                    if self.item(key, &item, form, stream).await?.is_err() {
                        return Ok(());
                    }
                }
                Ok(None) => self.figures.count(figures::Command::Get, Ended::Miss),
                Err(error) => {
                    self.figures.count(figures::Command::Get, Ended::Error);
                    // It stands in the place of the end.
                    Reply(&mut self.out).outcome(Outcome::Away(error.reason()), form);
                    return Ok(());
                }
            }
            if self.out.len() >= OUT_BYTES_MAX {
                self.flush(stream).await?;
            }
        }
        Reply(&mut self.out).end(last, any, form);
        Ok(())
    }

    /// Adds an item to the replies; `NoMemory`: its refusal, which ends the reply.
    async fn item(
        &mut self,
        key: &[u8],
        item: &Item,
        form: Form,
        stream: &mut dyn Stream,
    ) -> io::Result<Result<(), NoMemory>> {
        let version = item.version.0;
        match self.take_for(&item.value) {
            Ok(None) => Reply(&mut self.out).item(key, item.flags, &item.value, version, form),
            Ok(Some(_taken)) => {
                let length = item.value.len();
                if Reply(&mut self.out).item_head(key, item.flags, length, version, form) {
                    self.send_value(&item.value, stream).await?;
                    Reply(&mut self.out).item_tail(form);
                }
            }
            Err(error) => {
                Reply(&mut self.out).outcome(Outcome::NoMemory, form);
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    fn stats(&mut self, argument: &[u8], form: Form) {
        let mut rows = Vec::new();
        if argument.is_empty() {
            let (bytes_in, bytes_out) = self.figures.bytes();
            rows = vec![
                ("version", VERSION.to_owned()),
                ("curr_connections", self.figures.connections_open().to_string()),
                ("total_connections", self.figures.connections_accepted().to_string()),
                ("bytes_read", bytes_in.to_string()),
                ("bytes_written", bytes_out.to_string()),
                ("item_size_max", self.item_bytes_max.to_string()),
            ];
            let mut sums = [("cmd_get", 0), ("get_hits", 0), ("get_misses", 0), ("cmd_set", 0)];
            for counted in self.figures.commands() {
                match (counted.command, counted.result) {
                    ("get", result) => {
                        sums[0].1 += counted.count;
                        sums[1].1 += if result == "hit" { counted.count } else { 0 };
                        sums[2].1 += if result == "miss" { counted.count } else { 0 };
                    }
                    ("store", _) => sums[3].1 += counted.count,
                    _ => {}
                }
            }
            rows.extend(sums.map(|(name, count)| (name, count.to_string())));
        }
        Reply(&mut self.out).stats(rows, form);
    }
}

pub(super) fn ended(outcome: Outcome) -> Ended {
    match outcome {
        Outcome::Stored(_) | Outcome::Deleted | Outcome::Touched | Outcome::Number(..) | Outcome::Done => {
            Ended::Hit
        }
        Outcome::NotStored | Outcome::NotFound | Outcome::Exists => Ended::Miss,
        Outcome::NotANumber | Outcome::TooLarge => Ended::Refused,
        Outcome::Away(_) | Outcome::Busy | Outcome::NoMemory => Ended::Error,
    }
}

/// What clients are told: the version of memcached whose commands are known.
const VERSION: &str = "1.6.0";
