//! A good client at a steady rate, and how long it waits.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::soak::exchange;

/// Quantiles of the times of one phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Times {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) requests: usize,
}

/// Asks until `until`. A request's time begins when it was due, so that a stall counts for all whom it would have kept
/// waiting.
pub(crate) fn run(proxy: SocketAddr, until: Instant) -> io::Result<Times> {
    let mut stream = TcpStream::connect(proxy)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut input, mut times) = (Vec::new(), Vec::new());
    let mut due = Instant::now();
    while due < until {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        stream.write_all(b"GET /small HTTP/1.1\r\nHost: good.example\r\n\r\n")?;
        let head = exchange::read_head(&stream, &mut input)?;
        exchange::read_body(&stream, &mut input, &head)?;
        if head.status() != 200 {
            return Err(io::Error::other(format!("the good client got {}", head.status())));
        }
        times.push(due.elapsed());
        due += EVERY;
    }
    Ok(Times::of(times))
}

impl Times {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |share: f64| {
            let place = (times.len() as f64 * share) as usize;
            times.get(place.min(times.len().saturating_sub(1))).copied().unwrap_or_default()
        };
        Self { p50: at(0.5), p99: at(0.99), requests: times.len() }
    }
}

/// 200 a second.
const EVERY: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_all() {
        let times = Times::of((1..=200).rev().map(Duration::from_millis).collect());
        let (p50, p99) = (Duration::from_millis(101), Duration::from_millis(199));
        assert_eq!(times, Times { p50, p99, requests: 200 });
        assert_eq!(Times::of(Vec::new()).requests, 0);
    }
}
