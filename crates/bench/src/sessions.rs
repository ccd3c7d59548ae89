//! Sessions of a load: its cookie, and its many addresses.

use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use tempfile::NamedTempFile;
use xtask::Outcome;

/// The cookie that the response to a first request sets, as `name=value`; without one, a cookie of about that length.
pub(crate) fn cookie(port: u16) -> Outcome<String> {
    let failed = |error: std::io::Error| format!("the first request: {error}");
    let mut stream = connect(port).map_err(failed)?;
    stream
        .write_all(b"GET /small HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .map_err(failed)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(failed)?;
    Ok(cookie_of(&answer).unwrap_or_else(|| format!("other={}", "a".repeat(OTHER_LENGTH))))
}

fn cookie_of(answer: &str) -> Option<String> {
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("set-cookie")
            .then(|| value.split(';').next().unwrap_or_default().trim().to_owned())
    };
    answer.lines().find_map(field)
}

/// A script for wrk that sends a random one of `count` addresses with each request, or if `fresh` a new address with every
/// hundredth.
pub(crate) fn script(count: usize, fresh: bool) -> Outcome<NamedTempFile> {
    let failed = |error: std::io::Error| format!("a script: {error}");
    let mut file = NamedTempFile::new().map_err(failed)?;
    let text = format!(
        "math.randomseed(1)
local sent, fresh = 0, {fresh}
-- Two runs of wrk have different new addresses.
local new = {count} + os.time() % 1000 * 10000
request = function()
  local n = math.random(0, {last})
  sent = sent + 1
  if fresh and sent % 100 == 0 then
    n = new
    new = new + 1
  end
  wrk.headers['X-Forwarded-For'] = '10.' .. math.floor(n / 65536) .. '.' .. math.floor(n / 256) % 256 .. '.' .. n % 256
  return wrk.format()
end
",
        last = count - 1
    );
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(file)
}

/// The address with this number, the same as in [`script`].
fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::from((10 << 24) | number as u32)
}

/// Makes a request from each of `count` addresses, over several connections with requests in batches.
pub(crate) fn fill(port: u16, count: usize) -> Outcome {
    let share = count.div_ceil(CONNECTIONS);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .step_by(share)
            .map(|first| scope.spawn(move || fill_some(port, first..count.min(first + share))))
            .collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(filled) => filled.map_err(|error| format!("a million sessions: {error}")),
            Err(_) => Err("a filler panicked".into()),
        })
    })
}

fn fill_some(port: u16, numbers: std::ops::Range<usize>) -> std::io::Result<()> {
    let mut numbers = numbers.peekable();
    while numbers.peek().is_some() {
        // A connection for each batch, since a pipeline ends where the proxy closes it.
        let mut stream = connect(port)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut batch = String::new();
        let mut sent = 0;
        for number in numbers.by_ref().take(BATCH) {
            batch += &format!(
                "GET /small HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {}\r\n\r\n",
                address(number)
            );
            sent += 1;
        }
        stream.write_all(batch.as_bytes())?;
        for _ in 0..sent {
            skip_response(&mut reader)?;
        }
    }
    Ok(())
}

/// Reads a response with a `Content-Length`. A status other than 200 is an error.
fn skip_response(reader: &mut impl std::io::BufRead) -> std::io::Result<()> {
    let (mut line, mut length) = (String::new(), 0);
    reader.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200") {
        return Err(std::io::Error::other(line));
    }
    while line != "\r\n" {
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    reader.read_exact(&mut vec![0; length])
}

fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Of the value of our cookie, in base64.
const OTHER_LENGTH: usize = 55;
const CONNECTIONS: usize = 16;
/// Fits into the buffers of sockets.
const BATCH: usize = 50;
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_sent_back_without_its_attributes() {
        let answer = "HTTP/1.1 200 OK\r\nset-cookie: route=abc; Path=/\r\n\r\n";
        assert_eq!(cookie_of(answer).as_deref(), Some("route=abc"));
        assert_eq!(cookie_of("HTTP/1.1 200 OK\r\n\r\n"), None);
    }

    #[test]
    fn numbers_are_addresses_of_one_network() {
        assert_eq!(address(0).to_string(), "10.0.0.0");
        assert_eq!(address(999_999).to_string(), "10.15.66.63");
    }

    #[test]
    fn responses_are_skipped_and_failures_seen() {
        let mut two = &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 503 No\r\n\r\n"[..];
        skip_response(&mut two).unwrap();
        assert!(skip_response(&mut two).unwrap_err().to_string().contains("503"));
    }
}
