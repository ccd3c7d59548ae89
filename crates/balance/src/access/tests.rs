//! Tests of the table against the plain meaning of its entries.

use std::net::{Ipv4Addr, Ipv6Addr};

use model::Cidr;
use proptest::prelude::*;

use super::*;
use crate::Rng;

fn entry(range: &str, verdict: Verdict, until: Option<u64>) -> AccessEntry {
    AccessEntry { range: range.parse().unwrap(), verdict, until: until.and_then(NonZeroU64::new) }
}

fn table(entries: Vec<AccessEntry>) -> AddressTable {
    AddressTable::compile(&AccessList { entries, default: Verdict::Allow })
}

/// The specified verdict: the longest prefix that has not expired decides; with equal prefixes deny wins.
fn plain(entries: &[AccessEntry], address: IpAddr, now: u64) -> Option<Verdict> {
    let counts = |entry: &&AccessEntry| {
        entry.range.contains(address) && entry.until.is_none_or(|until| now < until.get())
    };
    let decides = entries.iter().filter(counts).max_by_key(|e| (e.range.prefix_length(), e.verdict));
    decides.map(|entry| entry.verdict)
}

use Verdict::{Allow, Deny};

#[test]
fn no_entry_allows_an_unknown_client() {
    let passer = "10.0.0.1".parse().unwrap();
    for (entries, default, expected) in [
        (vec![], Allow, true),
        (vec![], Deny, false),
        (vec![entry("192.0.2.0/24", Deny, None)], Allow, true),
        (vec![entry("10.0.0.0/8", Deny, None)], Allow, false),
        (vec![entry("10.0.0.0/8", Deny, Some(5))], Allow, true),
        (vec![entry("10.0.0.0/8", Allow, None)], Deny, false),
        (vec![entry("0.0.0.0/0", Deny, None), entry("10.0.0.0/8", Allow, None)], Allow, false),
    ] {
        let table = AddressTable::compile(&AccessList { entries: entries.clone(), default });
        assert_eq!(table.allows_unknown(passer, 5), expected, "{entries:?} {default:?}");
    }
}

#[test]
fn the_most_specific_entry_decides() {
    let table = table(vec![
        entry("10.0.0.0/8", Deny, None),
        entry("10.1.0.0/16", Allow, None),
        entry("10.1.2.3", Deny, None),
        entry("2001:db8::/32", Deny, None),
        entry("2001:db8:1::/48", Allow, None),
        entry("255.255.255.255", Deny, None),
    ]);
    for (address, expected) in [
        ("9.255.255.255", None),
        ("10.0.0.0", Some(Deny)),
        ("10.1.0.0", Some(Allow)),
        ("10.1.2.2", Some(Allow)),
        ("10.1.2.3", Some(Deny)),
        ("10.1.2.4", Some(Allow)),
        ("10.2.0.0", Some(Deny)),
        ("11.0.0.0", None),
        ("::ffff:10.1.2.3", Some(Deny)),
        ("255.255.255.254", None),
        ("255.255.255.255", Some(Deny)),
        ("2001:db8::1", Some(Deny)),
        ("2001:db8:1::1", Some(Allow)),
        ("2001:db9::", None),
        ("::1", None),
    ] {
        assert_eq!(table.lookup(address.parse().unwrap(), 0), expected, "{address}");
    }
}

#[test]
fn a_range_of_ipv6_says_nothing_about_ipv4() {
    let table = table(vec![entry("::/0", Deny, None)]);
    assert_eq!(table.lookup(Ipv6Addr::LOCALHOST.into(), 0), Some(Deny));
    assert_eq!(table.lookup(Ipv4Addr::LOCALHOST.into(), 0), None);
}

#[test]
fn after_an_entry_expires_the_one_around_it_decides() {
    let table = table(vec![
        entry("10.0.0.0/8", Deny, Some(30)),
        entry("10.0.0.0/16", Allow, Some(20)),
        entry("10.0.0.0/24", Deny, Some(10)),
        entry("10.0.0.0/24", Deny, Some(5)),
    ]);
    let address = "10.0.0.1".parse().unwrap();
    for (now, expected) in [
        (0, Some(Deny)),
        (9, Some(Deny)),
        (10, Some(Allow)),
        (19, Some(Allow)),
        (20, Some(Deny)),
        (29, Some(Deny)),
        (30, None),
    ] {
        assert_eq!(table.lookup(address, now), expected, "{now}");
    }
}

#[test]
fn the_default_decides_if_no_entry_matches() {
    let allow_one = |default| {
        let entries = vec![entry("192.0.2.7", if default == Deny { Allow } else { Deny }, None)];
        AddressTable::compile(&AccessList { entries, default })
    };
    let (seven, eight) = ("192.0.2.7".parse().unwrap(), "192.0.2.8".parse().unwrap());
    assert_eq!((allow_one(Deny).allows(seven, 0), allow_one(Deny).allows(eight, 0)), (true, false));
    assert_eq!((allow_one(Allow).allows(seven, 0), allow_one(Allow).allows(eight, 0)), (false, true));
}

/// Returns a range from a small set, so that ranges nest, touch and repeat, at both ends of the address space.
fn range(bits: u32, length: u32, family: u8) -> Cidr {
    let bits = u128::from(bits) << 24;
    let (address, length, width): (IpAddr, _, _) = match family {
        0 => (Ipv4Addr::from(bits as u32).into(), length.min(32), 32),
        1 => (Ipv6Addr::from(bits << 96).into(), length, 128),
        _ => (Ipv4Addr::from(bits as u32).to_ipv6_mapped().into(), 96 + length.min(32), 128),
    };
    let wide = |address: IpAddr| match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    };
    let mask = u128::MAX.checked_shl(width - length).unwrap_or(0);
    let first = wide(address) & mask;
    let first: IpAddr =
        if width == 32 { Ipv4Addr::from(first as u32).into() } else { Ipv6Addr::from(first).into() };
    format!("{first}/{length}").parse().unwrap()
}

prop_compose! {
    fn entries()(
        entries in prop::collection::vec((0_u32..256, 0_u32..=32, 0_u8..3, any::<bool>(), prop::option::of((1_u64..8).prop_map(|until| NonZeroU64::new(until).unwrap()))), 0..40)
    ) -> Vec<AccessEntry> {
        let entry = |(bits, length, family, deny, until)| AccessEntry {
            range: range(bits, length, family),
            verdict: if deny { Deny } else { Allow },
            until,
        };
        entries.into_iter().map(entry).collect()
    }
}

proptest! {
    #[test]
    fn the_table_agrees_with_its_entries(entries in entries(), others: Vec<u128>) {
        let table = table(entries.clone());
        let edges = entries.iter().flat_map(|entry| {
            let (first, last) = entry.range.bounds();
            [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
        });
        for wide in edges.chain(others).chain([0, u128::MAX]) {
            let v6 = Ipv6Addr::from(wide);
            let v4 = Ipv4Addr::from(wide as u32);
            for address in [IpAddr::V6(v6), v6.to_canonical(), v4.into(), v4.to_ipv6_mapped().into()] {
                for now in [0, 3, 7, 8] {
                    prop_assert_eq!(
                        table.lookup(address, now),
                        plain(&entries, address.to_canonical(), now),
                        "{} at {}", address, now
                    );
                }
            }
        }
    }
}

/// Random ranges with prefix lengths from `lengths`. They hardly ever overlap.
fn many(count: usize, lengths: std::ops::Range<u64>, is_v4: bool) -> Vec<AccessEntry> {
    let mut rng = Rng::new(7);
    let mut range = || {
        let length = (lengths.start + rng.below(lengths.end - lengths.start)) as u32;
        let wide = u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64());
        if is_v4 {
            let first = (wide as u32) & u32::MAX.checked_shl(32 - length).unwrap_or(0);
            format!("{}/{length}", Ipv4Addr::from(first))
        } else {
            format!("{}/{length}", Ipv6Addr::from(wide & u128::MAX.checked_shl(128 - length).unwrap_or(0)))
        }
    };
    (0..count).map(|_| entry(&range(), Deny, None)).collect()
}

#[test]
fn the_memory_per_entry_is_bounded() {
    for (lengths, is_v4, bytes_max) in [(24..33, true, 18), (32..65, false, 43)] {
        let bytes = table(many(20_000, lengths, is_v4)).bytes() / 20_000;
        assert!(bytes <= bytes_max, "{bytes} bytes per entry");
    }
}
