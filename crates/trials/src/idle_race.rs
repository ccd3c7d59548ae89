//! `cargo xtask idle-race`: POST requests on connections that the target is about to close (KA6).
//!
//! A target closes idle connections after a time that it does not announce. Clients send bursts of POST requests, with
//! pauses of about that time. A proxy that reuses such a connection a moment too late loses the request, and must not repeat
//! it. All contenders run at the same time, each with a target of its own and the same clients.

mod load;
mod tally;
mod target;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use balance::Rng;
use bench::{Contender, Files, Placement, Variant};
use clap::Args;
use serde_json::{Value, json};
use xtask::{Outcome, packages, step, workspace};

use crate::seed::seed_or_clock;
use load::Seen;
use tally::Tally;
use target::{Manner, Target};

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Seconds for each of three idle limits
    #[arg(long, default_value_t = 60)]
    seconds: u64,

    /// Chooses limits and pauses [default: from the clock, and printed]
    #[arg(long)]
    seed: Option<u64>,

    /// Milliseconds of simulated delay between proxy and target, each way
    #[arg(long, value_name = "MS", default_value_t = 5)]
    line: u64,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,

    /// Use the release binary that is there
    #[arg(long)]
    no_build: bool,
}

/// The result of one contender with one idle limit.
#[derive(Debug)]
struct Heat {
    name: &'static str,
    manner: Manner,
    seen: Seen,
    tally: Tally,
}

pub(crate) fn run(options: &Options) -> Outcome {
    packages::ensure(packages::FOR_STAND_INS)?;
    if !options.no_build {
        workspace::run(workspace::cargo().args(["build", "--release", "--package", "evenkeel"]))?;
    }
    let seed = seed_or_clock(options.seed);
    let mut random = Rng::new(seed);
    println!("seed {}, line {} ms each way, {} s for each limit", seed, options.line, options.seconds);
    let mut heats = Vec::new();
    for (least, spread) in LIMITS {
        let idle = Duration::from_millis(least + random.below(*spread));
        let manner = Manner { idle, line: Duration::from_millis(options.line) };
        let pauses = load::pauses(idle, Duration::from_secs(options.seconds), &mut random);
        let name = format!("a target that closes after {} ms", idle.as_millis());
        heats.extend(step(&name, || race(manner, &pauses, seed))?);
    }
    if options.json {
        let heats: Vec<Value> = heats.iter().map(Heat::json).collect();
        println!("{}", json!({ "seed": seed, "line_millis": options.line, "heats": heats }));
    } else {
        print!("{}", table(&heats));
    }
    let missed: Vec<String> = heats.iter().filter_map(Heat::missed).collect();
    if missed.is_empty() { Ok(()) } else { Err(missed.join("\n")) }
}

fn race(manner: Manner, pauses: &[Duration], seed: u64) -> Outcome<Vec<Heat>> {
    std::thread::scope(|scope| {
        let heats: Vec<_> = CONTENDERS
            .iter()
            .map(|&(name, contender, variant)| {
                scope.spawn(move || heat(name, contender, variant, manner, pauses, seed))
            })
            .collect();
        heats.into_iter().map(|heat| heat.join().map_err(|_| "a heat panicked".to_owned())?).collect()
    })
}

fn heat(
    name: &'static str,
    contender: Contender,
    variant: Variant,
    manner: Manner,
    pauses: &[Duration],
    seed: u64,
) -> Outcome<Heat> {
    let target = Target::start(manner)?;
    let binaries = workspace::target_directory()?.join("release");
    let placement = Placement { core: 0, real_time: false };
    let files = Files::new(binaries, None)?;
    let running = contender.start(variant, placement, &files, target.address.port())?;
    let seen = load::run(SocketAddr::from(([127, 0, 0, 1], running.port)), pauses, seed);
    Ok(Heat { name, manner, seen, tally: target.tally() })
}

impl Heat {
    fn errors(&self) -> Vec<Instant> {
        self.seen.errors.iter().map(|(at, _)| *at).collect()
    }

    fn lessons_needed(&self) -> usize {
        self.tally.lessons_needed(&self.errors())
    }

    /// The bar that was missed. Only Evenkeel has one.
    fn missed(&self) -> Option<String> {
        let (needed, reuse) = (self.lessons_needed(), self.tally.reuse());
        let is_met = needed <= LESSONS_MAX && reuse >= REUSE_MIN;
        (self.name == EVENKEEL && !is_met).then(|| {
            let idle = self.manner.idle;
            format!(
                "limit {idle:?}: {} errors, the last after {needed} lessons, reuse {reuse:.3}",
                self.seen.errors.len()
            )
        })
    }

    fn json(&self) -> Value {
        json!({
            "contender": self.name,
            "idle_limit_millis": self.manner.idle.as_millis() as u64,
            "requests": self.seen.requests,
            "errors": self.seen.errors.len(),
            "lost_at_target": self.tally.lost,
            "lessons": self.tally.lessons.len(),
            "lessons_before_last_error": self.lessons_needed(),
            "reuse": self.tally.reuse(),
            "reuse_after_pause": self.tally.reuse_after_pause(),
        })
    }

    fn row(&self) -> String {
        let Tally { lost, lessons, .. } = &self.tally;
        format!(
            "{:>7.3}  {:22} {:>8} {:>6} {:>5} {:>8} {:>7} {:>8.3} {:>11.3}",
            self.manner.idle.as_secs_f64(),
            self.name,
            self.seen.requests,
            self.seen.errors.len(),
            lost,
            lessons.len(),
            self.lessons_needed(),
            self.tally.reuse(),
            self.tally.reuse_after_pause(),
        )
    }
}

fn table(heats: &[Heat]) -> String {
    let head = "limit s  contender              requests errors  lost  lessons  needed    reuse  after pause";
    let mut text = format!("{head}\n");
    for heat in heats {
        text += &heat.row();
        // The first error is an example of the others.
        if let Some((_, error)) = heat.seen.errors.first() {
            text += &format!("   {error}");
        }
        text.push('\n');
    }
    text + LEGEND
}

const EVENKEEL: &str = "evenkeel";
const CONTENDERS: &[(&str, Contender, Variant)] = &[
    (EVENKEEL, Contender::Evenkeel, Variant::Plain),
    ("haproxy, reuse always", Contender::Haproxy, Variant::Plain),
    ("haproxy, reuse safe", Contender::Haproxy, Variant::Safe),
    ("nginx", Contender::Nginx, Variant::Plain),
];

/// The smallest idle limit, and how much larger it may be, in milliseconds.
const LIMITS: &[(u64, u64)] = &[(1_000, 1_000), (2_000, 1_500), (3_500, 1_500)];

const LESSONS_MAX: usize = 3;
const REUSE_MIN: f64 = 0.95;

const LEGEND: &str = "
lost     requests that reached the target after it had closed
lessons  moments from which the limit could be learned: the target closed an idle connection, or a request was lost
needed   lessons before the last error; the bar for evenkeel is 3
reuse    of the requests for which an idle connection lived long enough, the share that reused one; the bar is 0.95
after pause  the same, for connections that had been idle for a pause: a fourth of the pauses end within 3 % of the limit
";

#[cfg(test)]
mod tests {
    use super::*;

    fn heat(errors: usize, reused: u64, missed: u64, lessons: usize) -> Heat {
        let begin = Instant::now();
        let mut tally = Tally { reused, missed, ..Tally::default() };
        for second in 0..lessons {
            tally.closed(begin + Duration::from_secs(second as u64));
        }
        let last = begin + Duration::from_secs(lessons as u64);
        let seen = Seen { requests: 100, errors: vec![(last, "status 502".into()); errors] };
        let manner = Manner { idle: Duration::from_secs(1), line: Duration::ZERO };
        Heat { name: EVENKEEL, manner, seen, tally }
    }

    #[test]
    fn the_bar_is_three_lessons_and_a_share_of_reuse() {
        assert_eq!(heat(0, 95, 5, 100).missed(), None);
        assert_eq!(heat(2, 95, 5, 3).missed(), None);
        assert!(heat(1, 95, 5, 4).missed().is_some());
        assert!(heat(0, 94, 6, 0).missed().is_some());
    }

    #[test]
    fn the_table_shows_an_error() {
        assert!(table(&[heat(1, 1, 1, 1)]).contains("status 502"));
        assert_eq!(heat(1, 1, 1, 1).json()["reuse"], 0.5);
    }
}
