use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6};

use super::entry::Entry;
use super::pieces::PIECE;
use super::*;

/// What the caller keeps with a flow: a socket, a session's hold and the like.
type Payload = [u64; 2];
type Table = ConnectionTable<Payload>;

const LIMITS: FlowLimits = FlowLimits { flows: 100, unanswered: 10 };
const DNS: ListenerNumber = ListenerNumber(0);
const QUIC: ListenerNumber = ListenerNumber(3);

fn table(limits: FlowLimits) -> Table {
    ConnectionTable::new(limits, [1, 2])
}

fn source(number: u32) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::from_bits(0x0a00_0000 + number).into(), 5_000)
}

fn ends(number: u32) -> Ends {
    Ends { source: source(number), destination: "192.0.2.1:53".parse().unwrap() }
}

fn flow(number: u32, listener: ListenerNumber) -> Opening<Payload> {
    Opening {
        protocol: Protocol::Udp,
        ends: ends(number),
        state: State::Unanswered,
        listener,
        idle_timeout: IdleTimeout::Ends(300_000),
        payload: [number.into(), 0],
    }
}

fn connection(number: u32, idle_timeout: IdleTimeout) -> Opening<Payload> {
    Opening { protocol: Protocol::Tcp, state: State::Open, idle_timeout, ..flow(number, DNS) }
}

fn open(table: &mut Table, number: u32, listener: ListenerNumber, now: u64) -> Opened<Payload> {
    table.open_flow(flow(number, listener), 100, now).unwrap()
}

/// The numbers of the connections that expire by `now`.
fn expired(table: &mut Table, now: u64) -> Vec<u64> {
    let mut gone = Vec::new();
    while table.expire(now, 50, |ended| gone.push(ended.payload[0])) {}
    gone
}

#[test]
fn a_row_says_what_an_operator_asks() {
    let mut table = table(LIMITS);
    let id = table.insert(connection(7, IdleTimeout::Shown(60_000)), 1_000);
    table.moved(id, Direction::In, 10, 3_000);
    table.moved(id, Direction::Out, 500, 4_000);
    table.moved(id, Direction::Out, 1, 3_500);
    table.set_server(id, Some(ServerNumber(9)));
    table.set_state(id, State::ClientFinished);
    table.set_session(id, NonZeroU64::new(77));
    let expected = Row {
        id,
        protocol: Protocol::Tcp,
        ends: ends(7),
        server: Some(ServerNumber(9)),
        state: State::ClientFinished,
        listener: DNS,
        age: 9_000,
        idle: 6_000,
        idle_remaining: Some(54_000),
        bytes_in: 10,
        bytes_out: 501,
        session: NonZeroU64::new(77),
    };
    assert_eq!(table.row(id, 10_000), Some(expected));
    assert_eq!((table.payload(id), table.open(DNS), table.open(QUIC)), (Some(&[7, 0]), 1, 0));
    table.set_server(id, None);
    table.set_idle_timeout(id, IdleTimeout::None, 10_000);
    let row = table.row(id, 10_000).unwrap();
    assert_eq!((row.server, row.idle_remaining), (None, None));
}

#[test]
fn a_stale_id_names_nothing() {
    let mut table = table(LIMITS);
    let old = table.insert(connection(1, IdleTimeout::None), 0);
    assert_eq!(table.remove(old, 5).unwrap().payload, [1, 0]);
    let new = table.insert(connection(2, IdleTimeout::None), 6);
    assert_eq!((old.place, table.len()), (new.place, 1));
    assert!(table.row(old, 9).is_none() && table.payload(old).is_none() && table.remove(old, 9).is_none());
    assert!(!table.moved(old, Direction::In, 9, 9) && table.reply(old, 9, 9).is_none());
    table.set_state(old, State::Closing);
    let row = table.row(new, 9).unwrap();
    assert_eq!((row.state, row.bytes_in), (State::Open, 0));
}

#[test]
fn addresses_come_out_as_they_went_in() {
    let zone = |port| SocketAddrV6::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1), port, 0, 7).into();
    for (source, destination) in [
        ("192.0.2.1:1".parse().unwrap(), "198.51.100.7:65535".parse().unwrap()),
        ("[2001:db8::1]:5".parse().unwrap(), "[2001:db8::2]:53".parse().unwrap()),
        ("[::1]:0".parse().unwrap(), "[::]:0".parse().unwrap()),
        (zone(9), zone(53)),
        (zone(9), "[2001:db8::2]:53".parse().unwrap()),
    ] {
        let mut table = table(LIMITS);
        let ends = Ends { source, destination };
        let id = table.open_flow(Opening { ends, ..flow(0, DNS) }, 1, 0).unwrap().id;
        assert_eq!(table.row(id, 0).unwrap().ends, ends);
        assert_eq!(table.reply(id, 1, 0), Some(ends));
    }
    let mapped = "[::ffff:192.0.2.1]:1".parse().unwrap();
    let mut table = table(LIMITS);
    table.open_flow(Opening { ends: Ends { source: mapped, ..ends(0) }, ..flow(0, DNS) }, 1, 0).unwrap();
    let plain = Ends { source: "192.0.2.1:1".parse().unwrap(), ..ends(0) };
    assert!(matches!(table.datagram(plain, 1, 0), Datagram::Flow(_)));
}

#[test]
fn both_addresses_and_ports_are_the_key_of_a_flow() {
    let mut table = table(LIMITS);
    let id = open(&mut table, 1, DNS, 0).id;
    let at = |source: &str, destination: &str| Ends {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
    };
    assert_eq!(table.datagram(at("10.0.0.1:5000", "192.0.2.1:53"), 0, 9), Datagram::Flow(id));
    for other in [
        at("10.0.0.2:5000", "192.0.2.1:53"),
        at("10.0.0.1:5001", "192.0.2.1:53"),
        at("10.0.0.1:5000", "192.0.2.2:53"),
        at("10.0.0.1:5000", "192.0.2.1:54"),
    ] {
        assert_eq!(table.datagram(other, 1, 0), Datagram::Unknown);
    }
    let row = table.row(id, 9).unwrap();
    assert_eq!((row.bytes_in, row.idle), (100, 0), "an empty datagram counts as one");
}

#[test]
fn a_connection_ends_when_no_byte_has_moved_for_its_timeout() {
    let mut table = table(LIMITS);
    let id = table.insert(connection(1, IdleTimeout::Ends(1_000)), 0);
    table.insert(connection(2, IdleTimeout::Shown(1_000)), 0);
    table.insert(connection(3, IdleTimeout::None), 0);
    table.insert(connection(4, IdleTimeout::Ends(86_400_000)), 0);
    table.moved(id, Direction::In, 1, 999);
    for now in (0..2_000).step_by(100) {
        assert!(expired(&mut table, now).is_empty(), "{now}");
    }
    // 1999 ms, rounded up to a tick.
    assert_eq!(expired(&mut table, 2_048), [1]);
    assert!(expired(&mut table, 86_400_000 - 1).is_empty());
    assert_eq!(expired(&mut table, 86_400_000 + 128), [4]);
    assert_eq!((table.len(), table.counts().expired), (2, 2));
    table.check().unwrap();
}

#[test]
fn an_idle_timeout_can_change() {
    let mut table = table(LIMITS);
    let id = table.insert(connection(1, IdleTimeout::None), 0);
    table.set_idle_timeout(id, IdleTimeout::Ends(500_000), 10);
    table.set_idle_timeout(id, IdleTimeout::Ends(1_000), 20);
    assert_eq!(expired(&mut table, 1_024), [1]);
    let id = table.insert(connection(2, IdleTimeout::Ends(1_000)), 2_000);
    table.set_idle_timeout(id, IdleTimeout::Shown(1_000), 2_100);
    assert!(expired(&mut table, 900_000).is_empty());
    table.set_idle_timeout(id, IdleTimeout::Ends(1_000), 900_000);
    assert_eq!(expired(&mut table, 900_128), [2], "it was idle long enough already");
}

#[test]
fn expiry_works_in_steps() {
    let mut table = table(LIMITS);
    for number in 0..1_000 {
        table.insert(connection(number, IdleTimeout::Ends(1_000)), 0);
    }
    let (mut gone, mut calls) = (0, 0);
    loop {
        let before = gone;
        let goes_on = table.expire(5_000, 64, |_| gone += 1);
        assert!(gone - before <= 64);
        calls += 1;
        if !goes_on {
            break;
        }
    }
    assert_eq!((gone, table.len()), (1_000, 0));
    assert!((16..30).contains(&calls), "{calls}");
}

#[test]
fn a_long_pause_visits_each_slot_once() {
    let mut table = table(LIMITS);
    table.insert(connection(1, IdleTimeout::Ends(3_000_000)), 0);
    table.insert(connection(2, IdleTimeout::Ends(u32::MAX)), 0);
    let mut gone = Vec::new();
    let goes_on = table.expire(4_000_000_000, 2_048 + 1 + 40_000, |ended| gone.push(ended.payload[0]));
    assert!(!goes_on);
    assert_eq!(gone, [1]);
    table.check().unwrap();
}

#[test]
fn the_oldest_unanswered_flow_makes_room_and_an_answered_one_never() {
    let mut table = table(LIMITS);
    let answered = open(&mut table, 0, DNS, 0).id;
    assert_eq!(table.row(answered, 0).unwrap().state, State::Unanswered);
    assert_eq!(table.reply(answered, 40, 1), Some(ends(0)));
    for number in 1..=10 {
        assert!(open(&mut table, number, DNS, 2).evicted.is_none());
    }
    for number in 11..500 {
        let evicted = open(&mut table, number, DNS, 3).evicted.unwrap();
        assert_eq!(evicted.payload[0], u64::from(number) - 10);
        assert_eq!((evicted.row.state, evicted.row.ends), (State::Unanswered, ends(number - 10)));
    }
    let row = table.row(answered, 4).unwrap();
    assert_eq!((row.state, row.bytes_out), (State::Answered, 40));
    assert_eq!((table.flows(), table.unanswered(), table.counts().evicted), (11, 10, 489));
    table.check().unwrap();
}

#[test]
fn a_table_full_of_answered_flows_refuses_new_ones() {
    let mut table = table(FlowLimits { flows: 20, unanswered: 5 });
    for number in 0..20 {
        let id = open(&mut table, number, DNS, 0).id;
        table.reply(id, 1, 0).unwrap();
    }
    assert!(!table.has_room());
    assert_eq!(table.open_flow(flow(99, DNS), 1, 1), Err(Full([99, 0])));
    assert_eq!((table.flows(), table.counts().refused, table.counts().evicted), (20, 1, 0));
    assert_eq!(expired(&mut table, 400_000).len(), 20);
    assert!(table.has_room() && open(&mut table, 99, DNS, 400_001).evicted.is_none());
}

#[test]
fn a_flood_at_one_listener_costs_flows_of_that_listener() {
    let mut table = table(LIMITS);
    let quiet: Vec<_> = (0..3).map(|number| open(&mut table, number, QUIC, 0).id).collect();
    for number in 10..500 {
        open(&mut table, number, DNS, 1);
        assert_eq!(table.unanswered(), (number - 10 + 4).min(10));
    }
    assert!(quiet.iter().all(|&id| table.row(id, 2).is_some()));
    // A flow of the other listener takes the place of one of the flood.
    let evicted = open(&mut table, 3, QUIC, 2).evicted.unwrap();
    assert_eq!(evicted.row.listener, DNS);
    assert_eq!((table.open(QUIC), table.open(DNS)), (4, 6));
    table.check().unwrap();
}

#[test]
fn a_listener_at_its_limit_can_give_up_an_unanswered_flow() {
    let mut table = table(LIMITS);
    assert_eq!(table.evict_unanswered(DNS, 0), None);
    let first = open(&mut table, 1, DNS, 0).id;
    open(&mut table, 2, DNS, 0);
    table.reply(first, 1, 0);
    assert_eq!(table.evict_unanswered(QUIC, 1), None);
    assert_eq!(table.evict_unanswered(DNS, 1).unwrap().payload[0], 2);
    assert_eq!(table.evict_unanswered(DNS, 1), None, "the other one has had a reply");
}

#[test]
fn a_walk_in_slices_sees_what_stays_exactly_once() {
    let mut table = table(LIMITS);
    let ids: Vec<_> =
        (0..1_000).map(|number| table.insert(connection(number, IdleTimeout::None), 0)).collect();
    let stays = |number: u64| number % 7 == 3;
    let (mut seen, mut cursor, mut slices) = (Vec::new(), None, 0);
    loop {
        let mut count = 0;
        cursor = table.walk(cursor, 30, 0, |row, payload| {
            count += 1;
            assert_eq!(row.ends, ends(payload[0] as u32));
            seen.push(payload[0]);
        });
        assert!(count <= 30);
        // Others come and go meanwhile, in front of the cursor and behind it.
        for (number, &id) in ids.iter().enumerate().skip(slices * 17).take(60) {
            if !stays(number as u64) {
                table.remove(id, 0);
            }
        }
        for more in 0..5 {
            table.insert(connection(5_000 + more, IdleTimeout::None), 0);
        }
        slices += 1;
        if cursor.is_none() {
            break;
        }
    }
    seen.retain(|&number| number < 1_000 && stays(number));
    let expected: Vec<_> = (0..1_000).filter(|&number| stays(number)).collect();
    seen.sort_unstable();
    assert_eq!(seen, expected);
    assert!(slices > 1_000 / 30 / 2, "{slices}");
}

/// The bar: at most 160 bytes for a flow, with the index and with what the caller keeps.
#[test]
fn a_flow_takes_few_bytes() {
    assert!(size_of::<Option<Entry<Payload>>>() <= 144, "{}", size_of::<Option<Entry<Payload>>>());
    // 10⁶ in one table, and a size at which the index has just grown, so that most of it is empty.
    for flows in [1_000_000, 14_337] {
        let mut table = table(FlowLimits { flows, unanswered: flows });
        for number in 0..flows {
            open(&mut table, number, DNS, 0);
        }
        let each = table.bytes() / flows as usize;
        assert!(each <= 160, "{each} bytes for each of {flows} flows");
        assert_eq!(expired(&mut table, 300_032).len(), flows as usize);
        assert!(table.bytes() < 32 * 1024, "{} bytes are left", table.bytes());
    }
    assert!(table(LIMITS).bytes() < 64, "an empty table");
}

#[test]
fn memory_goes_back_although_some_connections_stay() {
    let mut table = table(LIMITS);
    let count = 100 * PIECE;
    let ids: Vec<_> =
        (0..count).map(|number| table.insert(connection(number, IdleTimeout::None), 0)).collect();
    let full = table.bytes();
    for (number, &id) in ids.iter().enumerate() {
        if number % 640 != 5 {
            table.remove(id, 0);
        }
    }
    assert_eq!(table.len(), 10);
    assert!(table.bytes() < full / 7, "{} of {full}", table.bytes());
    // New ones use the free places of pieces that are there.
    let before = table.bytes();
    for number in 0..300 {
        table.insert(connection(number, IdleTimeout::None), 0);
    }
    assert!(table.bytes() <= before + 1_024, "{} of {before}", table.bytes());
    table.check().unwrap();
}

#[test]
fn words_are_unique() {
    let words: std::collections::HashSet<_> = State::ALL.iter().map(|state| state.as_str()).collect();
    assert_eq!(words.len(), State::ALL.len());
}
