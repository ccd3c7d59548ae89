//! `cargo xtask floods`: hostile HTTP/2 clients, class by class, and what each class costs: memory, requests at the target,
//! and response times of good clients at the same time.

mod class;
mod hostile;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use testkit::{Target, response};

use clap::Args;
use xtask::{Outcome, step};

use crate::lock::lock;
use crate::pace::{self, Times};
use crate::stand_in::{Program, Proxy};
use class::Class;
use hostile::Tally;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Seconds of flood for each class
    #[arg(long, default_value_t = 10)]
    seconds: u64,

    /// Only classes with this in their name
    #[arg(long, value_name = "WORD")]
    class: Option<String>,

    /// The server to attack; others than evenkeel show what those do
    #[arg(long, value_enum, value_name = "NAME", default_value_t = Program::Evenkeel)]
    server: Program,

    /// Use the release build
    #[arg(long)]
    release: bool,
}

/// The result of a class.
#[derive(Debug)]
struct Row {
    class: Class,
    tally: Tally,
    grown_bytes: u64,
    at_target: usize,
    alone: Good,
    flooded: Good,
}

/// What the good clients saw in one phase.
#[derive(Clone, Debug, Default)]
struct Good {
    http1: Option<Times>,
    http2: Option<Times>,
    errors: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let program = options.server.prepare(options.release)?;
    let large = vec![b'x'; LARGE_BODY];
    let target = Target::http(move |request| {
        if request.target().starts_with("/large") {
            response(200, "", &String::from_utf8_lossy(&large))
        } else {
            response(200, "", "small")
        }
    });
    let proxy = program.start(target.address())?;
    println!("{HEADING}");
    let mut missed = Vec::new();
    for class in Class::ALL {
        if options.class.as_deref().is_none_or(|wanted| class.name().contains(wanted)) {
            let seconds = Duration::from_secs(options.seconds);
            let row = step(class.name(), || typical(class, &proxy, &target, seconds));
            println!("{}", row.line());
            row.flooded.errors.iter().take(ERRORS_SHOWN).for_each(|error| println!("  {error}"));
            missed.extend(row.missed());
        }
    }
    println!("{LEGEND}");
    if missed.is_empty() { Ok(()) } else { Err(missed.join("\n")) }
}

/// Runs a flood. Other work on the machine lengthens times too: a class above the bar is tried again, and the median of
/// all tries counts.
fn typical(class: Class, proxy: &Proxy, target: &Target, time: Duration) -> Row {
    let first = flood(class, proxy, target, time);
    if !first.is_slow() {
        return first;
    }
    let mut rows = vec![first];
    rows.extend((1..TRIES).map(|_| flood(class, proxy, target, time)));
    rows.sort_by(|one, other| one.slowest().total_cmp(&other.slowest()));
    rows.swap_remove(TRIES / 2)
}

/// Runs the good clients alone for half of the time, then with the flood.
fn flood(class: Class, proxy: &Proxy, target: &Target, time: Duration) -> Row {
    let alone = good(proxy, time / 2);
    let before = proxy.resident_bytes();
    let path = class.path();
    let reached = || target.requests().iter().filter(|request| request.target() == path).count();
    let reached_before = reached();
    let (is_over, tallies, most) = (AtomicBool::new(false), Mutex::new(Tally::default()), Mutex::new(before));
    let flooded = thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let tally = hostile::run(class, proxy.http2, &is_over);
                lock(&tallies).add(tally);
            });
        }
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let now = proxy.resident_bytes();
                let mut most = lock(&most);
                *most = (*most).max(now);
                drop(most);
                thread::sleep(SAMPLE_EVERY);
            }
        });
        let flooded = good(proxy, time);
        is_over.store(true, Ordering::Relaxed);
        flooded
    });
    let grown_bytes = *lock(&most) - before;
    let at_target = reached() - reached_before;
    let tally = lock(&tallies).clone();
    Row { class, tally, grown_bytes, at_target, alone, flooded }
}

fn good(proxy: &Proxy, time: Duration) -> Good {
    let until = Instant::now() + time;
    let (http1, http2) = thread::scope(|scope| {
        let http1 = scope.spawn(|| pace::http1(proxy.http1, until));
        let http2 = scope.spawn(|| pace::http2(proxy.http2, until));
        let joined = |failed: &str| Err(format!("{failed} panicked"));
        (
            http1.join().unwrap_or_else(|_| joined("the HTTP/1.1 client")),
            http2.join().unwrap_or_else(|_| joined("the HTTP/2 client")),
        )
    });
    let errors = [http1.as_ref().err(), http2.as_ref().err()].into_iter().flatten().cloned().collect();
    Good { http1: http1.ok(), http2: http2.ok(), errors }
}

impl Row {
    fn ratios(&self) -> [Option<f64>; 2] {
        let ratio = |of: fn(&Good) -> Option<Times>| {
            let (alone, flooded) = (of(&self.alone)?.p99, of(&self.flooded)?.p99);
            // A short wait is no loss, even if it is many times a shorter one.
            let alone = alone.max(UNNOTICED / 2);
            Some(flooded.as_secs_f64() / alone.as_secs_f64())
        };
        [ratio(|good| good.http1), ratio(|good| good.http2)]
    }

    fn slowest(&self) -> f64 {
        self.ratios().into_iter().flatten().fold(0.0, f64::max)
    }

    fn is_slow(&self) -> bool {
        self.slowest() > RATIO_MAX
    }

    fn line(&self) -> String {
        let [http1, http2] =
            self.ratios().map(|ratio| ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}")));
        format!(
            "{:18} {:>7} {:>9} {:>12} {:>7.1} {:>7} {:>7} {http1:>7} {http2:>7}",
            self.class.name(),
            self.tally.connections,
            self.tally.frames,
            self.tally.endings(),
            self.grown_bytes as f64 / MIB as f64,
            self.at_target,
            self.flooded.errors.len() + self.alone.errors.len(),
        )
    }

    fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        let mut miss = |what: String| missed.push(format!("{}: {what}", self.class.name()));
        if self.grown_bytes > GROWTH_MAX {
            miss(format!("memory grew by {} MiB", self.grown_bytes / MIB));
        }
        let most = self.tally.connections as usize * AT_TARGET_MAX;
        if self.class.is_of_resets() && self.at_target > most {
            miss(format!(
                "{} requests reached the target, of {} connections",
                self.at_target, self.tally.connections
            ));
        }
        for (name, ratio) in ["HTTP/1.1", "HTTP/2"].into_iter().zip(self.ratios()) {
            if let Some(ratio) = ratio.filter(|ratio| *ratio > RATIO_MAX) {
                miss(format!("good clients of {name} wait {ratio:.2} times as long"));
            }
        }
        if let Some(error) = self.alone.errors.iter().chain(&self.flooded.errors).next() {
            miss(format!("a good client failed: {error}"));
        }
        missed
    }
}

const MIB: u64 = 1 << 20;
const LARGE_BODY: usize = 1 << 20;
/// Concurrent hostile connections.
const CONNECTIONS: usize = 4;
const SAMPLE_EVERY: Duration = Duration::from_millis(25);
const TRIES: usize = 3;
const ERRORS_SHOWN: usize = 3;

const GROWTH_MAX: u64 = 64 * MIB;
/// The requests of one connection of resets that may reach a target.
const AT_TARGET_MAX: usize = 200;
const RATIO_MAX: f64 = 2.0;
/// Floods, server and good clients share the machine: a p99 below this says nothing.
const UNNOTICED: Duration = Duration::from_millis(4);

const HEADING: &str =
    "class              connect    frames       ending     MiB  target  errors  p99 h1  p99 h2";
const LEGEND: &str = "
connect  hostile connections, a few at a time; each connects again when it is closed
ending   codes of the GOAWAY frames (11: ENHANCE_YOUR_CALM), or how else the connections ended
MiB      the largest growth of resident memory (bar 64)
target   requests of the flood that reached the target (bar 200 a connection, for floods of resets)
p99      of good clients, divided by that without the flood (bar 2; nothing below 4 ms counts);
         if the first try is above the bar, the median of three";

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        let times = |millis| {
            let time = Duration::from_millis(millis);
            Some(Times { p50: time, p99: time })
        };
        let good = |millis| Good { http1: times(millis), http2: times(millis), errors: Vec::new() };
        let tally = Tally { connections: 2, ..Tally::default() };
        Row {
            class: Class::RapidReset,
            tally,
            grown_bytes: GROWTH_MAX,
            at_target: 400,
            alone: good(10),
            flooded: good(20),
        }
    }

    fn slower(times: Times) -> Times {
        Times { p99: times.p99 + Duration::from_millis(1), ..times }
    }

    #[test]
    fn each_bar_is_missed_just_above_its_limit() {
        assert_eq!(row().missed(), [""; 0]);
        type Change = fn(&mut Row);
        let table: [(&str, Change); 4] = [
            ("memory", |row| row.grown_bytes += MIB),
            ("target", |row| row.at_target += 1),
            ("times as long", |row| row.flooded.http2 = row.flooded.http2.map(slower)),
            ("failed", |row| row.flooded.errors.push("reset".into())),
        ];
        for (word, change) in table {
            let mut row = row();
            change(&mut row);
            let missed = row.missed();
            assert!(missed.len() == 1 && missed[0].contains(word), "{word}: {missed:?}");
        }
    }

    #[test]
    fn requests_of_other_floods_may_reach_the_target() {
        let row = Row { class: Class::Stall, at_target: 100_000, ..row() };
        assert_eq!(row.missed(), [""; 0]);
    }
}
