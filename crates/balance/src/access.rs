//! Address lists: which clients may use a service (HTTP8). Step `admit` of `proxy::http` asks them.

mod ranges;

use std::net::IpAddr;
use std::num::NonZeroU64;

use model::{AccessEntry, AccessList, Verdict};

use ranges::{Owner, Ranges, RangesBuilder};

/// A compiled [`AccessList`]. A look-up among a million entries costs about as much as one among ten.
///
/// Nested ranges are cut into disjoint ones. Each belongs to the most specific entry that contains it. An entry
/// that does not expire is stored as its verdict only. An entry that expires stores which entry decides after
/// it has expired.
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
    /// The entry that decides after this one has expired: an equal or a less specific one.
    next: Owner,
}

impl AddressTable {
    pub fn compile(list: &AccessList) -> Self {
        let (mut v4, mut v6): (Vec<_>, Vec<_>) = list.entries.iter().partition(|entry| entry.range.is_v4());
        let mut expiring = Vec::new();
        let (v4, v6) = (cut::<u32>(&mut v4, &mut expiring), cut::<u128>(&mut v6, &mut expiring));
        Self { v4, v6, expiring: expiring.into(), default: list.default }
    }

    /// True if a client with this address is allowed at this time, in seconds since 1970.
    pub fn allows(&self, address: IpAddr, now: u64) -> bool {
        self.lookup(address, now).unwrap_or(self.default) == Verdict::Allow
    }

    /// True if a client with an unknown address is allowed. Only the address of `passer`, the proxy that passed
    /// on its request, is known. The client is allowed if the list allows by default and no entry contains the
    /// proxy's address. An entry that allows other addresses does not apply to this client.
    pub fn allows_unknown(&self, passer: IpAddr, now: u64) -> bool {
        self.default == Verdict::Allow && self.lookup(passer, now).is_none()
    }

    /// The verdict of the most specific entry that contains this address and has not expired. An IPv4-mapped
    /// IPv6 address counts as IPv4.
    pub fn lookup(&self, address: IpAddr, now: u64) -> Option<Verdict> {
        let mut owner = match address.to_canonical() {
            IpAddr::V4(address) => self.v4.find(address.into()),
            IpAddr::V6(address) => self.v6.find(address.into()),
        };
        // limit: each step leads to an equal entry with the other verdict or to a shorter prefix: 2 × 129 steps
        // at most.
        loop {
            owner = match owner {
                NO_ENTRY => return None,
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

/// An address as an integer of its family's width, by which ranges are sorted.
trait Key: Copy + Ord {
    const LOWEST: Self;

    /// Converts an address of 128 bits.
    fn of(wide: u128) -> Self;
    fn after(self) -> Option<Self>;
}

impl Key for u32 {
    const LOWEST: Self = 0;

    fn of(wide: u128) -> Self {
        // The upper bits are those of the IPv4-mapped form.
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

/// Cuts nested ranges of one family into disjoint ones, in one sweep from the lowest address.
fn cut<K: Key>(entries: &mut [&AccessEntry], expiring: &mut Vec<Expiring>) -> Ranges<K> {
    // A range sorts before the ranges it contains. Among equal ranges the one that decides sorts last: deny
    // before allow, and with equal verdicts the one that expires last.
    let order = |entry: &&AccessEntry| {
        let (first, _) = entry.range.bounds();
        let until = entry.until.map_or(u64::MAX, NonZeroU64::get);
        (first, entry.range.prefix_length(), entry.verdict, until)
    };
    entries.sort_unstable_by_key(order);
    let mut ranges = RangesBuilder::new(K::LOWEST, NO_ENTRY);
    let mut open = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let follower = entries.get(place + 1);
        if follower.is_some_and(|next| (next.range, next.verdict) == (entry.range, entry.verdict)) {
            continue;
        }
        let (first, last) = entry.range.bounds();
        let (first, last) = (K::of(first), K::of(last));
        close(&mut open, Some(first), &mut ranges);
        let next = open.last().map_or(NO_ENTRY, |(_, owner)| *owner);
        let owner = owner_of(entry, next, expiring);
        ranges.begin(first, owner);
        open.push((last, owner));
    }
    close(&mut open, None, &mut ranges);
    ranges.build()
}

/// Closes the open ranges that end before `before`. After each, the range around it continues.
fn close<K: Key>(open: &mut Vec<(K, Owner)>, before: Option<K>, ranges: &mut RangesBuilder<K>) {
    while let Some(&(last, _)) = open.last().filter(|(last, _)| before.is_none_or(|before| *last < before)) {
        open.pop();
        let around = open.last().map_or(NO_ENTRY, |(_, owner)| *owner);
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
            // limit: a config has a few million entries at most, far fewer than an `Owner` can count.
            let owner = FIRST_EXPIRING + expiring.len() as Owner;
            expiring.push(Expiring { until: until.get(), verdict, next });
            owner
        }
    }
}

const NO_ENTRY: Owner = 0;
const ALLOW: Owner = 1;
const DENY: Owner = 2;
/// From this value on, an owner is an index among the expiring entries.
const FIRST_EXPIRING: Owner = 3;

#[cfg(test)]
mod tests;
