//! Looks at the ClientHello of a connection that is passed on with its TLS, where rules ask for its name or protocols.
//!
//! The bytes are only read: all of them go to the target afterwards, as they came. A client whose first byte is not that of
//! TLS, or that says nothing within the time, has no name and no protocols.

use model::Failure;
use net::{Buffer, SMALL, Sys, Ticks};
use proto::client_hello::{Alert, ClientHello, HANDSHAKE, Peek, peek};

use super::exchange::TcpExchange;
use crate::failed::Failed;
use crate::io_error;
use crate::snapshot::ServicePlan;

/// Reads the ClientHello into `input`. `None`: it is no TLS, or it is of no interest.
pub(super) async fn look<S: Sys>(
    exchange: &mut TcpExchange<'_, S>,
    input: &mut Buffer,
) -> Result<Option<Box<ClientHello>>, Failed> {
    let ServicePlan::Tcp(settings) = exchange.listener.plan.service else { return Ok(None) };
    let stream = &exchange.client.stream;
    stream.set_read_deadline(exchange.client.proxy.worker.after(settings.hello_timeout));
    let seen = read(exchange, input).await;
    stream.set_read_deadline(Ticks::NEVER);
    seen
}

async fn read<S: Sys>(
    exchange: &mut TcpExchange<'_, S>,
    input: &mut Buffer,
) -> Result<Option<Box<ClientHello>>, Failed> {
    let stream = &exchange.client.stream;
    loop {
        match seen(input.bytes()) {
            Seen::Hello(hello) => return Ok(Some(hello)),
            Seen::NotTls => return Ok(None),
            Seen::Malformed(alert, detail) => {
                exchange.alert = Some(alert);
                return Err(Failed { failure: Failure::TlsHelloMalformed, detail });
            }
            Seen::NeedMore => input.shrink(),
        }
        match stream.fill(input, SMALL).await {
            Ok(0) if input.is_empty() => return Ok(None),
            Ok(0) => {
                return Err(Failed { failure: Failure::TlsHelloMalformed, detail: "its end is missing" });
            }
            Ok(_) => {}
            Err(error) if io_error::is_deadline(&error) => {
                stream.forget_late();
                // A protocol in which the server speaks first.
                return if input.is_empty() { Ok(None) } else { Err(Failure::TlsHelloTimeout.into()) };
            }
            Err(_) => return Err(Failure::ClientAborted.into()),
        }
    }
}

/// What the first bytes of a connection are.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    NeedMore,
    Hello(Box<ClientHello>),
    NotTls,
    /// It begins like TLS, and does not go on so.
    Malformed(Alert, &'static str),
}

/// Looks at all bytes that have arrived so far. The first one decides whether it is TLS, so that it does not matter how the
/// others are split.
fn seen(bytes: &[u8]) -> Seen {
    match bytes.first() {
        None => Seen::NeedMore,
        Some(&first) if first != HANDSHAKE => Seen::NotTls,
        Some(_) => match peek(bytes) {
            Peek::Complete(hello) => Seen::Hello(Box::new(hello)),
            // limit: a message of 16 KiB in records of a few bytes each. It must also leave room in the largest buffer.
            Peek::NeedMore if bytes.len() > HELLO_BYTES_MAX => {
                Seen::Malformed(Alert::IllegalParameter, "too many records")
            }
            Peek::NeedMore => Seen::NeedMore,
            Peek::Refused(alert, detail) => Seen::Malformed(alert, detail),
            Peek::PlainHttp => Seen::NotTls,
        },
    }
}

const HELLO_BYTES_MAX: usize = 32 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// A ClientHello for `a.example` with the protocol `x`, as records of at most so many bytes.
    fn hello(most: usize) -> Vec<u8> {
        let name = [&[0, 0, 0, 14, 0, 12, 0, 0, 9][..], b"a.example"].concat();
        let alpn = [0, 16, 0, 4, 0, 2, 1, b'x'];
        let extensions = [&name[..], &alpn].concat();
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([0, 0, 2, 0x13, 1, 1, 0, 0]);
        body.push(u8::try_from(extensions.len()).unwrap());
        body.extend(extensions);
        let message = [&[1, 0, 0, u8::try_from(body.len()).unwrap()][..], &body].concat();
        let record = |part: &[u8]| [&[22, 3, 1, 0, u8::try_from(part.len()).unwrap()][..], part].concat();
        message.chunks(most).flat_map(record).collect()
    }

    #[test]
    fn a_hello_is_seen_at_its_last_byte_however_it_is_split() {
        for most in [1, 2, 5, 40, 255] {
            let whole = hello(most);
            for end in 0..whole.len() {
                assert_eq!(seen(&whole[..end]), Seen::NeedMore, "{most} {end}");
            }
            for more in [&b""[..], b"\x16", b"\0anything"] {
                let bytes = [&whole[..], more].concat();
                let Seen::Hello(hello) = seen(&bytes) else { panic!("{most}: {:?}", seen(&bytes)) };
                assert_eq!(hello.server_name.as_deref(), Some("a.example"));
                assert_eq!(hello.protocols().collect::<Vec<_>>(), [b"x"]);
            }
        }
    }

    #[test]
    fn the_first_byte_decides_whether_it_is_tls() {
        for first in 0..=u8::MAX {
            let is_tls = first == HANDSHAKE;
            assert_eq!(seen(&[first]) == Seen::NotTls, !is_tls);
            assert_eq!(seen(&[first, 3, 1, 0, 1, 2]) == Seen::NotTls, !is_tls);
        }
        assert_eq!(seen(b""), Seen::NeedMore);
        assert!(matches!(seen(b"\x16\x05"), Seen::NeedMore));
        assert!(matches!(seen(b"\x16\x05\0\0\0"), Seen::Malformed(Alert::UnexpectedMessage, _)));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        // A message of 16 KiB - 1 that is sent in records of one byte.
        let mut bytes = Vec::new();
        for byte in [1, 0, 0x3f, 0xff].into_iter().chain(std::iter::repeat_n(0, 16 << 10)) {
            bytes.extend([22, 3, 1, 0, 1, byte]);
            if bytes.len() > HELLO_BYTES_MAX {
                break;
            }
            assert_eq!(seen(&bytes), Seen::NeedMore);
        }
        assert!(matches!(seen(&bytes), Seen::Malformed(Alert::IllegalParameter, _)));
        const { assert!(HELLO_BYTES_MAX + SMALL < net::LARGE) };
    }

    #[test]
    fn no_bytes_panic() {
        let whole = hello(30);
        for at in 0..whole.len() {
            for byte in 0..=u8::MAX {
                let mut damaged = whole.clone();
                damaged[at] = byte;
                let _ = seen(&damaged);
            }
        }
    }
}
