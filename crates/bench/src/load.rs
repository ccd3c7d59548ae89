//! The load generators, and what they report.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use xtask::Outcome;

use super::process::{Placement, first_number};
use super::sessions;

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) path: &'static str,
    pub(crate) connections: u32,
    /// One connection per request.
    pub(crate) close: bool,
    /// Accept gzip.
    pub(crate) gzip: bool,
    pub(crate) tls: bool,
    /// Send the cookie that a first response sets, or one that says nothing.
    pub(crate) cookie: bool,
    /// Send a random one of this many addresses in `X-Forwarded-For`; 0: no such field.
    pub(crate) sources: usize,
    /// Every hundredth request comes from an address of its own.
    pub(crate) fresh: bool,
    /// HTTP/2, with this many concurrent streams per connection.
    pub(crate) streams: Option<u32>,
}

/// What clients that only make TLS handshakes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Storm {
    /// Concurrent connections.
    pub(crate) connections: u32,
    /// Resume with the ticket of the previous handshake.
    pub(crate) resume: bool,
    /// The number of hosts whose names are sent.
    pub(crate) names: usize,
}

/// What the clients saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    /// Bytes of heads and bodies.
    pub(crate) bytes: f64,
    /// Requests per second.
    pub(crate) rate: f64,
    /// `None` for h2load, which reports none.
    pub(crate) times: Option<Times>,
}

/// Response times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Times {
    pub(crate) p50: Duration,
    pub(crate) p90: Duration,
    pub(crate) p99: Duration,
}

impl Load {
    fn url(&self, port: u16) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{port}{}", self.path)
    }
}

/// Runs a closed loop: every connection sends its next request as soon as it has the response.
pub(crate) fn closed(
    load: Load,
    host: Option<&str>,
    port: u16,
    seconds: u64,
    placement: Placement,
) -> Outcome<Seen> {
    if let Some(streams) = load.streams {
        let mut command = placement.command(Path::new("h2load"));
        command.args(["-t1".into(), format!("-c{}", load.connections), format!("-m{streams}")]);
        command.args([format!("-D{seconds}"), load.url(port)]);
        return parse_h2load(&output(&mut command)?);
    }
    let mut command = placement.command(Path::new("wrk"));
    command.args(["-t1", "--latency", "--timeout", "10s"]);
    command.args([format!("-c{}", load.connections), format!("-d{seconds}s")]);
    if load.close {
        command.args(["-H", "Connection: close"]);
    }
    if load.gzip {
        command.args(["-H", "Accept-Encoding: gzip"]);
    }
    if load.cookie {
        command.arg("-H").arg(format!("Cookie: {}", sessions::cookie(port)?));
    }
    let script = (load.sources > 0).then(|| sessions::script(load.sources, load.fresh)).transpose()?;
    if let Some(script) = &script {
        command.arg("-s").arg(script.path());
    }
    if let Some(host) = host {
        command.arg("-H").arg(format!("Host: {host}"));
    }
    command.arg(load.url(port));
    parse_wrk(&output(&mut command)?)
}

/// Runs a paced load: `rate` requests per second over all connections. Returns every response time, counted from sending.
///
/// In h2load a connection that still waits for a response sends its next request late. A stall therefore shows once per
/// connection, and not once per request that was due in the meantime.
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
    command.arg(load.url(port));
    output(&mut command)?;
    let text = std::fs::read_to_string(log.path()).map_err(|error| error.to_string())?;
    parse_h2load_log(&text)
}

/// The value below which `share` (0–1) of the times are.
pub(crate) fn quantile(times: &mut [Duration], share: f64) -> Option<Duration> {
    times.sort_unstable();
    let place = (times.len() as f64 * share) as usize;
    times.get(place.min(times.len().checked_sub(1)?)).copied()
}

pub(crate) fn output(command: &mut Command) -> Outcome<String> {
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
    let p99 = words("99%").and_then(parse_duration).ok_or_else(missing)?;
    Ok(Seen { requests, bytes: read, rate, times: Some(Times { p50, p90, p99 }) })
}

/// The summary of a run over time.
fn parse_h2load(text: &str) -> Outcome<Seen> {
    let missing = || format!("h2load said:\n{text}");
    let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(missing);
    let rate =
        line("finished in ")?.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(missing)?;
    let bytes = line("traffic: ")?.split(['(', ')']).nth(1).and_then(|word| word.parse().ok());
    let status = line("status codes: ")?;
    let requests: u64 = first_number(status).ok_or_else(missing)?;
    // The counts of 3xx, 4xx and 5xx.
    let bad: u64 = status.split(", ").skip(1).filter_map(first_number).sum();
    // The last three of `total, started, done, succeeded, failed, errored, timeout`.
    let failed: u64 = line("requests: ")?.split(", ").skip(4).filter_map(first_number).sum();
    // If the server refuses HTTP/2, h2load counts no request at all.
    if requests == 0 || bad > 0 || failed > requests / ERRORS_SHARE {
        return Err(format!("{bad} of {requests} responses were not 2xx, {failed} requests failed"));
    }
    Ok(Seen { requests, bytes: bytes.ok_or_else(missing)?, rate, times: None })
}

/// Parses a duration of wrk: `870.00us`, `1.23ms`, `1.02s`.
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

/// Parses a size of wrk: `512.00B`, `1.50KB`, `9.11MB`, `1.20GB`.
fn parse_bytes(word: &str) -> Option<f64> {
    let split = word.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = word.split_at(split);
    let power = ["B", "KB", "MB", "GB"].iter().position(|&name| name == unit)?;
    Some(number.parse::<f64>().ok()? * 1024_f64.powi(i32::try_from(power).ok()?))
}

/// Parses lines of start time, status, and microseconds until the end of the response.
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

/// One socket error per this many requests is accepted: wrk aborts requests in flight when its time is over.
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
    fn the_report_of_wrk_is_read() {
        let seen = parse_wrk(WRK).unwrap();
        let expected = Seen {
            requests: 58_279,
            bytes: 9.11 * 1_048_576.0,
            rate: 58_021.1,
            times: Some(Times {
                p50: Duration::from_micros(523),
                p90: Duration::from_micros(920),
                p99: Duration::from_micros(3_210),
            }),
        };
        assert_eq!(seen, expected);
    }

    #[test]
    fn failures_are_errors() {
        let failed = format!("{WRK}  Non-2xx or 3xx responses: 7\n");
        assert!(parse_wrk(&failed).unwrap_err().contains("7 of 58279"));
        let few = format!("{WRK}  Socket errors: connect 0, read 9, write 0, timeout 0\n");
        assert!(parse_wrk(&few).is_ok());
        let many = format!("{WRK}  Socket errors: connect 9, read 90, write 0, timeout 0\n");
        assert!(parse_wrk(&many).unwrap_err().contains("99 socket errors"));
        assert!(parse_wrk("unable to connect").is_err());
    }

    const H2LOAD: &str = "starting benchmark...
finished in 1.01s, 21881.00 req/s, 2.09MB/s
requests: 21881 total, 22041 started, 21881 done, 21881 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 21881 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 2.09MB (2191552) total, 150.00KB (153600) headers (space savings 95.00%), 277.85KB (284517) data
";

    #[test]
    fn the_report_of_h2load_is_read() {
        let seen = parse_h2load(H2LOAD).unwrap();
        assert_eq!(seen, Seen { requests: 21_881, bytes: 2_191_552.0, rate: 21_881.0, times: None });
        for (good, bad) in [
            ("0 5xx", "1 5xx"),
            ("0 errored", "50 errored"),
            ("finished", "ended"),
            ("traffic", "flow"),
            ("21881 2xx", "no 2xx"),
            ("21881 2xx", "0 2xx"),
        ] {
            assert!(parse_h2load(&H2LOAD.replace(good, bad)).is_err(), "{bad}");
        }
        assert!(parse_h2load(&H2LOAD.replace("0 errored", "3 errored")).is_ok());
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
    fn quantiles_are_values_of_the_list() {
        let mut times: Vec<_> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(quantile(&mut times, 0.99), Some(Duration::from_millis(100)));
        assert_eq!(quantile(&mut times, 0.5), Some(Duration::from_millis(51)));
        assert_eq!(quantile(&mut times, 1.0), Some(Duration::from_millis(100)));
        assert_eq!(quantile(&mut [], 0.5), None);
    }
}
