//! Prints how long a typical head takes to parse: `cargo run --release -p proto --example parse_speed [NAME]`.
//! Times vary between runs, instruction counts do not: `perf stat -e instructions:u` with one NAME.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement prints and looks at the clock"
)]

use std::hint::black_box;
use std::time::Instant;

use model::HttpLimits;
use proto::http1::{RequestHead, ResponseHead, path};

const REQUEST: &[u8] = b"GET /products/42/reviews?sort=date&page=2 HTTP/1.1\r\n\
    Host: shop.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    Connection: keep-alive\r\n\
    Cookie: session=0123456789abcdef; theme=dark\r\n\r\n";

const SMALL: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: wrk\r\n\r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Server: nginx/1.22.1\r\n\
    Date: Sun, 22 Nov 2026 15:36:56 GMT\r\n\
    Content-Type: text/html; charset=utf-8\r\n\
    Content-Length: 10240\r\n\
    Connection: keep-alive\r\n\
    ETag: \"6560a1b8-2800\"\r\n\r\n";

fn main() {
    let limits = HttpLimits::default();
    let mut request = RequestHead::new();
    for (name, by_httparse, bytes) in [
        ("request, 6 fields", "  the same by httparse", REQUEST),
        ("request, 2 fields", "  httparse, 2 fields", SMALL),
    ] {
        measure(name, bytes, |bytes| {
            request.clear();
            request.parse(bytes, &limits).is_ok()
        });
        measure(by_httparse, bytes, |bytes| {
            let mut space = [httparse::EMPTY_HEADER; 64];
            httparse::Request::new(&mut space).parse(bytes).is_ok()
        });
    }
    let mut response = ResponseHead::new();
    measure("response, 6 fields", RESPONSE, |bytes| {
        response.clear();
        response.parse(bytes, &limits).is_ok()
    });
    let mut scratch = Vec::new();
    measure("path", b"/products/42/reviews/latest.html", |bytes| {
        path::normalize(bytes, &mut scratch).is_ok()
    });
}

fn measure(name: &str, bytes: &[u8], mut run: impl FnMut(&[u8]) -> bool) {
    if std::env::args().nth(1).is_some_and(|wanted| !name.contains(&wanted)) {
        return;
    }
    let best = (0..20)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..ROUNDS {
                assert!(black_box(run(black_box(bytes))));
            }
            start.elapsed().as_nanos() as f64 / f64::from(ROUNDS)
        })
        .fold(f64::INFINITY, f64::min);
    println!("{name:<26} {best:7.1} ns, {:5.2} ns a byte", best / bytes.len() as f64);
}

const ROUNDS: u32 = 20_000;
