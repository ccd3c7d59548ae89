//! The load generators and what they report.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::process::Placement;
use crate::Outcome;

/// What clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) path: &'static str,
    pub(crate) connections: u32,
    /// A connection per request.
    pub(crate) close: bool,
    /// Takes gzip.
    pub(crate) gzip: bool,
}

/// What they saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    /// Heads and bodies.
    pub(crate) bytes: f64,
    /// Requests per second.
    pub(crate) rate: f64,
    pub(crate) p50: Duration,
    pub(crate) p90: Duration,
}

/// Closed loop: every connection asks again as soon as it is answered. Whole seconds only.
pub(crate) fn closed(
    load: Load,
    host: Option<&str>,
    port: u16,
    seconds: u64,
    placement: Placement,
) -> Outcome<Seen> {
    let mut command = placement.command(Path::new("wrk"));
    command.args(["-t1", "--latency", "--timeout", "10s"]);
    command.args([format!("-c{}", load.connections), format!("-d{seconds}s")]);
    if load.close {
        command.args(["-H", "Connection: close"]);
    }
    if load.gzip {
        command.args(["-H", "Accept-Encoding: gzip"]);
    }
    if let Some(host) = host {
        command.arg("-H").arg(format!("Host: {host}"));
    }
    command.arg(format!("http://127.0.0.1:{port}{}", load.path));
    parse_wrk(&output(&mut command)?)
}

/// Paced: `rate` requests per second over all connections. Returns every response time, counted from sending: h2load
/// lets a connection that still waits send late, so a stall shows once per connection and not once per request that
/// was due meanwhile.
pub(crate) fn paced(
    load: Load,
    port: u16,
    rate: f64,
    seconds: u64,
    placement: Placement,
) -> Outcome<Vec<Duration>> {
    let log = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    let mut command = placement.command(Path::new("h2load"));
    command.args(["--h1", "-t1", "--warm-up-time=1"]).arg(format!("--log-file={}", log.path().display()));
    command.args([format!("-c{}", load.connections), format!("-D{seconds}")]);
    command.arg(format!("--rps={:.2}", rate / f64::from(load.connections)));
    command.arg(format!("http://127.0.0.1:{port}{}", load.path));
    output(&mut command)?;
    let text = std::fs::read_to_string(log.path()).map_err(|error| error.to_string())?;
    parse_h2load_log(&text)
}

/// The value below which `share` (0–1) of them lie.
pub(crate) fn quantile(times: &mut [Duration], share: f64) -> Option<Duration> {
    times.sort_unstable();
    let place = (times.len() as f64 * share) as usize;
    times.get(place.min(times.len().checked_sub(1)?)).copied()
}

fn output(command: &mut Command) -> Outcome<String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn parse_wrk(text: &str) -> Outcome<Seen> {
    let missing = || format!("wrk said:\n{text}");
    let words = |line: &'static str| {
        text.lines().find_map(move |candidate| candidate.trim().strip_prefix(line)).map(str::trim)
    };
    let (requests, rest) =
        text.lines().find_map(|line| line.trim().split_once(" requests in ")).ok_or_else(missing)?;
    let requests = requests.parse().map_err(|_| missing())?;
    let read = rest.split(' ').nth(1).and_then(parse_bytes).ok_or_else(missing)?;
    if let Some(failed) = words("Non-2xx or 3xx responses:") {
        return Err(format!("{failed} of {requests} responses were not 2xx"));
    }
    let errors: u64 = words("Socket errors:")
        .map_or(0, |line| line.split([' ', ',']).filter_map(|word| word.parse::<u64>().ok()).sum());
    if errors > requests / ERRORS_SHARE {
        return Err(format!("{errors} socket errors in {requests} requests"));
    }
    let rate = words("Requests/sec:").and_then(|word| word.parse().ok()).ok_or_else(missing)?;
    let p50 = words("50%").and_then(parse_duration).ok_or_else(missing)?;
    let p90 = words("90%").and_then(parse_duration).ok_or_else(missing)?;
    Ok(Seen { requests, bytes: read, rate, p50, p90 })
}

/// wrk's `870.00us`, `1.23ms`, `1.02s`.
fn parse_duration(word: &str) -> Option<Duration> {
    let split = word.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = word.split_at(split);
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

/// wrk's `512.00B`, `1.50KB`, `9.11MB`, `1.20GB`.
fn parse_bytes(word: &str) -> Option<f64> {
    let split = word.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = word.split_at(split);
    let power = ["B", "KB", "MB", "GB"].iter().position(|&name| name == unit)?;
    Some(number.parse::<f64>().ok()? * 1024_f64.powi(i32::try_from(power).ok()?))
}

/// Lines of start, status and microseconds until the end of the response.
fn parse_h2load_log(text: &str) -> Outcome<Vec<Duration>> {
    let mut times = Vec::new();
    for line in text.lines() {
        let mut columns = line.split('\t').skip(1);
        match (columns.next(), columns.next().and_then(|column| column.parse().ok())) {
            (Some("200"), Some(microseconds)) => times.push(Duration::from_micros(microseconds)),
            _ => return Err(format!("h2load saw a failure: {line:?}")),
        }
    }
    if times.is_empty() { Err("h2load logged nothing".into()) } else { Ok(times) }
}

/// One socket error in that many requests is let pass: wrk cuts requests off when its time is over.
const ERRORS_SHARE: u64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    const WRK: &str = "Running 1s test @ http://127.0.0.1:1/small
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   642.12us  607.64us   9.76ms   97.24%
    Req/Sec    58.57k     3.20k   62.86k    70.00%
  Latency Distribution
     50%  523.00us
     75%  596.00us
     90%    0.92ms
     99%    3.21ms
  58279 requests in 1.00s, 9.11MB read
Requests/sec:  58021.10
Transfer/sec:      9.07MB
";

    #[test]
    fn reads_what_wrk_says() {
        let seen = parse_wrk(WRK).unwrap();
        let expected = Seen {
            requests: 58_279,
            bytes: 9.11 * 1_048_576.0,
            rate: 58_021.1,
            p50: Duration::from_micros(523),
            p90: Duration::from_micros(920),
        };
        assert_eq!(seen, expected);
    }

    #[test]
    fn failures_are_no_result() {
        let failed = format!("{WRK}  Non-2xx or 3xx responses: 7\n");
        assert!(parse_wrk(&failed).unwrap_err().contains("7 of 58279"));
        let few = format!("{WRK}  Socket errors: connect 0, read 9, write 0, timeout 0\n");
        assert!(parse_wrk(&few).is_ok());
        let many = format!("{WRK}  Socket errors: connect 9, read 90, write 0, timeout 0\n");
        assert!(parse_wrk(&many).unwrap_err().contains("99 socket errors"));
        assert!(parse_wrk("unable to connect").is_err());
    }

    #[test]
    fn durations_have_units() {
        for (word, expected) in [
            ("870.00us", Some(Duration::from_micros(870))),
            ("1.25ms", Some(Duration::from_micros(1250))),
            ("2.00s", Some(Duration::from_secs(2))),
            ("2.00", None),
            ("ms", None),
            ("2.00parsec", None),
        ] {
            assert_eq!(parse_duration(word), expected, "{word}");
        }
    }

    #[test]
    fn bytes_have_units() {
        for (word, expected) in [
            ("7.00B", Some(7.0)),
            ("1.50KB", Some(1536.0)),
            ("2.00GB", Some(2_147_483_648.0)),
            ("2.00", None),
            ("2.00m", None),
        ] {
            assert_eq!(parse_bytes(word), expected, "{word}");
        }
    }

    #[test]
    fn h2load_lines_are_response_times() {
        let times = parse_h2load_log("17\t200\t1218\n18\t200\t1002\n").unwrap();
        assert_eq!(times, [Duration::from_micros(1218), Duration::from_micros(1002)]);
        for text in ["", "17\t-1\t1218\n", "17\t503\t1218\n", "17\t200\n"] {
            assert!(parse_h2load_log(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn quantiles_lie_within() {
        let mut times: Vec<_> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(quantile(&mut times, 0.99), Some(Duration::from_millis(100)));
        assert_eq!(quantile(&mut times, 0.5), Some(Duration::from_millis(51)));
        assert_eq!(quantile(&mut times, 1.0), Some(Duration::from_millis(100)));
        assert_eq!(quantile(&mut [], 0.5), None);
    }
}
