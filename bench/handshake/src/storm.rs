//! Handshakes on several threads, one after the other on each.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use crate::Outcome;
use crate::arguments::Storm;
use crate::client::{Connection, configuration, host};

/// The result. It is printed as one line of names and numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    handshakes: u64,
    resumed: u64,
    failed: u64,
    /// The last failure's error.
    error: Option<String>,
    elapsed: Duration,
}

pub(crate) fn run(storm: &Storm) -> Outcome<Seen> {
    let begin = Instant::now();
    let deadline = begin + storm.duration;
    let mut seen = Seen::default();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..storm.connections)
            .map(|number| {
                // Each thread has its own client, so that no thread waits for another's tickets.
                let sessions = storm.resume.then_some(storm.names);
                let configuration = configuration(sessions).map_err(|error| error.to_string())?;
                Ok(scope.spawn(move || one_by_one(storm, &configuration, number as u64, deadline)))
            })
            .collect::<Outcome<_>>()?;
        for thread in threads {
            seen.add(thread.join().map_err(|_| "a thread panicked")?);
        }
        Ok::<_, String>(())
    })?;
    seen.elapsed = begin.elapsed();
    Ok(seen)
}

fn one_by_one(storm: &Storm, configuration: &Arc<ClientConfig>, seed: u64, deadline: Instant) -> Seen {
    let mut seen = Seen::default();
    let mut numbers = Numbers(seed);
    while Instant::now() < deadline {
        let name = host(numbers.below(storm.names));
        let handshake = Connection::open(storm.address, configuration, name).and_then(|connection| {
            let is_resumed = connection.is_resumed();
            connection.close()?;
            Ok(is_resumed)
        });
        match handshake {
            Ok(is_resumed) => {
                seen.handshakes += 1;
                seen.resumed += u64::from(is_resumed);
            }
            Err(error) => {
                seen.failed += 1;
                seen.error = Some(error.to_string());
                // Otherwise a server that refuses connections would be tried a million times.
                if seen.failed > FAILURES {
                    break;
                }
            }
        }
    }
    seen
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.handshakes += other.handshakes;
        self.resumed += other.resumed;
        self.failed += other.failed;
        self.error = other.error.or(self.error.take());
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { handshakes, resumed, failed, elapsed, .. } = self;
        let seconds = elapsed.as_secs_f64();
        write!(f, "handshakes {handshakes} resumed {resumed} failed {failed} seconds {seconds:.6}")?;
        self.error.iter().try_for_each(|error| write!(f, " error {error}"))
    }
}

/// A linear congruential generator (Knuth, MMIX). Its upper bits are random enough for this.
#[derive(Clone, Debug)]
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % limit.max(1) as u64) as usize
    }
}

/// limit: failures of one thread.
const FAILURES: u64 = 100;

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener};

    use rustls::crypto::aws_lc_rs;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::{ServerConfig, ServerConnection, version};

    use super::*;
    use crate::certificates;

    /// Serves handshakes, with or without tickets.
    fn serve(tickets: bool) -> SocketAddr {
        let directory =
            std::env::temp_dir().join(format!("bench-handshake-{}-{tickets}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        certificates::write(&directory, 1).unwrap();
        let pem = std::fs::read(directory.join("0.pem")).unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_slice(&pem).unwrap();
        let mut configuration = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_protocol_versions(&[&version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        if tickets {
            configuration.ticketer = aws_lc_rs::Ticketer::new().unwrap();
        } else {
            configuration.send_tls13_tickets = 0;
        }
        let configuration = Arc::new(configuration);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut tls = ServerConnection::new(Arc::clone(&configuration)).unwrap();
                // Until the client's `close_notify`.
                while tls.complete_io(&mut stream).is_ok_and(|(read, _)| read > 0) {}
            }
        });
        address
    }

    #[test]
    fn a_client_with_a_ticket_resumes() {
        for (tickets, resume) in [(true, true), (true, false), (false, true)] {
            let duration = Duration::from_millis(50);
            let storm = Storm { address: serve(tickets), connections: 1, duration, resume, names: 1 };
            let seen = run(&storm).unwrap();
            let expected = if tickets && resume { seen.handshakes - 1 } else { 0 };
            assert!(seen.handshakes > 0 && seen.failed == 0, "{seen}");
            assert_eq!(seen.resumed, expected, "tickets {tickets}, resume {resume}: {seen}");
        }
    }

    #[test]
    fn a_refused_connection_is_reported() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let storm =
            Storm { address, connections: 2, duration: Duration::from_secs(60), resume: false, names: 1 };
        let seen = run(&storm).unwrap();
        assert_eq!((seen.handshakes, seen.failed), (0, 2 * (FAILURES + 1)));
        assert!(seen.error.is_some());
    }

    #[test]
    fn the_result_is_one_line() {
        let mut seen =
            Seen { handshakes: 7, resumed: 6, elapsed: Duration::from_millis(1500), ..Seen::default() };
        assert_eq!(seen.to_string(), "handshakes 7 resumed 6 failed 0 seconds 1.500000");
        seen.add(Seen { handshakes: 1, failed: 2, error: Some("reset".into()), ..Seen::default() });
        seen.add(Seen::default());
        assert_eq!(seen.to_string(), "handshakes 8 resumed 6 failed 2 seconds 1.500000 error reset");
    }

    #[test]
    fn every_number_below_the_limit_occurs() {
        let mut numbers = Numbers(3);
        let mut count = [0; 10];
        (0..1000).for_each(|_| count[numbers.below(10)] += 1);
        assert!(count.iter().all(|&count| count > 50), "{count:?}");
        assert_eq!(numbers.below(1), 0);
    }
}
