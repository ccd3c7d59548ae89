//! `cargo xtask soak`: one balancer under everything at once, for as long as one likes.
//!
//! Good clients know what they must get; bad ones stall, break off and attack; targets fail by a plan that follows from
//! the seed; the config is reloaded all the while. A request that is lost must be excused by a fault of its target at
//! its time, else the soak fails. At the end nobody is left, and what the balancer holds must be what it held before.

mod account;
mod bad;
pub(crate) mod exchange;
mod good;
mod ledger;
mod target;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use balance::Rng;
use testkit::Balancer;

use crate::{Outcome, workspace};
use account::Account;
use good::{Done, Loss, World};
use ledger::{Fault, Ledger, Planned};
use target::{Target, Witness, lock};

#[derive(Clone, Copy, Debug, PartialEq)]
struct Options {
    seconds: u64,
    seed: u64,
    release: bool,
}

/// What the load came to.
#[derive(Debug, Default)]
struct Harvest {
    good: BTreeMap<good::Kind, Done>,
    bad: Vec<(&'static str, u64)>,
    ledger: Ledger,
    reloads: u64,
    /// What must not happen at all.
    wrongs: Vec<String>,
}

pub(crate) fn run(arguments: &[String]) -> Outcome {
    if arguments.iter().any(|argument| argument == "--help") {
        println!("{USAGE}");
        return Ok(());
    }
    let options = parse(arguments)?;
    let profile = if options.release { "release" } else { "dev" };
    let build = ["build", "--quiet", "--package", "evenkeel", "--profile", profile];
    workspace::run(workspace::cargo().args(build))?;
    let directory = if options.release { "release" } else { "debug" };
    soak(options, workspace::target_directory()?.join(directory).join("evenkeel"))
}

/// The form that is a part of `cargo xtask test`; the binary has been built.
pub(crate) fn short() -> Outcome {
    let options = parse(&[])?;
    let binary = workspace::target_directory()?.join("debug/evenkeel");
    soak(Options { seconds: SHORT_SECONDS, ..options }, binary)
}

fn soak(options: Options, binary: PathBuf) -> Outcome {
    println!("soak: seed {}, {} s", options.seed, options.seconds);
    let failed = |error: std::io::Error| format!("target: {error}");
    let targets: Vec<Target> =
        (0..TARGETS).map(|_| Target::bind()).collect::<Result<_, _>>().map_err(failed)?;
    let balancer = Balancer::prepare(config(&targets, 0)).binary(binary).start();
    let witness = Witness::default();
    let (before, harvest, after) = std::thread::scope(|scope| {
        for target in &targets {
            let witness = &witness;
            scope.spawn(move || target.serve(scope, witness));
        }
        // So that what it opens once it has opened, and its housekeeping has counted.
        std::thread::sleep(Duration::from_secs(1));
        let mut before = Account::take(&balancer);
        let harvest = load(options, &balancer, &targets, &mut before);
        let after = Account::settled(&balancer, &before, WORKERS, SETTLE);
        witness.is_over.store(true, Ordering::Relaxed);
        (before, harvest, after)
    });
    report(&balancer, &harvest, &witness, &before, &after)
}

/// All clients, faults and reloads, until the time is over and all of them have ended.
fn load(options: Options, balancer: &Balancer, targets: &[Target], before: &mut Account) -> Harvest {
    let world = World::new(["web", "api"].map(|name| balancer.address(name)).to_vec());
    let total = Duration::from_secs(options.seconds);
    let plan = ledger::plan(options.seed, total, targets.len());
    let (ledger, reloads, wrongs) = (Mutex::<Ledger>::default(), AtomicU64::new(0), Mutex::default());
    let mut harvest = Harvest::default();
    std::thread::scope(|scope| {
        let (world, ledger, reloads, wrongs) = (&world, &ledger, &reloads, &wrongs);
        let mut seeds = Rng::new(options.seed ^ 1);
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
            let sum = harvest.good.entry(kind).or_default();
            sum.answered += done.answered;
            sum.losses.extend(done.losses);
        }
        for (kind, client) in bad {
            let count = client.join().unwrap_or_default();
            match harvest.bad.iter_mut().find(|(name, _)| *name == kind.name()) {
                Some((_, sum)) => *sum += count,
                None => harvest.bad.push((kind.name(), count)),
            }
        }
    });
    harvest.ledger = ledger.into_inner().unwrap_or_default();
    harvest.wrongs = wrongs.into_inner().unwrap_or_default();
    harvest.reloads = reloads.into_inner();
    harvest
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

/// Reloads, with another config each time, and at last with the first.
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
    harvest: &Harvest,
    witness: &Witness,
    before: &Account,
    after: &Account,
) -> Outcome {
    let (table, unexplained) = requests(harvest, &logged(balancer));
    print!("{table}");
    println!("log lines dropped: {}", balancer.metric("evenkeel_access_log_lines_dropped_total", &[]));
    let mut wrongs = harvest.wrongs.clone();
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

/// The table of requests, and those that nothing excuses.
fn requests(harvest: &Harvest, logged: &HashMap<String, Logged>) -> (String, Vec<String>) {
    let mut unexplained = Vec::new();
    let mut text = format!("{:14} {:>9}", "requests", "answered");
    for fault in Fault::ALL {
        let _ = write!(text, " {:>9}", fault.name());
    }
    text += "  unexplained\n";
    for (kind, done) in &harvest.good {
        let mut by_fault = [0; Fault::ALL.len()];
        let mut unknown = 0;
        for loss in &done.losses {
            match excuse(loss, harvest, logged) {
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
        let _ = write!(text, " {:>9}", harvest.ledger.count(fault));
    }
    let _ = writeln!(text, "\nreloads {}", harvest.reloads);
    for (name, count) in &harvest.bad {
        let _ = writeln!(text, "{name} connections {count}");
    }
    (text, unexplained)
}

fn excuse(loss: &Loss, harvest: &Harvest, logged: &HashMap<String, Logged>) -> Option<Fault> {
    if loss.what == good::WRONG {
        return None;
    }
    let target = loss.target.or_else(|| Some(logged.get(&loss.request_target)?.target))?;
    harvest.ledger.excuse(target, loss.began, loss.ended)
}

/// What the access log knows of a request.
struct Logged {
    /// To which it went last.
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

/// The config in its `number`th form. All forms serve the same; what differs is what a reload may change.
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

fn parse(arguments: &[String]) -> Outcome<Options> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut options = Options { seconds: 600, seed: u64::from(now.subsec_nanos()), release: false };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let word = arguments.next().and_then(|word| word.parse().ok());
            word.ok_or_else(|| format!("{argument} takes a number\n{USAGE}"))
        };
        match argument.as_str() {
            "--seconds" => options.seconds = number()?,
            "--seed" => options.seed = number()?,
            "--release" => options.release = true,
            word => return Err(format!("no option {word}\n{USAGE}")),
        }
    }
    Ok(options)
}

const TARGETS: usize = 6;
const WORKERS: u64 = 2;
const SHORT_SECONDS: u64 = 60;
const RELOAD_EVERY: Duration = Duration::from_secs(2);
/// Longer than every timeout of the config.
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

const USAGE: &str = "usage: cargo xtask soak [--seconds N] [--seed S] [--release]

  --seconds  of load (600)
  --seed     decides what clients and targets do (from the clock, and printed)
  --release  the release build instead of the debug build";

#[cfg(test)]
mod tests {
    use super::*;

    fn harvest(loss: Loss, fault_at: Instant) -> Harvest {
        let mut harvest = Harvest::default();
        harvest.ledger.enter(loss.target.unwrap(), Fault::Stalled, fault_at, fault_at);
        harvest.good.insert(loss.kind, Done { answered: 3, losses: vec![loss] });
        harvest
    }

    #[test]
    fn a_loss_needs_an_excuse_and_a_wrong_answer_has_none() {
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
        let unexplained = |loss: &Loss, at| requests(&harvest(loss.clone(), at), &HashMap::new()).1.len();
        assert_eq!(unexplained(&loss, ended), 0);
        assert_eq!(unexplained(&loss, ended + Duration::from_secs(1)), 1);
        assert_eq!(unexplained(&Loss { what: good::WRONG.into(), ..loss }, ended), 1);
    }

    #[test]
    fn options_are_read() {
        let words = |line: &str| parse(&line.split_whitespace().map(String::from).collect::<Vec<_>>());
        let options = words("--seconds 5 --seed 7 --release").unwrap();
        assert_eq!(options, Options { seconds: 5, seed: 7, release: true });
        assert!(words("--seed").is_err() && words("--fast").is_err());
    }
}
