//! `cargo xtask slow`: what 250 slow clients cost a good one, and whether each is cut off in time (KA12).
//!
//! A good client sends requests at a steady rate, alternately without and with the slow clients. What counts is the ratio
//! within a pair of phases.

mod crowd;
mod target;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bench::Spread;
use clap::Args;
use testkit::Balancer;
use xtask::{Outcome, step};

use crate::pace::{self, Times};
use crate::server;
use crowd::{Cut, Kind};

/// The times of a good client without the slow clients and with them.
#[derive(Clone, Copy, Debug)]
struct Pair {
    without: Times,
    with: Times,
}

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// For how long the slow clients are there
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let binary = server::evenkeel(true)?;
    let target = target::start().map_err(|error| format!("target: {error}"))?;
    let config = CONFIG.replace("@TARGET@", &target.to_string());
    let balancer = Balancer::prepare(config).binary(binary).start();
    let (pairs, cut) = measure(balancer.web(), options.seconds)?;
    report(&pairs, &cut)
}

/// Runs pairs of phases, in alternating order, until the slow clients have been there for `seconds`.
fn measure(proxy: SocketAddr, seconds: u64) -> Outcome<(Vec<Pair>, Cut)> {
    let (mut pairs, mut all) = (Vec::new(), Cut::default());
    for number in 0..seconds.div_ceil(CROWDED.as_secs()) {
        let mut without = None;
        if number % 2 == 0 {
            without = Some(alone(proxy)?);
        }
        let until = Instant::now() + crowd::GATHERING + CROWDED;
        let crowded = || {
            std::thread::scope(|scope| {
                let crowd = scope.spawn(move || crowd::run(proxy, until, TIMEOUT));
                std::thread::sleep(crowd::GATHERING);
                let with = pace::http1(proxy, until);
                (crowd.join(), with)
            })
        };
        let (cut, with) = step("the good client in the crowd", crowded);
        let cut = cut
            .map_err(|_| "the slow clients panicked")?
            .map_err(|error| format!("slow clients: {error}"))?;
        all.times.extend(cut.times);
        all.overdue += cut.overdue;
        let without = match without {
            Some(times) => times,
            None => alone(proxy)?,
        };
        pairs.push(Pair { without, with: with? });
    }
    Ok((pairs, all))
}

fn alone(proxy: SocketAddr) -> Outcome<Times> {
    step("the good client alone", || pace::http1(proxy, Instant::now() + ALONE))
}

fn report(pairs: &[Pair], cut: &Cut) -> Outcome {
    println!("good client    p50 alone  p50 crowd  ratio   p99 alone  p99 crowd  ratio");
    for (number, pair) in pairs.iter().enumerate() {
        let Pair { without, with } = pair;
        let micros = |time: Duration| format!("{} µs", time.as_micros());
        println!(
            "pair {}    {:>14} {:>10} {:>6.2} {:>11} {:>10} {:>6.2}",
            number + 1,
            micros(without.p50),
            micros(with.p50),
            ratio(with.p50, without.p50),
            micros(without.p99),
            micros(with.p99),
            ratio(with.p99, without.p99),
        );
    }
    let ratios = |of: fn(&Times) -> Duration| {
        let ratios = pairs.iter().map(|pair| ratio(of(&pair.with), of(&pair.without))).collect();
        Spread::of(ratios).map_or(f64::NAN, |spread| spread.median)
    };
    let (p50, p99) = (ratios(|times| times.p50), ratios(|times| times.p99));
    println!("median ratio   p50 {p50:.2}   p99 {p99:.2}   (bar {RATIO_MAX})\n");
    let mut wrongs = Vec::new();
    if p99 > RATIO_MAX || p50 > RATIO_MAX {
        wrongs.push(format!("the good client waits longer: p50 {p50:.2}, p99 {p99:.2} times"));
    }
    for (kind, _) in Kind::ALL {
        wrongs.extend(report_cut(kind, cut));
    }
    if cut.overdue > 0 {
        wrongs.push(format!("{} slow clients were not cut off", cut.overdue));
    }
    if wrongs.is_empty() { Ok(()) } else { Err(wrongs.join("\n")) }
}

/// Prints how long clients of this kind lived, and returns what is wrong with it.
fn report_cut(kind: Kind, cut: &Cut) -> Option<String> {
    let times: Vec<f64> =
        cut.times.iter().filter(|(one, _)| *one == kind).map(|(_, time)| time.as_secs_f64()).collect();
    let (count, name, limit) = (times.len(), kind.name(), TIMEOUT.as_secs_f64());
    let Some(Spread { min, median, max }) = Spread::of(times) else {
        return Some(format!("{name}: none was cut off"));
    };
    println!("{name:12} {count:>5} cut off after {min:.2} – {median:.2} – {max:.2} s (timeout {limit} s)");
    let is_fine = min >= limit - EARLY && max <= limit + LATE;
    (!is_fine).then(|| format!("{name}: {count} cut off after {min:.2} to {max:.2} s"))
}

fn ratio(with: Duration, without: Duration) -> f64 {
    with.as_secs_f64() / without.as_secs_f64().max(1e-9)
}

const TIMEOUT: Duration = Duration::from_secs(10);
const CROWDED: Duration = Duration::from_secs(20);
const ALONE: Duration = Duration::from_secs(10);
const RATIO_MAX: f64 = 1.5;
/// Seconds. The slow clients are polled, and on a busy machine an end is noticed late.
const EARLY: f64 = 0.1;
const LATE: f64 = 1.0;

const CONFIG: &str = r#"
workers = 2

[listener.web]
bind = "127.0.0.1:0"
forward = "app"
header_timeout = "10s"
body_timeout = "10s"
send_timeout = "10s"

[target_group.app]
targets = ["@TARGET@"]
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_must_be_cut_in_time() {
        let cut = |seconds: &[f64]| Cut {
            times: seconds.iter().map(|&time| (Kind::Head, Duration::from_secs_f64(time))).collect(),
            overdue: 0,
        };
        assert_eq!(report_cut(Kind::Head, &cut(&[10.0, 10.2, 9.95])), None);
        for wrong in [&[][..], &[9.5, 10.0], &[10.0, 11.5]] {
            assert!(report_cut(Kind::Head, &cut(wrong)).is_some(), "{wrong:?}");
        }
        assert!(report_cut(Kind::Body, &cut(&[10.0])).is_some(), "times of another kind");
    }
}
