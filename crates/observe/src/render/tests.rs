//! Tests of the metrics page: a golden file, the strict parser, and a check that every cell has a row.

use model::{ConnectionEnd, Side, TargetGroupName};

use super::*;
use crate::prometheus::parser::{Sample, parse};
use crate::record::tests::example;
use crate::{EndedConnection, Finished, PhaseTimes};

fn key(group: &str, address: &str) -> TargetKey {
    TargetKey { group: TargetGroupName::new(group), address: address.parse().unwrap() }
}

/// A page with two workers, two targets and a listener whose name needs escapes.
fn page() -> String {
    let workers = PerWorker::<WorkerCells>::new(2);
    workers.of(0).loop_turns.add(100);
    workers.of(1).connections_open.add(3);

    let (web, quiet) = (PerWorker::<ListenerCells>::new(2), PerWorker::<ListenerCells>::new(2));
    web.of(0).count(&example().finished());
    web.of(1).count(&Finished {
        status: 502,
        made_by: MadeBy::Evenkeel,
        failure: Some(Failure::TargetRefused),
        attempts: 3,
        phases: PhaseTimes { connect: Some(900), total: 1_100, ..PhaseTimes::default() },
        ..example().finished()
    });
    web.of(0).compressed.count(ContentCoding::Br);
    web.of(1).compressed.count(ContentCoding::Br);
    web.of(1).compression_input_bytes.add(20_480);
    web.of(0).received_bytes.add(1_000);
    web.of(1).received_bytes.add(234);
    web.of(0).connections_open.add(5);
    web.of(1).connections_open.add(-1);
    web.of(0).connections_refused.count(Refusal::ClientLimit);
    web.of(1).connections_evicted.add(2);
    web.of(1).accepts_waiting.add(1);
    web.of(1).proxy_headers.count(ProxyHeader::TimedOut);
    web.of(0).http2_faults.count("ping_flood");
    quiet.of(1).count_connection(&EndedConnection {
        end: ConnectionEnd::Reset(Side::Target),
        attempts: 2,
        connect: Some(310),
        total: 4_250,
        session: None,
    });
    web.of(0).tunnels.opened.add(2);
    web.of(0).tunnels.open.add(2);
    web.of(0).tunnels.count_end(TunnelEnd::Idle);
    web.of(0).tunnels.frames_from_client[1].add(3);
    web.of(1).tunnels.frames_from_client[1].add(4);
    web.of(1).tunnels.frames_from_target[4].increment();

    let (one, two) = (PerWorker::<TargetCells>::new(2), PerWorker::<TargetCells>::new(2));
    one.of(0).requests.add(2);
    one.of(1).failures.count(Failure::TargetRefused);
    one.of(1).respond.record(4_022);
    two.of(0).responses.count(200);

    let totals = LogTotals { lines_written: 2, lines_dropped: 1, errors: 0 };
    let mut page = Exposition::new();
    render_workers(&mut page, &workers);
    render_listeners(
        &mut page,
        &[(ListenerName::new("web"), &web), (ListenerName::new("a \"quiet\\\none"), &quiet)],
    );
    render_listener_limits(&mut page, &[(ListenerName::new("web"), 10)]);
    let instances = [("default", 7, None), ("shop", 4, Some(100))];
    render_load_balancers(
        &mut page,
        &instances.map(|(name, open, max)| (LoadBalancerName::new(name), open, max)),
    );
    render_targets(&mut page, &[(key("app", "10.0.0.9:8080"), &one), (key("app", "[2001:db8::1]:80"), &two)]);
    render_logs(&mut page, &totals);
    page.into_string()
}

fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> f64 {
    let matches = |sample: &&Sample| {
        sample.name == name && labels.iter().all(|(k, v)| sample.labels.get(*k).is_some_and(|have| have == v))
    };
    let found: Vec<_> = samples.iter().filter(matches).collect();
    assert_eq!(found.len(), 1, "{name} {labels:?}");
    found[0].value
}

#[test]
fn the_page_matches_the_golden_file() {
    let page = page();
    // UPDATE_GOLDEN=1 writes the file again. Review the difference before you commit it.
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/metrics.txt"), &page).unwrap();
    }
    for (place, (now, golden)) in page.lines().zip(GOLDEN.lines()).enumerate() {
        assert_eq!(now, golden, "line {}", place + 1);
    }
    assert_eq!(page.lines().count(), GOLDEN.lines().count());
}

#[test]
fn a_strict_parser_reads_every_number() {
    let samples = parse(&page());
    let web = ("listener", "web");
    for (name, labels, expected) in [
        ("evenkeel_worker_loop_turns_total", &[("worker", "0")][..], 100.0),
        ("evenkeel_worker_connections_open", &[("worker", "1")], 3.0),
        ("evenkeel_listener_requests_total", &[web], 2.0),
        ("evenkeel_listener_received_bytes_total", &[web], 1_234.0),
        ("evenkeel_listener_connections_open", &[web], 4.0),
        ("evenkeel_listener_retries_total", &[web], 2.0),
        ("evenkeel_listener_responses_total", &[web, ("made_by", "target"), ("class", "2xx")], 1.0),
        ("evenkeel_listener_responses_total", &[web, ("made_by", "evenkeel"), ("class", "5xx")], 1.0),
        ("evenkeel_listener_failures_total", &[web, ("reason", "target_refused")], 1.0),
        ("evenkeel_listener_failures_total", &[web, ("reason", "no_rule")], 0.0),
        ("evenkeel_listener_proxy_headers_total", &[web, ("result", "timed_out")], 1.0),
        ("evenkeel_listener_proxy_headers_total", &[web, ("result", "address")], 0.0),
        ("evenkeel_listener_compressed_responses_total", &[web, ("coding", "br")], 2.0),
        ("evenkeel_listener_compression_input_bytes_total", &[web], 20_480.0),
        ("evenkeel_listener_phase_seconds_count", &[web, ("phase", "total")], 2.0),
        ("evenkeel_listener_phase_seconds_sum", &[web, ("phase", "total")], 0.005_35),
        ("evenkeel_listener_phase_seconds_count", &[web, ("phase", "connect")], 1.0),
        ("evenkeel_listener_tunnels_open", &[web], 1.0),
        ("evenkeel_listener_tunnels_closed_total", &[web, ("reason", "tunnel_idle")], 1.0),
        ("evenkeel_listener_tunnel_frames_total", &[web, ("from", "client"), ("kind", "text")], 7.0),
        ("evenkeel_listener_tunnel_frames_total", &[web, ("from", "target"), ("kind", "ping")], 1.0),
        ("evenkeel_listener_requests_total", &[("listener", "a \"quiet\\\none")], 0.0),
        (
            "evenkeel_listener_tcp_connections_ended_total",
            &[("listener", "a \"quiet\\\none"), ("end", "reset"), ("ended_by", "target")],
            1.0,
        ),
        ("evenkeel_target_requests_total", &[("group", "app"), ("target", "10.0.0.9:8080")], 2.0),
        ("evenkeel_target_failures_total", &[("target", "10.0.0.9:8080"), ("reason", "target_refused")], 1.0),
        ("evenkeel_target_responses_total", &[("target", "[2001:db8::1]:80"), ("class", "2xx")], 1.0),
        ("evenkeel_target_respond_seconds_count", &[("target", "10.0.0.9:8080")], 1.0),
        ("evenkeel_access_log_lines_dropped_total", &[], 1.0),
    ] {
        assert_eq!(value(&samples, name, labels), expected, "{name} {labels:?}");
    }
}

#[test]
fn a_target_without_failures_has_no_failure_samples() {
    let samples = parse(&page());
    let failures = samples.iter().filter(|s| s.name == "evenkeel_target_failures_total").count();
    assert_eq!(failures, 1);
}

#[test]
fn an_empty_configuration_is_a_valid_page() {
    let mut page = Exposition::new();
    render_listeners(&mut page, &[]);
    render_targets(&mut page, &[]);
    assert_eq!(parse(page.as_str()), []);
}

/// Each row must read its own cell. Without this test, a copied row that reads another row's cell would go
/// unnoticed.
fn every_row_reads_its_own_cell<T>(rows: &[Row<T>], cells: &T) {
    let addresses: std::collections::HashSet<usize> = rows
        .iter()
        .map(|row| match row.read {
            Read::Counter(read) => std::ptr::from_ref(read(cells)).addr(),
            Read::Gauge(read) => std::ptr::from_ref(read(cells)).addr(),
        })
        .collect();
    assert_eq!(addresses.len(), rows.len());
}

#[test]
fn no_two_rows_read_the_same_cell() {
    every_row_reads_its_own_cell(WORKER_ROWS, &WorkerCells::default());
    every_row_reads_its_own_cell(LISTENER_ROWS, &ListenerCells::default());
    every_row_reads_its_own_cell(TARGET_ROWS, &TargetCells::default());
}

#[test]
fn every_cell_has_a_row() {
    // A family consists of cells and of arrays that have families of their own, so its size tells how many rows
    // it must have.
    let cell = size_of::<Counter>();
    assert_eq!(size_of::<WorkerCells>(), WORKER_ROWS.len() * cell);
    let arrays = size_of::<crate::Responses>()
        + size_of::<crate::Failures>()
        + size_of::<crate::ProxyHeaders>()
        + size_of::<crate::Handshakes>()
        + size_of::<crate::Http2Faults>()
        + size_of::<crate::Refusals>()
        + size_of::<crate::Compressed>()
        + size_of::<crate::SessionCells>()
        + size_of::<crate::TcpCells>()
        + PHASES.len() * size_of::<Histogram>()
        + (TunnelEnd::ALL.len() + 2 * TUNNEL_FRAMES.len()) * cell;
    assert_eq!(size_of::<ListenerCells>(), LISTENER_ROWS.len() * cell + arrays);
    let arrays = size_of::<StatusClasses>()
        + size_of::<crate::Failures>()
        + TARGET_HISTOGRAMS.len() * size_of::<Histogram>();
    assert_eq!(size_of::<TargetCells>(), TARGET_ROWS.len() * cell + arrays);
}

const GOLDEN: &str = include_str!("../../testdata/metrics.txt");

#[test]
fn lines_of_the_operators_log_are_counted_by_what_became_of_them() {
    let mut page = Exposition::new();
    render_events(&mut page, &EventTotals { written: 4, limited: 3, lost: 2, failed: 1 });
    let samples = parse(page.as_str());
    assert_eq!(value(&samples, "evenkeel_operators_log_lines_total", &[]), 4.0);
    for (reason, count) in [("too_many", 3.0), ("queue_full", 2.0), ("write_failed", 1.0)] {
        let family = "evenkeel_operators_log_lines_left_out_total";
        assert_eq!(value(&samples, family, &[("reason", reason)]), count);
    }
}
