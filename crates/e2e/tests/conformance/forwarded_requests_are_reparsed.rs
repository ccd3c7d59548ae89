//! Whatever bytes we forward, two other parsers read exactly the requests that we parsed: method, target,
//! fields and body, and nothing after them (HTTP3).

use std::sync::{Arc, Mutex};

use model::HttpLimits;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config as Cases, TestError, TestRunner};
use proto::http1::{
    BodyLength, Chunks, Field, Known, Method, Progress, RequestHead, TargetForm, Version, path,
};
use testkit::{Balancer, Client, Config, Target, ok};

use crate::oracle::{Read11, TinyHttp, by_httparse};

/// Bytes received on target connections, split where httparse sees the end of a request.
type Captured = Arc<Mutex<Vec<Vec<u8>>>>;

#[test]
fn forwarded_requests_are_reparsed() {
    let captured = Captured::default();
    let target = capture(&captured);
    let balancer = Balancer::start(Config::to(&target).listener("client_abort = \"ignore\""));
    let tiny_http = TinyHttp::start();
    let mut runner = TestRunner::new(Cases {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Cases::default()
    });
    let result = runner.run(&requests(), |bytes| {
        let forwarded = forward(&bytes, &balancer, &captured);
        let understood = understand(&bytes);
        prop_assert_eq!(forwarded.len(), understood.len());
        for (bytes, understood) in forwarded.iter().zip(&understood) {
            compare(bytes, understood, &tiny_http);
        }
        Ok(())
    });
    result.unwrap_or_else(|error| match error {
        TestError::Fail(why, bytes) => panic!("{why}\n{}", bytes.escape_ascii()),
        TestError::Abort(why) => panic!("{why}"),
    });
}

/// Answers each complete request. Bytes that follow a request before its response are captured with it.
fn capture(captured: &Captured) -> Target {
    let captured = Arc::clone(captured);
    Target::script(move |mut connection| {
        let mut bytes = Vec::new();
        loop {
            let more = connection.read()?;
            if more.is_empty() {
                return Ok(());
            }
            bytes.extend(more);
            if by_httparse(&bytes).is_some() {
                let is_head = bytes.starts_with(b"HEAD ");
                captured.lock().unwrap().push(std::mem::take(&mut bytes));
                connection.send(if is_head { b"HTTP/1.1 200 OK\r\n\r\n".to_vec() } else { ok("") })?;
            }
        }
    })
}

fn forward(bytes: &[u8], balancer: &Balancer, captured: &Captured) -> Vec<Vec<u8>> {
    let mut client = Client::connect(balancer.web());
    let _ = client.try_send(bytes);
    client.half_close();
    assert!(client.is_closed());
    std::mem::take(&mut captured.lock().unwrap())
}

/// A request as parsed by our own parser.
#[derive(Debug)]
struct Understood {
    head: RequestHead,
    bytes: Vec<u8>,
    body: Vec<u8>,
    has_trailers: bool,
}

/// The complete requests that may be forwarded, up to the first that may not or that ends the connection.
fn understand(mut bytes: &[u8]) -> Vec<Understood> {
    let limits = HttpLimits::default();
    let mut all = Vec::new();
    loop {
        let mut head = RequestHead::new();
        let Ok(Progress::Complete { head_bytes }) = head.parse(bytes, &limits) else { return all };
        let mut data = bytes[head_bytes..].to_vec();
        let (mut body, mut trailers, used) = (Vec::new(), false, data.len());
        let used = match head.body() {
            BodyLength::None => 0,
            BodyLength::Length(length) if (used as u64) < length => return all,
            BodyLength::Length(length) => {
                body.extend_from_slice(&data[..length as usize]);
                length as usize
            }
            BodyLength::Chunked => {
                let mut chunks = Chunks::new();
                let Ok(decoded) = chunks.decode(&mut data, &limits) else { return all };
                if !chunks.is_complete() {
                    return all;
                }
                body.extend_from_slice(&data[..decoded.data]);
                trailers = !chunks.trailers().is_empty();
                decoded.consumed
            }
        };
        let persists = head.persists();
        if path::normalize(head.path().of(bytes), &mut Vec::new()).is_ok() {
            let of_it = bytes[..head_bytes].to_vec();
            all.push(Understood { head, bytes: of_it, body, has_trailers: trailers });
        }
        bytes = &bytes[head_bytes + used..];
        if !persists {
            return all;
        }
    }
}

fn compare(bytes: &[u8], understood: &Understood, tiny_http: &TinyHttp) {
    let (read, used) = by_httparse(bytes).unwrap();
    assert_eq!(used, bytes.len(), "nothing follows the request");
    understood.is(&read);
    // tiny_http supports neither trailers nor non-ASCII fields, and takes everything after an upgrade for the
    // body.
    if understood.has_trailers
        || !read.all("upgrade").is_empty()
        || !bytes[..used - read.body.len()].is_ascii()
    {
        return;
    }
    let others = tiny_http.read(bytes);
    assert_eq!(others.len(), 1, "{others:?}");
    assert_eq!(others[0], read);
}

impl Understood {
    fn is(&self, read: &Read11) {
        let text = |span: proto::http1::Span| String::from_utf8_lossy(span.of(&self.bytes)).into_owned();
        assert_eq!(read.method, text(self.head.method_span()));
        assert_eq!(read.target, self.target());
        assert_eq!(read.body, self.body);
        let theirs = read.fields.iter().filter(|(name, _)| !is_ours(name)).cloned();
        let passed = self.head.fields().iter().filter(|field| self.passes(field));
        let expected = passed.map(|field| (text(field.name), field.value.of(&self.bytes).to_vec()));
        assert_eq!(theirs.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        assert_eq!(read.all("host").len(), 1);
        if let Some(host) = self.head.host() {
            assert!(read.all("host")[0].eq_ignore_ascii_case(host.of(&self.bytes)));
        }
        let framing = (read.all("content-length").len(), read.all("transfer-encoding").len());
        assert_eq!(
            framing,
            match self.head.body() {
                BodyLength::None => (usize::from(self.head.method().expects_content()), 0),
                BodyLength::Length(_) => (1, 0),
                BodyLength::Chunked => (0, 1),
            }
        );
        assert!(read.all("connection").iter().all(|value| [&b"TE"[..], b"Upgrade"].contains(value)));
        assert_eq!(read.all("x-request-id").len(), 1);
        assert_eq!(read.all("x-forwarded-for"), [b"127.0.0.1"]);
    }

    fn target(&self) -> String {
        let text = |span: proto::http1::Span| String::from_utf8_lossy(span.of(&self.bytes)).into_owned();
        let (path, query) = (text(self.head.path()), self.head.query().map(text));
        let is_bare = path.is_empty() && query.is_none() && self.head.method() == Method::Options;
        let path = match path.as_str() {
            _ if is_bare || self.head.target_form() == TargetForm::Asterisk => "*",
            "" => "/",
            path => path,
        };
        query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
    }

    /// True if the field is forwarded unchanged.
    fn passes(&self, field: &Field) -> bool {
        match field.known {
            _ if is_ours(&String::from_utf8_lossy(field.name.of(&self.bytes))) => false,
            Known::Other => !field.named_by_connection,
            Known::Expect => self.head.version() == Version::Http11 && !field.alias,
            Known::Accept | Known::Cookie | Known::UserAgent | Known::Referer => !field.is_hop_by_hop(),
            _ => false,
        }
    }
}

/// Fields that are generated by us, or checked on their own.
fn is_ours(name: &str) -> bool {
    OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name))
}

const OURS: &[&str] = &[
    "host",
    "connection",
    "te",
    "upgrade",
    "content-length",
    "transfer-encoding",
    "x-request-id",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
];

/// One to three requests that are valid except for a few bytes.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    let mutation = (any::<prop::sample::Index>(), select(BYTES), 0..3_u8);
    let mutations = prop_oneof![3 => Just(Vec::new()), 1 => vec(mutation, 1..4)];
    (vec(request(), 1..4), mutations).prop_map(|(requests, mutations)| {
        let mut bytes = requests.concat();
        for (place, byte, kind) in mutations {
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let body = prop_oneof![
        2 => Just(b"\r\n".to_vec()),
        2 => vec(any::<u8>(), 0..40).prop_map(|body| {
            [format!("Content-Length: {:02}\r\n\r\n", body.len()).as_bytes(), &body].concat()
        }),
        2 => (vec(select(CHUNKS), 0..4), select(LAST_CHUNKS)).prop_map(|(chunks, last)| {
            format!("Transfer-Encoding: chunked\r\n\r\n{}{last}", chunks.concat()).into_bytes()
        }),
    ];
    (select(LINES), vec(select(FIELDS), 0..6), body).prop_map(|(line, fields, body)| {
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        [line.as_bytes(), fields.as_bytes(), &body].concat()
    })
}

const CASES: u32 = 1500;
const BYTES: &[u8] = b"\r\n\t \0:;,/?=0159afAFx+-_\"\\\x0b\x7f\x80\xff";
const LINES: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: a\r\n",
    "POST /a/b?c=d HTTP/1.1\r\nHost: a:80\r\n",
    "\r\nPUT /a/./b/../%7Ec HTTP/1.1\r\nhost:\ta \r\n",
    "HEAD //x HTTP/1.1\r\nHost: [::1]\r\n",
    "DELETE http://a/x?y HTTP/1.1\r\nHost: A\r\n",
    "GET http://a?y HTTP/1.1\r\nHost: a\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\n",
    "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n",
    "M-SEARCH /;x='y' HTTP/1.1\r\nHost: a\r\n",
    "GET /old HTTP/1.0\r\n",
    "POST /old HTTP/1.0\r\nConnection: keep-alive\r\n",
];
const FIELDS: &[&str] = &[
    "Accept: */*",
    "Cookie: a=b",
    "User-Agent:\t x y ",
    "Connection: x-own, upgrade, content-length",
    "Connection: TE",
    "X-Own: 1",
    "X-Other: 2",
    "X_Other: 3",
    "Content_Length: 7",
    "transfer_encoding: chunked",
    "X-Forwarded-For: 1.2.3.4",
    "x_forwarded_for: 1.2.3.4",
    "X-Request-Id: forged",
    "Expect: 100-continue",
    "TE: trailers, gzip",
    "Keep-Alive: timeout=5",
    "Upgrade: h2c",
    "Upgrade: websocket",
    "Empty:",
    "Odd!#$%&'*+.^`|~: \u{fc}",
];
const CHUNKS: &[&str] = &[
    "5\r\nhello\r\n",
    "a;x=\"y\"\r\n0123456789\r\n",
    "001\r\nx\r\n",
    "3 ;e\r\nabc\r\n",
    "4\r\n\r\n\r\n\r\n",
];
const LAST_CHUNKS: &[&str] = &["0\r\n\r\n", "000;x\r\n\r\n", "0\r\nX-Sum: 1\r\nContent-Length: 3\r\n\r\n"];
