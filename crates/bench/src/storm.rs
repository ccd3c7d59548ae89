//! The cost of TLS handshakes, made by `bench-handshake`, and of many certificates.

use xtask::Outcome;

use super::case::{Against, Case, Measure};
use super::contender::{Contender, Running, Variant, start_target};
use super::files::Files;
use super::load::{self, Storm};
use super::process::Placement;
use super::report::{Finding, Spread};
use super::run::{Bench, Round, WARM_UP, ratios};

/// What the clients saw.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    handshakes: u64,
    resumed: u64,
    seconds: f64,
}

/// One measurement of one contender.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sample {
    /// Microseconds per handshake.
    cpu: f64,
    rate: f64,
    /// The share of resumed handshakes.
    resumed: f64,
}

/// One contender with few or many certificates.
#[derive(Clone, Copy, Debug)]
struct Served {
    /// Seconds from the start of the process until it served.
    started_in: f64,
    resident: u64,
    handshake: Sample,
}

#[derive(Clone, Copy, Debug)]
struct FewAndMany {
    few: Served,
    many: Served,
}

type Value<'a> = &'a dyn Fn(&FewAndMany) -> f64;

impl Bench {
    pub(crate) fn handshakes(
        &self,
        case: &'static Case,
        storm: Storm,
        contenders: &[Contender],
    ) -> Outcome<Finding> {
        let (target, port) = start_target(self.placement(0), &self.files.binaries)?;
        let mut finding = Finding::new(case);
        let rounds = self.in_turns(contenders, &mut finding, |contender| {
            let running = self.start(contender, Variant::Tls, case.regime, port)?;
            self.storm_sample(&running, storm)
        });
        drop(target);
        for &contender in contenders {
            let samples: Vec<_> = rounds.iter().filter_map(|round| round.get(&contender).copied()).collect();
            finding.absolutes.extend(absolute(contender.name(), &samples));
        }
        for &other in contenders.iter().filter(|other| other.is_opponent()) {
            let against = Against::Contender(other);
            finding.compare(Measure::Handshake, against, ratios(&rounds, other, |s| s.cpu));
            finding.compare(Measure::Rate, against, ratios(&rounds, other, |s| s.rate));
        }
        Ok(finding)
    }

    pub(crate) fn certificates(
        &self,
        case: &'static Case,
        (few, many): (usize, usize),
        contenders: &[Contender],
    ) -> Outcome<Finding> {
        let (target, port) = start_target(self.placement(0), &self.files.binaries)?;
        let mut finding = Finding::new(case);
        let served = |contender, count| {
            let running = self.start(contender, Variant::Certificates(count), case.regime, port)?;
            let resident = running.process.resident()?;
            let storm = Storm { connections: 16, resume: false, names: count };
            let handshake = self.storm_sample(&running, storm)?;
            Ok::<_, String>(Served { started_in: running.started_in.as_secs_f64(), resident, handshake })
        };
        let rounds = self.in_turns(contenders, &mut finding, |contender| {
            Ok(FewAndMany { few: served(contender, few)?, many: served(contender, many)? })
        });
        drop(target);
        let values = |contender, value: Value<'_>| -> Vec<f64> {
            rounds.iter().filter_map(|round: &Round<_>| round.get(&contender).map(value)).collect()
        };
        let kib = |both: &FewAndMany| {
            both.many.resident.saturating_sub(both.few.resident) as f64 / 1024.0 / (many - few) as f64
        };
        let measures: [(Measure, Against, Value<'_>); 3] = [
            (Measure::LoadTime, Against::Nothing, &|both| both.many.started_in),
            (Measure::CertificateMemory, Against::Nothing, &kib),
            (Measure::Handshake, Against::FewCertificates, &|both| {
                both.many.handshake.cpu / both.few.handshake.cpu
            }),
        ];
        for (measure, against, value) in measures {
            for &contender in contenders {
                if let Some(Spread { median, .. }) = Spread::of(values(contender, value)) {
                    finding.absolutes.push(format!(
                        "{:16} {}: {median:.2}",
                        contender.name(),
                        measure.name()
                    ));
                }
            }
            finding.compare(measure, against, values(Contender::Evenkeel, value));
        }
        if contenders.contains(&Contender::EvenkeelBefore) {
            let against = Against::Contender(Contender::EvenkeelBefore);
            let measures: [(Measure, Value<'_>); 3] = [
                (Measure::LoadTime, &|both| both.many.started_in),
                (Measure::CertificateMemory, &kib),
                (Measure::Handshake, &|both| both.many.handshake.cpu),
            ];
            for (measure, value) in measures {
                finding.compare(measure, against, ratios(&rounds, Contender::EvenkeelBefore, value));
            }
        }
        Ok(finding)
    }

    fn storm_sample(&self, running: &Running, storm: Storm) -> Outcome<Sample> {
        let clients = self.placement(0);
        run(storm, running.port, WARM_UP, clients, &self.files)?;
        let before = running.process.cpu()?;
        let seen = run(storm, running.port, self.seconds, clients, &self.files)?;
        let cpu = running.process.cpu()?.saturating_sub(before);
        let count = seen.handshakes.max(1) as f64;
        Ok(Sample {
            cpu: cpu.as_secs_f64() * 1e6 / count,
            rate: count / seen.seconds,
            resumed: seen.resumed as f64 / count,
        })
    }
}

fn run(storm: Storm, port: u16, seconds: u64, placement: Placement, files: &Files) -> Outcome<Seen> {
    let mut command = placement.command(&files.handshake());
    command.args(["storm", "--connect", &format!("127.0.0.1:{port}")]);
    command.args(["--connections", &storm.connections.to_string(), "--names", &storm.names.to_string()]);
    command.args(["--seconds", &seconds.to_string()]);
    if storm.resume {
        command.arg("--resume");
    }
    let seen = parse(&load::output(&mut command)?)?;
    check(storm, seen)?;
    Ok(seen)
}

/// Parses `handshakes N resumed N failed N seconds S`, which an error may follow.
fn parse(text: &str) -> Outcome<Seen> {
    let value = |name: &str| {
        let mut words = text.split_whitespace().skip_while(|&word| word != name);
        words.nth(1).ok_or_else(|| format!("bench-handshake said:\n{text}"))
    };
    let number = |name| value(name)?.parse::<u64>().map_err(|error| format!("{name}: {error}"));
    let (handshakes, failed) = (number("handshakes")?, number("failed")?);
    if handshakes == 0 || failed > handshakes / ERRORS_SHARE {
        return Err(format!("handshakes failed: {}", text.trim_end()));
    }
    let seconds = value("seconds")?.parse().map_err(|error| format!("seconds: {error}"))?;
    Ok(Seen { handshakes, resumed: number("resumed")?, seconds })
}

/// Checks that handshakes were resumed or not, as wanted. The first handshake of every client is a full one.
fn check(storm: Storm, seen: Seen) -> Outcome {
    let Seen { handshakes, resumed, .. } = seen;
    let full = handshakes.saturating_sub(resumed);
    match storm.resume {
        true if full > u64::from(storm.connections) + handshakes / ERRORS_SHARE => {
            Err(format!("{full} of {handshakes} handshakes were not resumed"))
        }
        false if resumed > 0 => Err(format!("{resumed} of {handshakes} handshakes were resumed")),
        _ => Ok(()),
    }
}

/// A line with the medians over the rounds.
fn absolute(name: &str, samples: &[Sample]) -> Option<String> {
    let median = |value: fn(&Sample) -> f64| Some(Spread::of(samples.iter().map(value).collect())?.median);
    let (cpu, rate, resumed) = (median(|s| s.cpu)?, median(|s| s.rate)?, median(|s| s.resumed)?);
    Some(format!("{name:16} {cpu:8.2} µs/handshake {rate:7.0}/s, {:.1} % resumed", resumed * 100.0))
}

/// One failure per this many handshakes is accepted.
const ERRORS_SHARE: u64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    const STORM: Storm = Storm { connections: 16, resume: false, names: 1 };

    #[test]
    fn the_report_of_the_client_is_read() {
        let seen = parse("handshakes 4929 resumed 4913 failed 0 seconds 2.002768\n").unwrap();
        assert_eq!(seen, Seen { handshakes: 4929, resumed: 4913, seconds: 2.002_768 });
        for text in [
            "",
            "handshakes 0 resumed 0 failed 0 seconds 2.0",
            "handshakes 4929 resumed 4913 failed 5 seconds 2.0 error reset",
            "handshakes 4929 failed 0 seconds 2.0",
            "handshakes 4929 resumed 4913 failed 0 seconds long",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn handshakes_must_be_resumed_exactly_where_wanted() {
        let seen = |resumed| Seen { handshakes: 5000, resumed, seconds: 2.0 };
        let resume = Storm { resume: true, ..STORM };
        for (storm, resumed, expected) in [
            (STORM, 0, true),
            (STORM, 1, false),
            (resume, 5000 - 16, true),
            (resume, 5000 - 21, true),
            (resume, 5000 - 22, false),
            (resume, 0, false),
        ] {
            assert_eq!(check(storm, seen(resumed)).is_ok(), expected, "{storm:?} {resumed}");
        }
    }

    #[test]
    fn the_line_has_the_medians() {
        let sample = Sample { cpu: 250.0, rate: 1800.0, resumed: 0.5 };
        let line = absolute("nginx", &[sample]).unwrap();
        assert!(line.contains("250.00 µs/handshake") && line.contains("50.0 % resumed"), "{line}");
        assert_eq!(absolute("nginx", &[]), None);
    }
}
