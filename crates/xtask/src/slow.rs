//! `cargo xtask slow`: what 250 slow clients cost a good one, and whether each is cut off in time (KA12).
//!
//! A good client asks at a steady rate, in turns without and with the crowd; what counts is the ratio within a pair.

mod crowd;
pub(crate) mod pace;
mod target;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use testkit::Balancer;

use crate::{Outcome, workspace};
use crowd::{Cut, Kind};
use pace::Times;

/// A good client without the crowd and with it.
#[derive(Clone, Copy, Debug)]
struct Pair {
    without: Times,
    with: Times,
}

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let seconds = match arguments {
        [] => 60,
        [flag, number] if flag == "--seconds" => {
            number.parse().map_err(|_| format!("--seconds takes a number\n{USAGE}"))?
        }
        _ => return Err(USAGE.to_owned()),
    };
    workspace::run(workspace::cargo().args(["build", "--release", "--quiet", "--package", "evenkeel"]))?;
    let failed = |error: io::Error| format!("slow: {error}");
    let target = target::start().map_err(failed)?;
    let config = CONFIG.replace("@TARGET@", &target.to_string());
    let binary = workspace::target_directory()?.join("release/evenkeel");
    let balancer = Balancer::prepare(config).binary(binary).start();
    let (pairs, cut) = measure(balancer.web(), seconds).map_err(failed)?;
    report(&pairs, &cut)
}

/// Pairs of phases, in an order that alternates, until the crowd has been there for so many seconds.
fn measure(proxy: SocketAddr, seconds: u64) -> io::Result<(Vec<Pair>, Cut)> {
    let (mut pairs, mut all) = (Vec::new(), Cut::default());
    for number in 0..seconds.div_ceil(CROWDED.as_secs()) {
        let mut without = None;
        if number % 2 == 0 {
            without = Some(pace::run(proxy, Instant::now() + ALONE)?);
        }
        let until = Instant::now() + crowd::GATHERING + CROWDED;
        let (cut, with) = std::thread::scope(|scope| {
            let crowd = scope.spawn(move || crowd::run(proxy, until, TIMEOUT));
            std::thread::sleep(crowd::GATHERING);
            let with = pace::run(proxy, until);
            (crowd.join(), with)
        });
        let cut = cut.map_err(|_| io::Error::other("the crowd panicked"))??;
        all.times.extend(cut.times);
        all.overdue += cut.overdue;
        let without = match without {
            Some(times) => times,
            None => pace::run(proxy, Instant::now() + ALONE)?,
        };
        pairs.push(Pair { without, with: with? });
    }
    Ok((pairs, all))
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
        median(pairs.iter().map(|pair| ratio(of(&pair.with), of(&pair.without))).collect())
    };
    let (p50, p99) = (ratios(|times| times.p50), ratios(|times| times.p99));
    println!("median ratio   p50 {p50:.2}   p99 {p99:.2}   (bar {RATIO_MAX})\n");
    let mut wrongs = Vec::new();
    if p99 > RATIO_MAX || p50 > RATIO_MAX {
        wrongs.push(format!("the good client pays: p50 {p50:.2}, p99 {p99:.2} times"));
    }
    for (kind, _) in Kind::ALL {
        wrongs.extend(report_cut(kind, cut));
    }
    if cut.overdue > 0 {
        wrongs.push(format!("{} slow clients were not cut off", cut.overdue));
    }
    if wrongs.is_empty() { Ok(()) } else { Err(wrongs.join("\n")) }
}

/// Prints how long clients of this kind were let live; says what is wrong with it.
fn report_cut(kind: Kind, cut: &Cut) -> Option<String> {
    let times: Vec<f64> =
        cut.times.iter().filter(|(one, _)| *one == kind).map(|(_, time)| time.as_secs_f64()).collect();
    let (least, most) =
        times.iter().fold((f64::MAX, 0_f64), |(least, most), time| (least.min(*time), most.max(*time)));
    let (count, middle, name) = (times.len(), median(times), kind.name());
    let limit = TIMEOUT.as_secs_f64();
    println!("{name:12} {count:>5} cut off after {least:.2} – {middle:.2} – {most:.2} s (timeout {limit} s)");
    let is_fine = count > 0 && least >= limit - EARLY && most <= limit + LATE;
    (!is_fine).then(|| format!("{name}: {count} cut off after {least:.2} to {most:.2} s"))
}

fn ratio(with: Duration, without: Duration) -> f64 {
    with.as_secs_f64() / without.as_secs_f64().max(1e-9)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

const TIMEOUT: Duration = Duration::from_secs(10);
const CROWDED: Duration = Duration::from_secs(20);
const ALONE: Duration = Duration::from_secs(10);
const RATIO_MAX: f64 = 1.5;
/// Seconds. The crowd takes its times when it looks, and on a busy machine that is late.
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

const USAGE: &str = "usage: cargo xtask slow [--seconds N]

  --seconds  for which the slow clients are there (60)";

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
        assert!(report_cut(Kind::Body, &cut(&[10.0])).is_some(), "another kind's");
    }
}
