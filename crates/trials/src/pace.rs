//! Good clients at a steady rate, and how long they wait.

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use testkit::Http2Client;
use testkit::h2::Reason;
use xtask::Outcome;

use crate::exchange::{self, Reader};

/// Quantiles of the response times of one phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Times {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// Sends requests over one HTTP/1.1 connection.
pub(crate) fn http1(address: SocketAddr, until: Instant) -> Outcome<Times> {
    let text = |error: std::io::Error| error.to_string();
    let stream = exchange::connect(address, PATIENCE).map_err(text)?;
    let mut reader = Reader::new(&stream);
    run(until, || {
        (&stream).write_all(b"GET /small HTTP/1.1\r\nHost: good.example\r\n\r\n").map_err(text)?;
        let head = reader.head().map_err(text)?;
        reader.body(&head).map_err(text)?;
        Ok(head.status())
    })
}

/// Sends requests over one HTTP/2 connection, or one after the other where the server closes them in order.
pub(crate) fn http2(address: SocketAddr, until: Instant) -> Outcome<Times> {
    let mut client = Http2Client::connect(address);
    run(until, || {
        let mut exchanged = client.try_exchange("GET", "/small", &[], b"");
        if exchanged.as_ref().is_err_and(|error| error.reason() == Some(Reason::NO_ERROR)) {
            // The server limits the requests of a connection.
            client = Http2Client::connect(address);
            exchanged = client.try_exchange("GET", "/small", &[], b"");
        }
        exchanged.map(|response| response.status()).map_err(|error| error.to_string())
    })
}

/// Calls `ask` at the rate of [`EVERY`] until `until`.
///
/// The time of a request counts from when it was due, so that a stall counts for all requests that it delays. Requests
/// that are due and not sent at `until` are left out.
fn run(until: Instant, mut ask: impl FnMut() -> Outcome<u16>) -> Outcome<Times> {
    let mut times = Vec::new();
    let mut due = Instant::now();
    while due < until && Instant::now() < until {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let status = ask()?;
        if status != 200 {
            return Err(format!("the good client got {status}"));
        }
        times.push(due.elapsed());
        due += EVERY;
    }
    Ok(Times::of(times))
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |share: f64| {
            let place = (times.len() as f64 * share) as usize;
            times.get(place.min(times.len().saturating_sub(1))).copied().unwrap_or_default()
        };
        Self { p50: at(0.5), p99: at(0.99) }
    }
}

/// 200 requests per second.
const EVERY: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_all_times() {
        let times = Times::of((1..=200).rev().map(Duration::from_millis).collect());
        let (p50, p99) = (Duration::from_millis(101), Duration::from_millis(199));
        assert_eq!(times, Times { p50, p99 });
        assert_eq!(Times::of(Vec::new()).p99, Duration::ZERO);
    }

    #[test]
    fn a_status_other_than_200_ends_the_phase() {
        let until = Instant::now() + Duration::from_secs(60);
        assert_eq!(run(until, || Ok(503)).unwrap_err(), "the good client got 503");
    }
}
