//! Failures for gRPC clients: they read `grpc-status`, and take a bare HTTP status for that of a proxy without gRPC
//! (gRPC's "PROTOCOL-HTTP2" and "http-grpc-status-mapping").

use model::{Failure, Phase};
use proto::http1::{encode, token};

use crate::head::RequestText;

/// Whether a client of HTTP/2 speaks gRPC, by its content type, and is to be told about the failure in its terms. A 421 is
/// for its HTTP/2 layer, which then makes another connection.
pub(super) fn is_asked(request: RequestText<'_>, failure: Failure) -> bool {
    failure != Failure::Misdirected && is_request(request)
}

/// Whether a request is one of gRPC, by its content type.
pub(crate) fn is_request(request: RequestText<'_>) -> bool {
    request.values(b"content-type").next().is_some_and(is_grpc)
}

/// `application/grpc`, with or without the format of its messages. gRPC-Web is plain HTTP, and reads the status.
fn is_grpc(content_type: &[u8]) -> bool {
    let Some((name, rest)) = content_type.split_at_checked(GRPC.len()) else { return false };
    token::eq_ignore_case(name, GRPC) && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

/// The status that says most about the failure. If the target may have acted on the request, it is none that clients
/// retry by themselves.
fn status_of(failure: Failure) -> u8 {
    let outcome = failure.outcome();
    match outcome.status {
        403 => PERMISSION_DENIED,
        404 | 405 | 501 => UNIMPLEMENTED,
        408 => DEADLINE_EXCEEDED,
        504 if outcome.phase != Phase::Connect => DEADLINE_EXCEEDED,
        413 => RESOURCE_EXHAUSTED,
        429 | 502..=504 => UNAVAILABLE,
        _ => INTERNAL,
    }
}

/// A head without a body that is the whole answer ("Trailers-Only"); the fields that every reply ends with follow.
pub(super) fn write_failure(failure: Failure, out: &mut Vec<u8>) {
    let outcome = failure.outcome();
    out.extend_from_slice(b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nGrpc-Status: ");
    encode::write_decimal(out, status_of(failure).into());
    out.extend_from_slice(b"\r\nGrpc-Message: ");
    // Our own texts: the only bytes that would need percent-encoding are left out.
    for part in [outcome.reason, ": ", outcome.what] {
        out.extend(part.bytes().filter(|byte| (0x20..0x7f).contains(byte) && *byte != b'%'));
    }
    out.extend_from_slice(b"\r\n");
}

const GRPC: &[u8] = b"application/grpc";
// https://grpc.io/docs/guides/status-codes/
const DEADLINE_EXCEEDED: u8 = 4;
const PERMISSION_DENIED: u8 = 7;
const RESOURCE_EXHAUSTED: u8 = 8;
const UNIMPLEMENTED: u8 = 12;
const INTERNAL: u8 = 13;
const UNAVAILABLE: u8 = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_of_grpc_are_known() {
        for (value, expected) in [
            ("application/grpc", true),
            ("Application/gRPC+proto", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/grpcx", false),
            ("application/json", false),
            ("", false),
        ] {
            assert_eq!(is_grpc(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn what_may_have_been_acted_on_is_not_said_to_be_unavailable() {
        assert_eq!(status_of(Failure::TargetResponseTimeout), DEADLINE_EXCEEDED);
        assert_eq!(status_of(Failure::TargetConnectTimeout), UNAVAILABLE);
        assert_eq!(status_of(Failure::NoTarget), UNAVAILABLE);
        assert_eq!(status_of(Failure::NoRule), UNIMPLEMENTED);
        assert_eq!(status_of(Failure::Internal), INTERNAL);
    }

    #[test]
    fn messages_stand_in_one_field() {
        for &failure in Failure::ALL {
            let mut out = Vec::new();
            write_failure(failure, &mut out);
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text.matches("\r\n").count(), 4, "{text}");
            assert!(text.is_ascii() && text.contains(failure.outcome().reason), "{text}");
        }
    }
}
