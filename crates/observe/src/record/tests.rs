//! Tests of the access record.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::Finished;

static LISTENER: LazyLock<ListenerName> = LazyLock::new(|| ListenerName::new("web"));
static GROUP: LazyLock<TargetGroupName> = LazyLock::new(|| TargetGroupName::new("app"));

/// An ordinary request, with every field set that an ordinary request has.
pub(crate) fn example() -> AccessRecord<'static> {
    AccessRecord {
        unix_micros: 1_767_225_600_123_456,
        request_id: b"01JGFJJZ00ABCDEF",
        listener: &LISTENER,
        client: [192, 0, 2, 7].into(),
        peer: ([10, 0, 0, 1], 40_312).into(),
        method: b"GET",
        host: b"shop.example.com",
        request_target: b"/cart?item=7&q=a%20b",
        version: "1.1",
        status: 200,
        made_by: MadeBy::Target,
        failure: None,
        detail: "",
        rule: Some(2),
        group: Some(&GROUP),
        target: Some(([10, 0, 0, 9], 8080).into()),
        attempts: 1,
        reused: true,
        session: Some(crate::SessionOutcome::Kept),
        request_body_bytes: 0,
        response_body_bytes: 5_120,
        coding: None,
        plain_body_bytes: 0,
        phases: PhaseTimes {
            read_head: Some(31),
            connect: None,
            respond: Some(4_022),
            relay: Some(190),
            total: 4_250,
        },
        user_agent: Some(b"Mozilla/5.0 (X11; Linux x86_64)"),
        referer: Some(b"https://shop.example.com/"),
        tunnel: false,
        tls_version: "",
        tls_cipher: "",
        client_subject: b"",
        connection_request: 3,
    }
}

impl AccessRecord<'_> {
    /// The part of the record that the metrics count.
    pub(crate) fn finished(&self) -> Finished {
        Finished {
            status: self.status,
            made_by: self.made_by,
            failure: self.failure,
            attempts: self.attempts,
            phases: self.phases,
            coding: self.coding,
            plain_body_bytes: self.plain_body_bytes,
            response_body_bytes: self.response_body_bytes,
            session: None,
        }
    }
}

/// A request that failed before its head could be read.
fn unreadable() -> AccessRecord<'static> {
    AccessRecord {
        method: b"",
        host: b"",
        request_target: b"",
        version: "",
        status: 400,
        made_by: MadeBy::Evenkeel,
        failure: Some(Failure::RequestMalformed),
        detail: "space in a field name",
        rule: None,
        group: None,
        target: None,
        attempts: 0,
        reused: false,
        session: None,
        response_body_bytes: 0,
        phases: PhaseTimes { total: 12, ..PhaseTimes::default() },
        user_agent: None,
        referer: None,
        connection_request: 1,
        ..example()
    }
}

fn text(record: &AccessRecord<'_>) -> String {
    line(record, LogFormat::Text)
}

fn json(record: &AccessRecord<'_>) -> serde_json::Map<String, serde_json::Value> {
    serde_json::from_str(&line(record, LogFormat::Json)).unwrap()
}

fn line(record: &AccessRecord<'_>, format: LogFormat) -> String {
    let mut out = Vec::new();
    record.write(format, &mut Timestamp::new(), &mut out);
    assert_eq!(out.pop(), Some(b'\n'));
    assert!(out.iter().all(|byte| (b' '..=b'~').contains(byte)), "{:?}", String::from_utf8_lossy(&out));
    String::from_utf8(out).unwrap()
}

#[test]
fn an_ordinary_request_as_text() {
    assert_eq!(
        text(&example()),
        "2026-01-01T00:00:00.123456Z 200 GET shop.example.com /cart?item=7&q=a%20b made_by=target \
         total_us=4250 read_head_us=31 respond_us=4022 relay_us=190 listener=web rule=2 group=app \
         target=10.0.0.9:8080 attempts=1 reused=1 session=kept client=192.0.2.7 peer=10.0.0.1:40312 version=1.1 \
         request_body_bytes=0 response_body_bytes=5120 connection_request=3 \
         user_agent=\"Mozilla/5.0 (X11; Linux x86_64)\" referer=\"https://shop.example.com/\" \
         request_id=01JGFJJZ00ABCDEF"
    );
}

#[test]
fn an_ordinary_request_as_json() {
    assert_eq!(
        line(&example(), LogFormat::Json),
        r#"{"time":"2026-01-01T00:00:00.123456Z","status":200,"method":"GET","host":"shop.example.com","#
            .to_owned()
            + r#""request_target":"/cart?item=7&q=a%20b","made_by":"target","total_us":4250,"#
            + r#""read_head_us":31,"respond_us":4022,"relay_us":190,"listener":"web","rule":2,"#
            + r#""group":"app","target":"10.0.0.9:8080","attempts":1,"reused":true,"session":"kept","client":"192.0.2.7","#
            + r#""peer":"10.0.0.1:40312","version":"1.1","request_body_bytes":0,"#
            + r#""response_body_bytes":5120,"connection_request":3,"#
            + r#""user_agent":"Mozilla/5.0 (X11; Linux x86_64)","referer":"https://shop.example.com/","#
            + r#""request_id":"01JGFJJZ00ABCDEF"}"#
    );
}

#[test]
fn a_request_that_could_not_be_read() {
    assert_eq!(
        text(&unreadable()),
        "2026-01-01T00:00:00.123456Z 400 - - - made_by=evenkeel reason=request_malformed \
         detail=\"space in a field name\" total_us=12 listener=web attempts=0 client=192.0.2.7 \
         peer=10.0.0.1:40312 request_body_bytes=0 response_body_bytes=0 connection_request=1 \
         request_id=01JGFJJZ00ABCDEF"
    );
    let json = json(&unreadable());
    assert_eq!(json["reason"], "request_malformed");
    for absent in
        ["method", "host", "request_target", "version", "rule", "group", "target", "reused", "tunnel"]
    {
        assert!(!json.contains_key(absent), "{absent}");
    }
}

#[test]
fn the_documented_examples_are_exact() {
    let document = include_str!("../../../../docs/access-log.md");
    assert!(document.contains(&text(&example())));
    assert!(document.contains(&line(&example(), LogFormat::Json)));
}

#[test]
fn every_reason_is_a_token() {
    for &failure in Failure::ALL {
        let record = AccessRecord { failure: Some(failure), ..example() };
        assert!(text(&record).contains(&format!(" reason={} ", failure.outcome().reason)));
    }
}

#[test]
fn ipv6_addresses_stand_in_brackets_where_a_port_follows() {
    let record = AccessRecord {
        client: "2001:db8::7".parse().unwrap(),
        peer: "[::1]:9".parse().unwrap(),
        ..example()
    };
    let written = json(&record);
    assert_eq!((&written["client"], &written["peer"]), (&"2001:db8::7".into(), &"[::1]:9".into()));
}

proptest! {
    #[test]
    fn hostile_bytes_stay_in_their_field(
        hostile in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'"'), Just(b'\n'), Just(b'\\')], 0..64),
        numbers: (u64, u64, u64, u16),
    ) {
        let record = AccessRecord {
            unix_micros: numbers.0,
            request_id: &hostile,
            method: &hostile,
            host: &hostile,
            request_target: &hostile,
            user_agent: Some(&hostile),
            referer: Some(&hostile),
            status: numbers.3,
            request_body_bytes: numbers.1,
            response_body_bytes: numbers.2,
            ..example()
        };
        let written = json(&record);
        let expected = String::from_utf8_lossy(&hostile);
        for key in ["request_id", "method", "host", "request_target", "user_agent", "referer"] {
            let value = written.get(key).map_or("", |value| value.as_str().unwrap());
            prop_assert_eq!(value, &expected);
        }
        prop_assert_eq!(written["request_body_bytes"].as_u64(), Some(numbers.1));
        prop_assert_eq!(written["status"].as_u64(), Some(u64::from(numbers.3)));

        let text = text(&record);
        let status = numbers.3.to_string();
        prop_assert_eq!(text.split(' ').nth(1), Some(status.as_str()));
        prop_assert!(text.split(' ').nth(5).unwrap().starts_with("made_by="), "the fields shifted: {}", text);
    }
}

#[test]
fn the_documentation_lists_exactly_the_fields() {
    let code = [include_str!("../record.rs"), include_str!("connection.rs")].concat();
    let keys = code.split("key!(\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0));
    let page = include_str!("../../../../docs/access-log.md");
    let documented = page.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0));
    let written: BTreeSet<_> = keys.chain(["time"]).collect();
    assert_eq!(documented.collect::<BTreeSet<_>>(), written);
}
