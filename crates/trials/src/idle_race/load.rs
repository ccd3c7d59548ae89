//! Clients that send bursts of POST requests at the same time, with pauses of about the target's idle limit.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use balance::Rng;

use crate::exchange::{self, Reader};

/// What the clients saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    /// When a request got no 200, and what it got instead.
    pub(crate) errors: Vec<(Instant, String)>,
}

/// The pauses of a run of about `total`: evenly between 0.5 and 1.5 of the limit, and every fourth close to it.
pub(crate) fn pauses(idle: Duration, total: Duration, random: &mut Rng) -> Vec<Duration> {
    let (mut pauses, mut sum) = (Vec::new(), Duration::ZERO);
    while sum < total {
        let thousandths =
            if random.below(4) > 0 { 500 + random.below(1_001) } else { 970 + random.below(61) };
        let pause = idle.mul_f64(thousandths as f64 / 1_000.0);
        sum += pause;
        pauses.push(pause);
    }
    pauses
}

/// Runs all clients with these pauses.
pub(crate) fn run(proxy: SocketAddr, pauses: &[Duration], seed: u64) -> Seen {
    let together = Barrier::new(CLIENTS);
    let mut all = Seen::default();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (together, random) = (&together, Rng::new(seed ^ (number as u64) << 32));
                scope.spawn(move || client(proxy, pauses, together, random))
            })
            .collect();
        for seen in clients.into_iter().filter_map(|client| client.join().ok()) {
            all.requests += seen.requests;
            all.errors.extend(seen.errors);
        }
    });
    all
}

fn client(proxy: SocketAddr, pauses: &[Duration], together: &Barrier, mut random: Rng) -> Seen {
    let (mut seen, mut connection) = (Seen::default(), None);
    for &pause in pauses {
        for _ in 0..=random.below(BURST_MAX) {
            seen.requests += 1;
            if let Err(error) = post(proxy, &mut connection) {
                seen.errors.push((Instant::now(), error.to_string()));
                connection = None;
            }
        }
        together.wait();
        std::thread::sleep(pause + Duration::from_micros(random.below(SPREAD_MICROS)));
    }
    seen
}

fn post(proxy: SocketAddr, connection: &mut Option<TcpStream>) -> io::Result<()> {
    if connection.is_none() {
        *connection = Some(exchange::connect(proxy, PATIENCE)?);
    }
    let Some(stream) = connection else { return Ok(()) };
    stream.write_all(b"POST / HTTP/1.1\r\nHost: race.example\r\nContent-Length: 4\r\n\r\nbody")?;
    let mut reader = Reader::new(stream);
    let head = reader.head()?;
    if head.status() != 200 {
        return Err(io::Error::other(format!("status {}", head.status())));
    }
    reader.body(&head).map(drop)
}

/// Concurrent clients, each with a connection.
const CLIENTS: usize = 24;
const BURST_MAX: u64 = 6;
/// How far apart the clients begin a burst.
const SPREAD_MICROS: u64 = 20_000;
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_around_the_limit_and_follow_from_the_seed() {
        let make = || pauses(Duration::from_secs(2), Duration::from_secs(600), &mut Rng::new(7));
        let made = make();
        assert_eq!(made, make());
        assert!(made.iter().all(|pause| (1.0..=3.0).contains(&pause.as_secs_f64())));
        let near = made.iter().filter(|pause| (1.94..=2.06).contains(&pause.as_secs_f64())).count();
        assert!(near * 4 > made.len(), "{near} of {}", made.len());
    }
}
