//! Compression of responses (HTTP5).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod client_chooses_the_coding;
mod curl_decompresses_the_page;
mod events_are_not_held_back;
mod every_level_decompresses;
mod head_has_the_fields_of_get;
mod large_body_arrives_unchanged;
mod not_modified_keeps_the_validator;
mod off_by_default;
mod responses_over_the_limit_are_not_compressed;
mod rule_headers_decide;
mod slow_reader_causes_backpressure;
mod some_responses_are_not_compressed;
mod trailers_are_passed;
mod truncated_body_is_cut;
mod validators_and_lengths_follow;

use std::io::Read;

use testkit::{Client, Config, Message, Target};

/// About 5 KiB that compress well.
fn page() -> String {
    (0..200).map(|n| format!("<li>item number {n}</li>\n")).collect()
}

/// A 200 with a page and these fields.
fn html(fields: &str) -> Vec<u8> {
    testkit::response(200, &format!("Content-Type: text/html\r\n{fields}"), &page())
}

/// Compression on, with its defaults.
fn compressing(target: &Target) -> Config {
    Config::to(target).listener("compression = \"on\"")
}

/// A GET with these fields.
#[track_caller]
fn ask(client: &mut Client, fields: &str) -> Message {
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
    client.response()
}

/// The decompressed body, according to `Content-Encoding`, if it is complete.
fn plain(response: &Message) -> Option<Vec<u8>> {
    let (mut out, bytes) = (Vec::new(), response.body.as_slice());
    match response.field("content-encoding")? {
        "gzip" => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).ok()?,
        "br" => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out).ok()?,
        "zstd" => ruzstd::decoding::StreamingDecoder::new(bytes).ok()?.read_to_end(&mut out).ok()?,
        other => panic!("{other}"),
    };
    Some(out)
}
