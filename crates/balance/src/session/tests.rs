use std::collections::HashSet;

use super::entries::{Entry, PIECE};
use super::*;

const TIMEOUT: u64 = 300_000;
const A: TargetId = TargetId(1);
const B: TargetId = TargetId(2);

fn shard(capacity: u32) -> SessionShard {
    SessionShard::new(capacity, SessionSeed::new([1, 2]))
}

fn key(client: u32) -> SessionKey {
    SessionKey { scope: 7, client: client.into() }
}

fn used(shard: &mut SessionShard, client: u32, target: TargetId, now: u64) -> Assigned {
    let assigned = shard.assign(key(client), target, TIMEOUT, now);
    if let Some(hold) = assigned.hold {
        shard.end(key(client), hold, now);
    }
    shard.check().unwrap();
    assigned
}

#[test]
fn the_numbers_of_targets_never_change() {
    // Cookies and stores contain these numbers: a change ends every session.
    for (group, address, expected) in [
        ("web", "192.0.2.7:80", 0xba62_eb00_ba3f_6cbc),
        ("web", "[::ffff:192.0.2.7]:80", 0xba62_eb00_ba3f_6cbc),
        ("web", "192.0.2.7:81", 0x7dac_643f_a906_9311),
        ("web2", "192.0.2.7:80", 0xcc63_ef81_288f_4521),
        ("web", "[2001:db8::1]:8080", 0x73d1_1765_a23f_1f4d),
        ("", "[fe80::1]:1", 0x4de7_4b38_1c6c_241c),
    ] {
        let TargetId(id) = TargetId::of(group, address.parse().unwrap());
        assert_eq!(id, expected, "{group} {address} {id:#018x}");
    }
}

#[test]
fn a_link_local_target_is_the_same_in_every_zone() {
    let in_zone = |zone| SocketAddr::V6(std::net::SocketAddrV6::new("fe80::1".parse().unwrap(), 1, 0, zone));
    assert_eq!(TargetId::of("g", in_zone(2)), TargetId::of("g", in_zone(3)));
}

/// The clock starts when the last request ends, and only an interval strictly less than the timeout keeps the
/// session (SP1).
#[test]
fn the_timer_of_a_session() {
    // Start and end of requests one after the other, and whether the last one finds the session.
    for (what, requests, is_known) in [
        ("at once", &[(0, 0), (0, 0)][..], true),
        ("one millisecond less", &[(0, 0), (TIMEOUT - 1, 0)], true),
        ("exactly", &[(0, 0), (TIMEOUT, 0)], false),
        ("more", &[(0, 0), (TIMEOUT + 1, 0)], false),
        ("from the end, less", &[(0, 1_000), (TIMEOUT + 999, 0)], true),
        ("from the end, exactly", &[(0, 1_000), (TIMEOUT + 1_000, 0)], false),
        ("a long request", &[(0, 9 * TIMEOUT), (10 * TIMEOUT - 1, 0)], true),
        (
            "each request renews",
            &[(0, 0), (TIMEOUT - 1, 0), (2 * TIMEOUT - 2, 0), (3 * TIMEOUT - 3, 0)],
            true,
        ),
        ("a clock that is behind", &[(5_000, 5_000), (4_000, 0)], true),
    ] {
        let mut shard = shard(8);
        let mut found = false;
        for &(start, end) in requests {
            let assigned = shard.assign(key(1), if found { B } else { A }, TIMEOUT, start);
            found = !assigned.is_new;
            shard.end(key(1), assigned.hold.unwrap(), end);
        }
        assert_eq!(found, is_known, "{what}");
        shard.check().unwrap();
    }
}

#[test]
fn the_last_of_several_requests_starts_the_clock() {
    let mut shard = shard(8);
    let first = shard.assign(key(1), A, TIMEOUT, 0).hold.unwrap();
    let Begin::Known(second) = shard.begin(key(1), TIMEOUT, 10) else { panic!() };
    shard.end(key(1), first, 20);
    // The second has been open for far longer than the timeout, as a WebSocket is.
    let late = 10 * TIMEOUT;
    let Begin::Known(third) = shard.begin(key(1), TIMEOUT, late) else { panic!("an open request holds it") };
    assert_eq!(third.target, A);
    shard.end(key(1), third.hold, late);
    assert!(shard.peek(key(1), 20 * TIMEOUT).is_some_and(|row| row.open == 1));
    shard.end(key(1), second.hold, late + 5);
    assert!(shard.peek(key(1), late + 4 + TIMEOUT).is_some());
    assert_eq!(shard.begin(key(1), TIMEOUT, late + 5 + TIMEOUT), Begin::Absent);
    assert!(shard.is_empty() && shard.counts().expired == 1);
}

#[test]
fn the_first_writer_wins() {
    let mut shard = shard(8);
    assert!(shard.assign(key(1), A, TIMEOUT, 0).is_new);
    let second = shard.assign(key(1), B, TIMEOUT, 0);
    assert!(!second.is_new && second.target == A && second.hold.is_some());
    assert_eq!(shard.peek(key(1), 0).unwrap().open, 2);
}

#[test]
fn one_that_came_once_goes_and_an_open_one_never() {
    let mut shard = shard(3);
    let open = shard.assign(key(0), A, TIMEOUT, 0);
    used(&mut shard, 1, A, 1);
    used(&mut shard, 2, A, 2);
    // A request comes back to 1, which spares it.
    used(&mut shard, 1, A, 3);
    assert!(used(&mut shard, 3, B, 4).evicted);
    assert!(shard.peek(key(2), 4).is_none() && shard.peek(key(1), 4).is_some());
    let holds: Vec<_> = [1, 3].map(|client| shard.assign(key(client), A, TIMEOUT, 5).hold.unwrap()).into();
    let full = shard.assign(key(4), B, TIMEOUT, 5);
    assert_eq!(full, Assigned { target: B, hold: None, is_new: false, evicted: false });
    assert_eq!((shard.counts().evicted, shard.counts().full, shard.len()), (1, 1, 3));
    shard.end(key(0), open.hold.unwrap(), 6);
    shard.end(key(1), holds[0], 7);
    assert!(used(&mut shard, 4, B, 8).evicted && shard.peek(key(0), 8).is_none(), "nothing came back to 0");
    assert_eq!(SessionShard::new(0, SessionSeed::new([0, 0])).assign(key(1), A, 1, 0).hold, None);
}

#[test]
fn an_expired_session_makes_room_before_a_live_one_goes() {
    let mut shard = shard(2);
    used(&mut shard, 1, A, 0);
    used(&mut shard, 2, A, TIMEOUT - 1);
    assert!(!used(&mut shard, 3, A, TIMEOUT).evicted, "session 1 has expired");
    assert_eq!((shard.counts().expired, shard.counts().evicted), (1, 0));
}

#[test]
fn a_request_does_not_end_one_of_a_later_session() {
    let mut shard = shard(8);
    let old = shard.assign(key(1), A, TIMEOUT, 0).hold.unwrap();
    assert_eq!(shard.remove(key(1)), Some(A));
    let new = shard.assign(key(1), B, TIMEOUT, 0);
    assert!(new.is_new);
    shard.end(key(1), old, 5);
    assert_eq!(shard.peek(key(1), 5).unwrap().open, 1);
    shard.end(key(1), new.hold.unwrap(), 6);
    shard.end(key(1), new.hold.unwrap(), 7);
    assert_eq!(shard.peek(key(1), 7).map(|row| (row.open, row.last)), Some((0, 6)));
    assert_eq!(shard.remove(key(9)), None);
}

#[test]
fn of_two_moves_the_first_decides() {
    let mut shard = shard(8);
    let c = TargetId(3);
    used(&mut shard, 1, A, 0);
    assert_eq!(shard.reassign(key(1), A, B), Some(B));
    assert_eq!(shard.reassign(key(1), A, c), Some(B));
    assert_eq!(shard.reassign(key(2), A, c), None);
    assert_eq!(shard.counts().moved, 1);
    assert!(shard.correct(key(1), c) && !shard.correct(key(1), c) && !shard.correct(key(2), c));
    assert_eq!(shard.peek(key(1), 0).unwrap().target, c);
}

/// The store confirms each touch at once.
fn told(shard: &mut SessionShard, now: u64, most: usize) -> Vec<Touch> {
    let touches = shard.take_touches(now, 0, most);
    touches.iter().for_each(|touch| shard.mark_synced(touch.key, now));
    shard.check().unwrap();
    touches
}

#[test]
fn touches_are_coalesced_and_only_of_sessions_in_use() {
    // Of sessions with this timeout the store hears every 16 seconds.
    const INTERVAL: u64 = 16_000;
    assert_eq!(Pace::of(TIMEOUT).interval_ms(), INTERVAL);
    let mut shard = shard(100);
    for client in 0..6 {
        used(&mut shard, client, A, 0);
    }
    let open = shard.assign(key(5), A, TIMEOUT, 0);
    (1..6).for_each(|client| shard.mark_synced(key(client), 0));
    assert!(told(&mut shard, INTERVAL - 1, 100).is_empty());
    // 0 is not in the store; 1 is used often, 2 once, 3 not at all; 4 has expired by then; 5 is open.
    for now in 1..100 {
        used(&mut shard, 0, A, now);
        used(&mut shard, 1, A, now);
    }
    used(&mut shard, 2, A, 50);
    let Begin::Known(known) = shard.begin(key(4), 100, 20) else { panic!() };
    assert_eq!(known.in_store, InStore::Synced(0));
    shard.end(key(4), known.hold, 20);
    let touch =
        |client, target, remaining_ms| Touch { key: key(client), target, remaining_ms, timeout_ms: TIMEOUT };
    assert_eq!(
        told(&mut shard, INTERVAL, 100),
        [touch(1, A, TIMEOUT - INTERVAL + 99), touch(2, A, TIMEOUT - INTERVAL + 50), touch(5, A, TIMEOUT)]
    );
    // Session 3 comes back, and the store hears of it at once, but only once.
    assert_eq!(shard.reassign(key(3), A, B), Some(B));
    used(&mut shard, 3, A, 24_000);
    assert_eq!(told(&mut shard, 24_000, 1), [touch(3, B, TIMEOUT)]);
    used(&mut shard, 3, A, 24_001);
    assert_eq!(told(&mut shard, 24_001, 100), []);
    // The open one is heard of without a request.
    shard.end(key(5), open.hold.unwrap(), 31_000);
    assert_eq!(told(&mut shard, 32_000, 100), [touch(5, A, TIMEOUT - 1_000)]);
    assert_eq!(told(&mut shard, 40_000, 100), [touch(3, B, TIMEOUT - 15_999)]);
    assert_eq!(told(&mut shard, 150_000, 100), []);
}

#[test]
fn what_may_have_changed_in_the_store_is_told_soon() {
    let mut shard = shard(100);
    for (client, at) in [(0, 0), (1, 5_000)] {
        used(&mut shard, client, A, at);
        shard.mark_synced(key(client), at);
        used(&mut shard, client, A, at + 1);
    }
    // Something has changed there before 4 999, when 0 had been told and 1 had not.
    let doubted = |shard: &mut SessionShard, now| -> Vec<_> {
        shard.take_touches(now, 4_999, 100).into_iter().map(|touch| touch.key).collect()
    };
    assert_eq!(doubted(&mut shard, 3_999), [], "it was told just now");
    assert_eq!(doubted(&mut shard, 9_500), [key(0)]);
    assert_eq!(doubted(&mut shard, 20_999), [key(0)], "it was not confirmed, and 1 is certain");
    assert_eq!(doubted(&mut shard, 21_000), [key(1)]);
}

#[test]
fn short_sessions_are_told_more_often_than_long_ones() {
    let mut shard = shard(100);
    for (client, timeout) in [(0, 20_000_000), (1, 10_000)] {
        let assigned = shard.assign(key(client), A, timeout, 0);
        shard.mark_synced(key(client), 0);
        // It is open all the time.
        assert!(assigned.hold.is_some());
    }
    let told = |shard: &mut SessionShard, now| -> Vec<_> {
        told(shard, now, 100).into_iter().map(|touch| touch.key).collect()
    };
    assert_eq!(told(&mut shard, 3_999), []);
    assert_eq!(told(&mut shard, 4_000), [key(1)]);
    assert_eq!(told(&mut shard, 63_999), [key(1)]);
    assert_eq!(told(&mut shard, 64_000), [key(0)]);
    // After a reload its timeout is a short one, from its next request on.
    shard.begin(key(0), 10_000, 65_000);
    assert_eq!(told(&mut shard, 128_000), [key(1), key(0)]);
    assert_eq!(told(&mut shard, 132_000), [key(1), key(0)]);
}

#[test]
fn what_the_store_does_not_confirm_is_told_again() {
    let mut shard = shard(100);
    let touched = |shard: &mut SessionShard, now| -> Vec<_> {
        shard.take_touches(now, 0, 100).into_iter().map(|touch| touch.key).collect()
    };
    for client in 0..3 {
        used(&mut shard, client, A, 0);
    }
    // 0 is in the store, 1 could not be told of, and 2 needs no store.
    shard.mark_synced(key(0), 0);
    shard.mark_owed(key(1), 0);
    used(&mut shard, 0, A, 1);
    assert_eq!(touched(&mut shard, 4_000), [key(1)]);
    assert_eq!(touched(&mut shard, 7_999), [], "not at once");
    assert_eq!(touched(&mut shard, 16_000), [key(1), key(0)], "nothing was confirmed");
    shard.confirm(key(1), A, 18_500);
    shard.confirm(key(0), B, 18_500);
    assert_eq!(touched(&mut shard, 20_000), [key(0)], "it was confirmed at another target");
    shard.mark_synced(key(0), 20_000);
    assert_eq!(touched(&mut shard, 90_000), [], "unused and confirmed");
    let Begin::Known(known) = shard.begin(key(1), TIMEOUT, 90_000) else { panic!() };
    assert_eq!(known.in_store, InStore::Synced(18_500));
    shard.check().unwrap();
}

/// A session that requests come back to stays while others come once each, wherever it is in the queue; among such sessions
/// alone, those go that have been unused for long.
#[test]
fn sessions_in_use_survive_those_that_come_once() {
    let mut shard = shard(1_000);
    for client in 0..500 {
        used(&mut shard, client, A, 0);
    }
    for number in 0..20_000 {
        let now = u64::from(number);
        for (client, target) in [(number % 500, A), (1_000 + number, B)] {
            let assigned = shard.assign(key(client), target, TIMEOUT, now);
            shard.end(key(client), assigned.hold.unwrap(), now);
        }
    }
    shard.check().unwrap();
    assert!((0..500).all(|client| shard.peek(key(client), 20_000).is_some()));
    assert_eq!(shard.len(), 1_000);

    let mut full = self::shard(1_000);
    for round in 0..2 {
        for client in 0..1_000 {
            let assigned = full.assign(key(client), A, TIMEOUT, round * 1_000 + u64::from(client));
            full.end(key(client), assigned.hold.unwrap(), round * 1_000 + u64::from(client));
        }
    }
    // All have been used, in this order; the new ones take the places of those that were used first.
    for number in 0..100 {
        used(&mut full, 5_000 + number, B, 3_000);
    }
    let oldest = (0..500).filter(|&client| full.peek(key(client), 3_000).is_none()).count();
    assert!(oldest >= 90, "{oldest} of 100 were among the older half");
}

#[test]
fn a_walk_sees_all_that_is_there_while_others_come_and_go() {
    let mut shard = shard(10_000);
    for client in 0..1_000 {
        used(&mut shard, client, A, 0);
    }
    let (mut seen, mut cursor, mut slices) = (HashSet::new(), None, 0);
    loop {
        let slice = shard.rows(cursor, 64, 0);
        assert!(slice.rows.len() <= 64);
        seen.extend(slice.rows.iter().map(|row| row.key.client));
        let Some(next) = slice.next else { break };
        cursor = Some(next);
        slices += 1;
        // One goes from each end, one comes.
        assert!(shard.remove(key(slices * 13)).is_some());
        assert!(shard.remove(key(999 - slices * 11)).is_some());
        used(&mut shard, 2_000 + slices, A, 0);
    }
    let stays = |client: u32| shard.peek(key(client), 0).is_some();
    assert!((0..1_000).filter(|&client| stays(client)).all(|client| seen.contains(&client.into())));
    assert!(slices >= 14);
}

#[test]
fn the_sessions_of_a_target_move_or_go_in_slices() {
    let mut shard = shard(10_000);
    for client in 0..1_000 {
        used(&mut shard, client, if client % 2 == 0 { A } else { B }, 0);
    }
    for (from, to, expected) in
        [(A, Some(TargetId(3)), 500), (A, None, 0), (B, None, 500), (TargetId(3), None, 500)]
    {
        let (mut changed, mut cursor) = (0, None);
        loop {
            let walked = shard.move_target(from, to, cursor, 50);
            shard.check().unwrap();
            changed += walked.changed;
            cursor = walked.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(changed, expected, "{from:?} {to:?}");
        assert!(shard.rows(None, u32::MAX, 0).rows.iter().all(|row| row.target != from));
    }
    assert!(shard.is_empty() && shard.counts().moved == 500);
}

#[test]
fn a_sweep_removes_what_has_expired_and_gives_memory_back() {
    let mut shard = shard(20_000);
    for client in 0..20_000 {
        shard.assign(key(client), A, TIMEOUT, 0);
    }
    let peak = shard.bytes();
    assert_eq!((0..400).map(|_| shard.sweep(TIMEOUT, 100)).sum::<u32>(), 0, "all are open");
    let rows = shard.rows(None, u32::MAX, TIMEOUT).rows;
    let hold = |client: u32| Hold(client + 1);
    rows.iter().map(|row| row.key.client as u32).for_each(|client| shard.end(key(client), hold(client), 0));
    used(&mut shard, 19_000, A, TIMEOUT - 1);
    let mut calls = 0;
    while shard.len() > 1 {
        assert!(shard.sweep(TIMEOUT, 100) <= 100);
        calls += 1;
        assert!(calls < 500, "two walks at most");
    }
    shard.check().unwrap();
    assert!(shard.peek(key(19_000), TIMEOUT).is_some());
    assert!(shard.bytes() * 20 < peak, "{} of {peak}", shard.bytes());
}

/// The share of the busiest address (SP3).
#[test]
fn the_busiest_session_of_each_scope_is_counted_per_minute() {
    let mut shard = shard(100);
    let mut request = |scope, client, now| {
        let key = SessionKey { scope, client };
        let hold = shard.assign(key, A, TIMEOUT, now).hold.unwrap();
        shard.end(key, hold, now);
        let mut loads = shard.loads(now);
        loads.sort_by_key(|load| load.scope);
        loads
    };
    for second in 0..60 {
        request(1, 10, second * 1_000);
        request(1, if second % 2 == 0 { 11 } else { 12 }, second * 1_000);
    }
    assert_eq!(request(2, 20, 59_999), [], "the minute is not over");
    let load = |scope, requests, busiest, client| ScopeLoad { scope, requests, busiest, client };
    assert_eq!(request(1, 12, 60_000), [load(1, 120, 60, 10), load(2, 1, 1, 20)]);
    assert_eq!(request(1, 12, 59_000), [load(1, 120, 60, 10), load(2, 1, 1, 20)], "a clock that is behind");
    assert_eq!(request(2, 20, 120_000), [load(1, 2, 2, 12)]);
    assert_eq!(request(2, 20, 240_000), [], "a minute without a request is between");
}

#[test]
fn scopes_of_past_configurations_go_when_room_is_needed() {
    let mut shard = shard(100_000);
    for scope in 0..5_000 {
        shard.assign(SessionKey { scope, client: 1 }, A, TIMEOUT, 0);
    }
    assert_eq!(shard.loads(60_000).len(), 1_024);
    for scope in 10_000..10_100 {
        shard.assign(SessionKey { scope, client: 1 }, A, TIMEOUT, 300_000);
    }
    assert_eq!(shard.loads(360_000).len(), 100);
}

#[test]
fn keys_that_differ_in_one_bit_spread_over_shards_by_a_seed() {
    let seed = SessionSeed::new([3, 4]);
    let mut counts = [0_u32; 64];
    for client in 0..64_000 {
        counts[key(client).shard(seed, 64)] += 1;
    }
    assert!(counts.iter().all(|count| count.abs_diff(1_000) < 150), "{counts:?}");
    // Keys that an attacker has found to share a shard, for instance by the times of responses, part with another seed.
    let together: Vec<_> = (0..64_000).map(key).filter(|key| key.shard(seed, 64) == 0).collect();
    let other: HashSet<_> = together.iter().map(|key| key.shard(SessionSeed::new([3, 5]), 64)).collect();
    assert_eq!(other.len(), 64);
    assert_eq!(key(1).shard(seed, 1), 0);
}

#[test]
fn a_key_survives_the_form_in_an_entry() {
    for client in [0, 1, u128::MAX, 1 << 64, (1 << 64) - 1, 0x2001_0db8 << 96] {
        let key = SessionKey { scope: u64::MAX - 1, client };
        assert_eq!(SessionKey::from_words(key.words()), key);
    }
}

/// The bar: at most 96 bytes beyond an entry's own data (key, target and four times).
#[test]
fn a_session_takes_few_bytes() {
    let data = size_of::<[u64; 3]>() + size_of::<TargetId>() + 3 * size_of::<u64>() + size_of::<u32>();
    assert!(size_of::<Entry>() <= data + 48, "{}", size_of::<Entry>());
    // 10⁶ sessions in 64 shards, and the sizes at which an index has just grown, in which most of it is empty.
    for sessions in [15_625, 14_337, 28_673, 1_793, 262_144] {
        let mut shard = shard(sessions);
        for client in 0..sessions {
            shard.assign(key(client), A, TIMEOUT, 0);
        }
        let each = shard.bytes() / sessions as usize;
        assert!(each <= data + 96, "{each} bytes for each of {sessions} sessions");
        assert!(each <= 128, "{each} bytes for each of {sessions} sessions");
    }
    let mut few = shard(1_000_000);
    assert!(few.bytes() < 64, "an empty shard");
    used(&mut few, 1, A, 0);
    assert!(few.bytes() <= PIECE as usize * size_of::<Entry>() + 256);
}

#[test]
fn a_lowered_capacity_keeps_what_is_in_use() {
    let mut shard = SessionShard::new(8, SessionSeed::new([1, 2]));
    let key = |client| SessionKey { scope: 1, client };
    let holds: Vec<_> =
        (0..8).map(|client| shard.assign(key(client), TargetId(1), 1_000, 0).hold.unwrap()).collect();
    (2..8).for_each(|client| shard.end(key(client), holds[client as usize], client as u64));
    shard.set_capacity(4);
    let left: Vec<_> = (0..8).filter(|&client| shard.peek(key(client), 10).is_some()).collect();
    assert_eq!(left, [0, 1, 6, 7], "two are in use, and two came last");
    shard.set_capacity(1);
    assert_eq!(shard.len(), 2, "what is in use stays");
    assert!(shard.assign(key(9), TargetId(1), 1_000, 10).hold.is_none(), "and leaves no room");
}
