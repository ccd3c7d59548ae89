//! Address lists: who may come (HTTP8). Step `admit` of `proxy::http` asks.

mod ranges;

use std::net::IpAddr;
use std::num::NonZeroU64;

use model::{AccessEntry, AccessList, Verdict};

use ranges::{Owner, Ranges, RangesBuilder};

/// A compiled [`AccessList`]: a million entries cost a look-up about as much as ten.
///
/// Nested ranges are cut into disjoint ones, each owned by the most specific entry that holds it. An entry that does
/// not expire is only its verdict. One that does knows which entry is next when it has expired.
#[derive(Debug)]
pub struct AddressTable {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
    expiring: Box<[Expiring]>,
    default: Verdict,
}

#[derive(Debug)]
struct Expiring {
    until: u64,
    verdict: Verdict,
    /// Who decides from then on: an equal entry or a less specific one.
    next: Owner,
}

impl AddressTable {
    pub fn compile(list: &AccessList) -> Self {
        let (mut v4, mut v6): (Vec<_>, Vec<_>) = list.entries.iter().partition(|entry| entry.range.is_v4());
        let mut expiring = Vec::new();
        let (v4, v6) = (cut::<u32>(&mut v4, &mut expiring), cut::<u128>(&mut v6, &mut expiring));
        Self { v4, v6, expiring: expiring.into(), default: list.default }
    }

    /// Whether a client with this address may come at this time, in seconds since 1970.
    pub fn allows(&self, address: IpAddr, now: u64) -> bool {
        self.lookup(address, now).unwrap_or(self.default) == Verdict::Allow
    }

    /// Whether a client may come of whom nothing is known but `passer`, who passed its request on: where everybody may
    /// whom no entry holds, and none holds the passer. No entry that allows somebody is about this client.
    pub fn allows_unknown(&self, passer: IpAddr, now: u64) -> bool {
        self.default == Verdict::Allow && self.lookup(passer, now).is_none()
    }

    /// What the most specific entry says that holds this address and has not expired. An IPv4-mapped IPv6 address
    /// counts as its IPv4 form.
    pub fn lookup(&self, address: IpAddr, now: u64) -> Option<Verdict> {
        let mut owner = match address.to_canonical() {
            IpAddr::V4(address) => self.v4.find(address.into()),
            IpAddr::V6(address) => self.v6.find(address.into()),
        };
        // limit: each step leads to an equal entry of the other verdict or to a shorter prefix: 2 × 129 at most.
        loop {
            owner = match owner {
                NOBODY => return None,
                ALLOW => return Some(Verdict::Allow),
                DENY => return Some(Verdict::Deny),
                place => match self.expiring.get((place - FIRST_EXPIRING) as usize)? {
                    entry if now < entry.until => return Some(entry.verdict),
                    entry => entry.next,
                },
            }
        }
    }

    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.v4.bytes() + self.v6.bytes() + size_of_val::<[Expiring]>(&self.expiring)
    }
}

/// An address as the ranges of its family sort it.
trait Key: Copy + Ord {
    const LOWEST: Self;

    /// Of an address as 128 bits.
    fn of(wide: u128) -> Self;
    fn after(self) -> Option<Self>;
}

impl Key for u32 {
    const LOWEST: Self = 0;

    fn of(wide: u128) -> Self {
        // The upper bits are those of the mapped form.
        wide as Self
    }

    fn after(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Key for u128 {
    const LOWEST: Self = 0;

    fn of(wide: u128) -> Self {
        wide
    }

    fn after(self) -> Option<Self> {
        self.checked_add(1)
    }
}

/// Cuts nested ranges of one family into disjoint ones, in one sweep from the lowest address on.
fn cut<K: Key>(entries: &mut [&AccessEntry], expiring: &mut Vec<Expiring>) -> Ranges<K> {
    // A range comes before what it holds, and between equals the one that decides comes last: deny, and of one verdict
    // the longest.
    let order = |entry: &&AccessEntry| {
        let (first, _) = entry.range.bounds();
        let until = entry.until.map_or(u64::MAX, NonZeroU64::get);
        (first, entry.range.prefix_length(), entry.verdict, until)
    };
    entries.sort_unstable_by_key(order);
    let mut ranges = RangesBuilder::new(K::LOWEST, NOBODY);
    let mut open = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let follower = entries.get(place + 1);
        if follower.is_some_and(|next| (next.range, next.verdict) == (entry.range, entry.verdict)) {
            continue;
        }
        let (first, last) = entry.range.bounds();
        let (first, last) = (K::of(first), K::of(last));
        close(&mut open, Some(first), &mut ranges);
        let next = open.last().map_or(NOBODY, |(_, owner)| *owner);
        let owner = owner_of(entry, next, expiring);
        ranges.begin(first, owner);
        open.push((last, owner));
    }
    close(&mut open, None, &mut ranges);
    ranges.build()
}

/// Ends the open ranges that end before `before`; behind each, the one around it goes on.
fn close<K: Key>(open: &mut Vec<(K, Owner)>, before: Option<K>, ranges: &mut RangesBuilder<K>) {
    while let Some(&(last, _)) = open.last().filter(|(last, _)| before.is_none_or(|before| *last < before)) {
        open.pop();
        let around = open.last().map_or(NOBODY, |(_, owner)| *owner);
        if let Some(start) = last.after() {
            ranges.begin(start, around);
        }
    }
}

fn owner_of(entry: &AccessEntry, next: Owner, expiring: &mut Vec<Expiring>) -> Owner {
    let AccessEntry { verdict, until, .. } = *entry;
    match (until, verdict) {
        (None, Verdict::Allow) => ALLOW,
        (None, Verdict::Deny) => DENY,
        (Some(until), verdict) => {
            // limit: a config has some millions of entries at most, far from what an `Owner` can count.
            let owner = FIRST_EXPIRING + expiring.len() as Owner;
            expiring.push(Expiring { until: until.get(), verdict, next });
            owner
        }
    }
}

const NOBODY: Owner = 0;
const ALLOW: Owner = 1;
const DENY: Owner = 2;
/// From here on an owner is a place among the expiring entries.
const FIRST_EXPIRING: Owner = 3;

#[cfg(test)]
mod tests;
