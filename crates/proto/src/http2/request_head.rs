//! Converts a request that `proxy` has written as text, for a target's stream.

use http::header::HeaderValue;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Uri, Version, header};

use super::{Framing, Malformed, OWN_LIMITS, append, malformed};
use crate::http1::{BodyLength, Known, Progress, RequestHead};

/// Reads the complete head at the start of `bytes`; also returns where the body starts. `head` is reused.
///
/// # Errors
/// A request that HTTP/2 cannot express: an upgrade to another protocol, no host, or a target that the types refuse.
pub fn read_request(
    head: &mut RequestHead,
    bytes: &[u8],
    scheme: Scheme,
) -> Result<(Request<()>, Framing, usize), Malformed> {
    let parsed = head.parse(bytes, &OWN_LIMITS).map_err(|error| Malformed { detail: error.detail })?;
    let Progress::Complete { head_bytes } = parsed else { return malformed("an incomplete head") };
    if head.upgrade() {
        return malformed("an upgrade to a target that speaks HTTP/2");
    }
    let mut request = Request::new(());
    *request.version_mut() = Version::HTTP_2;
    *request.method_mut() = Method::from_bytes(head.method_span().of(bytes))
        .map_err(|_| Malformed { detail: "a method that HTTP/2 cannot carry" })?;
    *request.uri_mut() = uri_of(head, bytes, scheme)?;
    let fields = request.headers_mut();
    fields.reserve(head.fields().len());
    for field in head.fields() {
        // `Host` becomes the authority.
        if field.alias || !(field.known == Known::Host || field.is_hop_by_hop()) {
            append(fields, field.name.of(bytes), field.value.of(bytes))?;
        }
    }
    if head.te_trailers() {
        fields.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    let framing = match head.body() {
        BodyLength::None => Framing::None,
        BodyLength::Length(length) => Framing::Length(length),
        BodyLength::Chunked => Framing::Chunked,
    };
    head.clear();
    Ok((request, framing, head_bytes))
}

fn uri_of(head: &RequestHead, bytes: &[u8], scheme: Scheme) -> Result<Uri, Malformed> {
    let host = head.host().map(|span| span.of(bytes)).unwrap_or_default();
    let (Ok(authority), Ok(path)) =
        (Authority::try_from(host), PathAndQuery::try_from(head.target().of(bytes)))
    else {
        return malformed("a host or a path that HTTP/2 cannot carry");
    };
    // The type cuts off a fragment and accepts the rest unchanged.
    if path.as_str().as_bytes() != head.target().of(bytes) {
        return malformed("a path that HTTP/2 cannot carry");
    }
    let mut parts = http::uri::Parts::default();
    (parts.scheme, parts.authority, parts.path_and_query) = (Some(scheme), Some(authority), Some(path));
    Uri::from_parts(parts).map_err(|_| Malformed { detail: "a target that HTTP/2 cannot carry" })
}
