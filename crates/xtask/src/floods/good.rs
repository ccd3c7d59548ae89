//! Good clients at a steady rate, of either version, and how long they wait.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use testkit::Http2Client;
use testkit::h2::Reason;

use crate::slow::pace::Times;
use crate::soak::exchange;

/// Over one connection of HTTP/1.1.
pub(crate) fn http1(address: SocketAddr, until: Instant) -> Result<Times, String> {
    let text = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(address).map_err(text)?;
    stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(PATIENCE))).map_err(text)?;
    let mut input = Vec::new();
    pace(until, || {
        stream.write_all(b"GET /small HTTP/1.1\r\nHost: good.example\r\n\r\n").map_err(text)?;
        let head = exchange::read_head(&stream, &mut input).map_err(text)?;
        exchange::read_body(&stream, &mut input, &head).map_err(text)?;
        Ok(head.status())
    })
}

/// Over one connection of HTTP/2.
pub(crate) fn http2(address: SocketAddr, until: Instant) -> Result<Times, String> {
    let mut client = Http2Client::connect(address);
    pace(until, || {
        let mut exchanged = client.try_exchange("GET", "/small", &[], b"");
        if exchanged.as_ref().is_err_and(|error| error.reason() == Some(Reason::NO_ERROR)) {
            // A connection has only so many requests.
            client = Http2Client::connect(address);
            exchanged = client.try_exchange("GET", "/small", &[], b"");
        }
        exchanged.map(|response| response.status()).map_err(|error| error.to_string())
    })
}

/// Asks until `until`. A request's time begins when it was due, so that a stall counts for all whom it would have kept
/// waiting; those that are still due at the end are not asked any more.
fn pace(until: Instant, mut ask: impl FnMut() -> Result<u16, String>) -> Result<Times, String> {
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

/// 200 a second.
const EVERY: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(10);
