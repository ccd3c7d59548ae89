//! Every failure in the table is provoked, and its status, `Proxy-Status`, page, access log and metrics agree. The loud ones
//! have a line in the operators' log, the others have none.

use std::sync::Mutex;
use std::thread;

use model::{Failure, LogLevel, Outcome, Phase, Side};
use testkit::{Balancer, Client, Message, wait_until};

use crate::case::Case;
use crate::{client_cases, target_cases, tls_cases, websocket_cases};

#[test]
fn every_failure_is_provoked() {
    let left = Mutex::new(Failure::ALL.iter());
    let failed = Mutex::new(Vec::new());
    let work = || {
        while let Some(&failure) = { left.lock().unwrap().next() } {
            if !NOT_TO_BE_PROVOKED.contains(&failure)
                && !is_of_tcp(failure)
                && thread::spawn(move || provoke(failure)).join().is_err()
            {
                failed.lock().unwrap().push(failure);
            }
        }
    };
    thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{failed:?}");
}

/// Has no request, response or page. The scenarios of layer 4 provoke it.
fn is_of_tcp(failure: Failure) -> bool {
    failure.outcome().hint.starts_with("Only of TCP connections")
}

fn provoke(failure: Failure) {
    let outcome = failure.outcome();
    let Case { target: _target, config, files, open_files, act } = client_cases::case(failure)
        .or_else(|| target_cases::case(failure))
        .or_else(|| websocket_cases::case(failure))
        .or_else(|| tls_cases::case(failure))
        .unwrap_or_else(|| panic!("no scenario provokes {failure:?}"));
    let mut prepared = Balancer::prepare(config);
    for (name, text) in files {
        prepared = prepared.file(name, &text);
    }
    if let Some(limit) = open_files {
        prepared = prepared.open_files(limit);
    }
    let mut balancer = prepared.start();
    let client = Client::connect(balancer.web());
    let response = act(&balancer, client);
    let line = balancer.log_line("reason", outcome.reason);
    if let Some(response) = response {
        compare(failure, &outcome, &response, &line);
    }
    if failure == Failure::Stopped {
        assert!(balancer.wait_exit().success());
        return wait_until_told(&balancer, &outcome);
    }
    let counted = || balancer.metric("evenkeel_listener_failures_total", &[("reason", outcome.reason)]);
    wait_until(&format!("{failure:?} is counted"), || counted() >= 1.0);
    wait_until_told(&balancer, &outcome);
}

fn wait_until_told(balancer: &Balancer, outcome: &Outcome) {
    let line = format!("a request failed reason={} ", outcome.reason);
    let level = match outcome.level {
        LogLevel::Error => "error",
        LogLevel::Warning => "warning",
        LogLevel::Info => return assert!(!balancer.stderr().contains(&line), "{line} is normal operation"),
    };
    wait_until(&format!("{level} {line}"), || balancer.stderr().contains(&format!(" {level} {line}")));
}

fn compare(failure: Failure, outcome: &Outcome, response: &Message, line: &serde_json::Value) {
    if outcome.side == Side::Target && outcome.phase == Phase::Relay {
        // The target's head was sent already. The rest is cut, so that the client does not take it for a
        // complete response.
        assert_eq!((response.status(), response.is_complete), (200, false), "{failure:?}");
        assert_eq!(
            (line["status"].as_u64(), line["made_by"].as_str()),
            (Some(200), Some("target")),
            "{failure:?}"
        );
        return;
    }
    assert_eq!((response.status(), response.is_complete), (outcome.status, true), "{failure:?}");
    let error = outcome.proxy_error.unwrap_or_default();
    assert_eq!(response.proxy_status(), Some((error.to_owned(), outcome.reason.to_owned())));
    assert!(response.text().contains(outcome.reason), "{failure:?}: {}", response.text());
    assert_eq!(line["status"], outcome.status, "{failure:?}");
    assert_eq!(line["made_by"], "evenkeel", "{failure:?}");
    if failure != Failure::LocalResources {
        assert_eq!(response.field("x-request-id"), line["request_id"].as_str(), "{failure:?}");
    }
}

/// `Internal` needs a bug: a task that panics, which `a_panic_frees_its_slot_and_its_socket` in crate `net`
/// tests. `PeerDead` needs a separate network: see `vanished_tunnel_is_closed` in `connections`.
const NOT_TO_BE_PROVOKED: &[Failure] = &[Failure::Internal, Failure::PeerDead];
const AT_ONCE: usize = 8;
