//! `cargo xtask soak`: one balancer under all kinds of load and faults at once.
//!
//! Good clients know the response that they must get. Bad clients stall, abort and attack. Targets fail by a plan that
//! follows from the seed. The config is reloaded all the time. A request may be lost only if its target had a fault while
//! the request was in flight. After the load the balancer must hold no more resources than before it.

mod bad;
mod echo;
mod good;
mod ledger;
mod resources;
mod target;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use balance::Rng;
use clap::Args;
use testkit::Balancer;
use xtask::{Outcome, step};

use crate::lock::lock;
use crate::seed::seed_or_clock;
use crate::server;
use good::{Done, Loss, World};
use ledger::{Fault, Ledger, Planned};
use resources::Resources;
use target::{Target, Witness};

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Seconds of load
    #[arg(long, default_value_t = 600)]
    seconds: u64,

    /// Decides what clients and targets do [default: from the clock, and printed]
    #[arg(long)]
    seed: Option<u64>,

    /// Use the release build instead of the debug build
    #[arg(long)]
    release: bool,
}

/// The results of the load.
#[derive(Debug, Default)]
struct Totals {
    good: BTreeMap<good::Kind, Done>,
    bad: Vec<(&'static str, u64)>,
    ledger: Ledger,
    reloads: u64,
    /// Problems that no fault excuses.
    wrongs: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let binary = server::evenkeel(options.release)?;
    let (seed, total) = (seed_or_clock(options.seed), Duration::from_secs(options.seconds));
    println!("soak: seed {seed}, {} s", options.seconds);
    let failed = |error: std::io::Error| format!("target: {error}");
    let targets: Vec<Target> =
        (0..TARGETS).map(|_| Target::bind()).collect::<Result<_, _>>().map_err(failed)?;
    let balancer = Balancer::prepare(config(&targets, 0)).binary(binary).start();
    let witness = Witness::default();
    let (before, totals, after) = std::thread::scope(|scope| {
        for target in &targets {
            let witness = &witness;
            scope.spawn(move || target.serve(scope, witness));
        }
        // By then the balancer has opened what it opens once, and its housekeeping has run.
        std::thread::sleep(Duration::from_secs(1));
        let mut before = Resources::take(&balancer);
        let totals = step("load", || load(seed, total, &balancer, &targets, &mut before));
        let after = step("settling", || Resources::settled(&balancer, &before, WORKERS, SETTLE));
        witness.is_over.store(true, Ordering::Relaxed);
        (before, totals, after)
    });
    report(&balancer, &totals, &witness, &before, &after)
}

/// Runs all clients, faults and reloads for `total`, and waits until they have ended.
fn load(
    seed: u64,
    total: Duration,
    balancer: &Balancer,
    targets: &[Target],
    before: &mut Resources,
) -> Totals {
    let world = World::new(["web", "api"].map(|name| balancer.address(name)).to_vec());
    let plan = ledger::plan(seed, total, targets.len());
    let (ledger, reloads, wrongs) = (Mutex::<Ledger>::default(), AtomicU64::new(0), Mutex::default());
    let mut totals = Totals::default();
    std::thread::scope(|scope| {
        let (world, ledger, reloads, wrongs) = (&world, &ledger, &reloads, &wrongs);
        let mut seeds = Rng::new(seed ^ 1);
        let mut good = Vec::new();
        for (kind, count) in good::Kind::ALL {
            for _ in 0..count {
                let random = Rng::new(seeds.next_u64());
                good.push((kind, scope.spawn(move || good::run(world, kind, random))));
            }
        }
        let mut bad = Vec::new();
        for (kind, count) in bad::Kind::ALL {
            for _ in 0..count {
                let random = Rng::new(seeds.next_u64());
                bad.push((kind, scope.spawn(move || bad::run(world, kind, random))));
            }
        }
        let began = Instant::now();
        scope.spawn(move || make_faults(&plan, began, targets, ledger, wrongs));
        scope.spawn(move || reload(world, balancer, targets, reloads, wrongs));
        sleep_until(began + total / 3);
        before.resident_bytes = balancer.resident_bytes();
        sleep_until(began + total);
        world.is_over.store(true, Ordering::Relaxed);
        for (kind, client) in good {
            let done = client.join().unwrap_or_default();
            let sum = totals.good.entry(kind).or_default();
            sum.answered += done.answered;
            sum.losses.extend(done.losses);
        }
        for (kind, client) in bad {
            let count = client.join().unwrap_or_default();
            match totals.bad.iter_mut().find(|(name, _)| *name == kind.name()) {
                Some((_, sum)) => *sum += count,
                None => totals.bad.push((kind.name(), count)),
            }
        }
    });
    totals.ledger = ledger.into_inner().unwrap_or_default();
    totals.wrongs = wrongs.into_inner().unwrap_or_default();
    totals.reloads = reloads.into_inner();
    totals
}

fn make_faults(
    plan: &[Planned],
    began: Instant,
    targets: &[Target],
    ledger: &Mutex<Ledger>,
    wrongs: &Mutex<Vec<String>>,
) {
    for Planned { at, lasts, target, fault } in plan {
        sleep_until(began + *at);
        if let Err(error) = targets[*target].suffer(*fault, *lasts, ledger) {
            lock(wrongs).push(format!("a fault could not be made: {error}"));
        }
    }
}

/// Reloads with a changed config each time, and at the end with the first one.
fn reload(
    world: &World,
    balancer: &Balancer,
    targets: &[Target],
    reloads: &AtomicU64,
    wrongs: &Mutex<Vec<String>>,
) {
    let mut number = 0;
    loop {
        let is_last = world.is_over();
        number = if is_last { 0 } else { number + 1 };
        match balancer.reload(config(targets, number)) {
            Ok(_) => reloads.fetch_add(1, Ordering::Relaxed),
            Err((status, body)) => {
                lock(wrongs).push(format!("a reload failed with {status}: {body}"));
                0
            }
        };
        if is_last {
            return;
        }
        std::thread::sleep(RELOAD_EVERY);
    }
}

fn report(
    balancer: &Balancer,
    totals: &Totals,
    witness: &Witness,
    before: &Resources,
    after: &Resources,
) -> Outcome {
    let (table, unexplained) = requests(totals, &logged(balancer));
    print!("{table}");
    println!("log lines dropped: {}", balancer.metric("evenkeel_access_log_lines_dropped_total", &[]));
    let mut wrongs = totals.wrongs.clone();
    wrongs.extend(unexplained);
    for (count, what) in
        [(&witness.repeated, "POSTs came twice"), (&witness.smuggled, "requests were smuggled")]
    {
        let count = count.load(Ordering::Relaxed);
        println!("{what}: {count}");
        if count > 0 {
            wrongs.push(format!("{count} {what}"));
        }
    }
    println!("\n{:28} {:>12} {:>12}", "held", "before", "after");
    for (name, was, is, holds) in after.rows(before, WORKERS) {
        println!("{name:28} {was:>12} {is:>12}{}", if holds { "" } else { "   LEFT OVER" });
        if !holds {
            wrongs.push(format!("{name}: {was} before, {is} after"));
        }
    }
    if wrongs.is_empty() { Ok(()) } else { Err(wrongs[..wrongs.len().min(WRONGS_SHOWN)].join("\n")) }
}

/// The table of requests, and the losses that no fault excuses.
fn requests(totals: &Totals, logged: &HashMap<String, Logged>) -> (String, Vec<String>) {
    let mut unexplained = Vec::new();
    let mut text = format!("{:14} {:>9}", "requests", "answered");
    for fault in Fault::ALL {
        let _ = write!(text, " {:>9}", fault.name());
    }
    text += "  unexplained\n";
    for (kind, done) in &totals.good {
        let mut by_fault = [0; Fault::ALL.len()];
        let mut unknown = 0;
        for loss in &done.losses {
            match excuse(loss, totals, logged) {
                Some(fault) => by_fault[Fault::ALL.iter().position(|one| *one == fault).unwrap_or(0)] += 1,
                None => {
                    unknown += 1;
                    let log = logged.get(&loss.request_target).map_or("not logged", |logged| &logged.line);
                    let (kind, path, took) =
                        (loss.kind.name(), &loss.request_target, loss.ended - loss.began);
                    unexplained.push(format!("{kind} {path} after {took:?}: {}; {log}", loss.what));
                }
            }
        }
        let _ = write!(text, "{:14} {:>9}", kind.name(), done.answered);
        for count in by_fault {
            let _ = write!(text, " {count:>9}");
        }
        let _ = writeln!(text, " {unknown:>12}");
    }
    let _ = write!(text, "{:14} {:>9}", "faults made", "");
    for fault in Fault::ALL {
        let _ = write!(text, " {:>9}", totals.ledger.count(fault));
    }
    let _ = writeln!(text, "\nreloads {}", totals.reloads);
    for (name, count) in &totals.bad {
        let _ = writeln!(text, "{name} connections {count}");
    }
    (text, unexplained)
}

fn excuse(loss: &Loss, totals: &Totals, logged: &HashMap<String, Logged>) -> Option<Fault> {
    if loss.what == good::WRONG {
        return None;
    }
    let target = loss.target.or_else(|| Some(logged.get(&loss.request_target)?.target))?;
    totals.ledger.excuse(target, loss.began, loss.ended)
}

/// The access log line of a request.
struct Logged {
    /// The target of the last attempt.
    target: SocketAddr,
    line: String,
}

fn logged(balancer: &Balancer) -> HashMap<String, Logged> {
    let pair = |line: &serde_json::Value| {
        let target = line["target"].as_str()?.parse().ok()?;
        Some((line["request_target"].as_str()?.to_owned(), Logged { target, line: line.to_string() }))
    };
    balancer.log_lines().iter().filter_map(pair).collect()
}

/// The config in one of its forms. All forms serve the same; they differ in what a reload may change.
fn config(targets: &[Target], number: u64) -> String {
    let list = |targets: &[Target]| {
        let addresses: Vec<String> = targets.iter().map(|target| format!("\"{}\"", target.address)).collect();
        addresses.join(", ")
    };
    let (first, second) = targets.split_at(targets.len() / 2);
    let algorithm = if number % 3 == 1 { "least_connections" } else { "weighted_round_robin" };
    let extra =
        if number % 2 == 1 { "[listener.extra]\nbind = \"127.0.0.3:0\"\nforward = \"first\"\n" } else { "" };
    CONFIG
        .replace("@FIRST@", &list(first))
        .replace("@SECOND@", &list(second))
        .replace("@ALGORITHM@", algorithm)
        .replace("@IDLE@", if number % 2 == 1 { "2s" } else { "3s" })
        + extra
}

fn sleep_until(time: Instant) {
    std::thread::sleep(time.saturating_duration_since(Instant::now()));
}

const TARGETS: usize = 6;
const WORKERS: u64 = 2;
const RELOAD_EVERY: Duration = Duration::from_secs(2);
/// Longer than every timeout in the config.
const SETTLE: Duration = Duration::from_secs(30);
const WRONGS_SHOWN: usize = 20;

const CONFIG: &str = r#"
workers = 2

[listener.web]
bind = "127.0.0.1:0"
forward = "first"
header_timeout = "4s"
body_timeout = "4s"
send_timeout = "4s"
access_log = { path = "access.log", format = "json" }

[listener.api]
bind = "127.0.0.2:0"
forward = "second"
header_timeout = "4s"
body_timeout = "4s"
send_timeout = "4s"
access_log = { path = "access.log", format = "json" }

[target_group.first]
targets = [@FIRST@]
algorithm = "@ALGORITHM@"
timeouts = { connect = "1s", response = "1s", idle = "4s" }
keepalive = { idle_timeout = "@IDLE@" }

[target_group.second]
targets = [@SECOND@]
timeouts = { connect = "1s", response = "1s", idle = "4s" }
keepalive = { idle_timeout = "@IDLE@" }
health_check = { type = "tcp", interval = "1s" }
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(loss: Loss, fault_at: Instant) -> Totals {
        let mut totals = Totals::default();
        totals.ledger.enter(loss.target.unwrap(), Fault::Stalled, fault_at, fault_at);
        totals.good.insert(loss.kind, Done { answered: 3, losses: vec![loss] });
        totals
    }

    #[test]
    fn a_loss_needs_a_fault_and_a_wrong_response_has_no_excuse() {
        let began = Instant::now();
        let ended = began + Duration::from_secs(1);
        let loss = Loss {
            kind: good::Kind::Post,
            request_target: "/echo/1/2".into(),
            target: Some("127.0.0.1:1".parse().unwrap()),
            began,
            ended,
            what: "status 504".into(),
        };
        let unexplained = |loss: &Loss, at| requests(&totals(loss.clone(), at), &HashMap::new()).1.len();
        assert_eq!(unexplained(&loss, ended), 0);
        assert_eq!(unexplained(&loss, ended + Duration::from_secs(1)), 1);
        assert_eq!(unexplained(&Loss { what: good::WRONG.into(), ..loss }, ended), 1);
    }
}
