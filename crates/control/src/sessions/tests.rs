use balance::session::{InStore, SessionKey, TargetId};

use super::directory::Named;
use super::list::Place;
use super::*;

#[test]
fn a_text_is_an_address_a_prefix_a_key_or_a_cookie() {
    let v4 = "192.0.2.7".parse().unwrap();
    let v6 = "2001:db8::".parse().unwrap();
    for (text, named) in [
        ("192.0.2.7", Named::Address(v4)),
        ("2001:db8::", Named::Address(v6)),
        ("192.0.2.7/24", Named::Prefix(v4, 24)),
        ("2001:db8::/64", Named::Prefix(v6, 64)),
        ("00ff00000000abcd", Named::Digits(0x00ff_0000_0000_abcd, "00ff00000000abcd")),
        ("+0ff00000000abcd", Named::Cookie("+0ff00000000abcd")),
        ("00ff00000000abc", Named::Cookie("00ff00000000abc")),
        ("192.0.2.7/x", Named::Cookie("192.0.2.7/x")),
        ("SID=abc", Named::Cookie("SID=abc")),
        ("", Named::Cookie("")),
    ] {
        assert_eq!(Named::parse(text), named, "{text}");
    }
}

#[test]
fn the_time_left_counts_from_the_end_of_the_last_request() {
    let row = Row {
        key: SessionKey { scope: 1, client: 2 },
        target: TargetId(3),
        created: 1_000,
        last: 2_000,
        open: 0,
        timeout_ms: 10_000,
        in_store: InStore::Unknown,
    };
    assert_eq!(remaining_millis(&row, 5_000), 7_000);
    assert_eq!(remaining_millis(&row, 20_000), 0);
    assert_eq!(remaining_millis(&Row { open: 1, ..row }, 20_000), 10_000);
}

#[test]
fn a_walk_goes_over_all_shards_of_all_tables() {
    let mut place = Place::default();
    let mut seen = Vec::new();
    while place.table < 2 {
        seen.push((place.table, place.shard));
        place.advance(None, 2);
    }
    assert_eq!(seen, [(0, 0), (0, 1), (1, 0), (1, 1)]);
}

#[test]
fn an_unknown_name_comes_with_the_nearest() {
    let error = Unanswered::unknown("target group", "ap", ["app", "other"]);
    assert_eq!(error.to_string(), "there is no target group `ap`; did you mean `app`?");
}
