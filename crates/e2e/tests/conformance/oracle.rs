//! Two independent parsers that share no code with ours or each other: httparse, and the server tiny_http.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use tiny_http::{Response, Server};

/// A request as read by one of the parsers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read11 {
    pub(crate) method: String,
    pub(crate) target: String,
    /// In order; values without surrounding white space.
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Read11 {
    pub(crate) fn all(&self, name: &str) -> Vec<&[u8]> {
        let named = self.fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_slice()).collect()
    }
}

/// The first HTTP/1.1 request in these bytes and its length, by httparse; `None` if it is incomplete.
pub(crate) fn by_httparse(bytes: &[u8]) -> Option<(Read11, usize)> {
    let mut space = [httparse::EMPTY_HEADER; 128];
    let mut head = httparse::Request::new(&mut space);
    let httparse::Status::Complete(head_bytes) = head.parse(bytes).expect("httparse reads it") else {
        return None;
    };
    assert_eq!(head.version, Some(1));
    let fields = head.headers.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect();
    let (method, target) = (head.method.unwrap().to_owned(), head.path.unwrap().to_owned());
    let mut read = Read11 { method, target, fields, body: Vec::new() };
    let lengths: Vec<_> = read.all("content-length").iter().map(|value| value.to_vec()).collect();
    let used = match (lengths.as_slice(), read.all("transfer-encoding").as_slice()) {
        ([], []) => head_bytes,
        ([length], []) => {
            let end = head_bytes + String::from_utf8_lossy(length).parse::<usize>().unwrap();
            read.body = bytes.get(head_bytes..end)?.to_vec();
            end
        }
        ([], [b"chunked"]) => head_bytes + chunks(&bytes[head_bytes..], &mut read.body)?,
        framing => panic!("framed by {framing:?}"),
    };
    Some((read, used))
}

fn chunks(bytes: &[u8], body: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        let parsed = httparse::parse_chunk_size(rest).expect("httparse reads a chunk");
        let httparse::Status::Complete((line, size)) = parsed else { return None };
        if size == 0 {
            let mut space = [httparse::EMPTY_HEADER; 128];
            let trailers =
                httparse::parse_headers(&rest[line..], &mut space).expect("httparse reads trailers");
            let httparse::Status::Complete((end, _)) = trailers else { return None };
            return Some(at + line + end);
        }
        let end = at + line + size as usize;
        body.extend_from_slice(bytes.get(at + line..end)?);
        assert_eq!(bytes.get(end..end + 2)?, b"\r\n");
        at = end + 2;
    }
}

/// A server whose requests are handled one after the other.
pub(crate) struct TinyHttp(Server);

impl TinyHttp {
    pub(crate) fn start() -> Self {
        Self(Server::http("127.0.0.1:0").unwrap())
    }

    /// The requests that the server reads in these bytes. A `GET /marker` is appended, and left out of the
    /// result if it arrives last.
    pub(crate) fn read(&self, bytes: &[u8]) -> Vec<Read11> {
        let mut stream = TcpStream::connect(self.0.server_addr().to_ip().unwrap()).unwrap();
        stream.write_all(&[bytes, MARKER].concat()).unwrap();
        // Ends the wait for more bytes.
        stream.shutdown(Shutdown::Write).unwrap();
        let mut read = Vec::new();
        while let Some(mut request) = self.0.recv_timeout(PATIENCE).unwrap() {
            let mut body = Vec::new();
            request.as_reader().read_to_end(&mut body).unwrap();
            let text = |field: &tiny_http::Header| {
                (field.field.as_str().as_str().to_owned(), field.value.as_str().trim().as_bytes().to_vec())
            };
            let (method, target) = (request.method().to_string(), request.url().to_owned());
            let fields = request.headers().iter().map(text).collect();
            let _ = request.respond(Response::empty(200));
            if target == "/marker" {
                break;
            }
            read.push(Read11 { method, target, fields, body });
        }
        read
    }
}

const MARKER: &[u8] = b"GET /marker HTTP/1.1\r\nHost: marker\r\n\r\n";
/// The server answers bad requests itself and does not report them, so a wait for one must time out.
const PATIENCE: Duration = Duration::from_secs(1);
