//! Tests of the access record.

use std::sync::LazyLock;

use super::*;

static LISTENER: LazyLock<ListenerName> = LazyLock::new(|| ListenerName::new("web"));
static GROUP: LazyLock<TargetGroupName> = LazyLock::new(|| TargetGroupName::new("app"));

/// An ordinary request, with every field set that one has.
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
        request_body_bytes: 0,
        response_body_bytes: 5_120,
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
        connection_request: 3,
    }
}
