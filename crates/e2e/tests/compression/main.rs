//! Compression of responses (HTTP5).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod client_chooses_the_coding;
mod curl_understands;
mod cut_body_is_not_whole;
mod each_level_is_whole;
mod events_are_not_held_back;
mod head_says_what_get_would;
mod large_body_is_unharmed;
mod not_modified_keeps_the_validator;
mod off_by_default;
mod rule_has_the_last_word;
mod slow_reader_holds_the_sender_back;
mod some_responses_are_left_alone;
mod too_many_go_uncompressed;
mod trailers_are_passed;
mod validators_and_lengths_follow;

use std::io::Read;

use testkit::{Client, Config, Message, Target};

/// Some 5 KiB that compress well.
fn page() -> String {
    (0..200).map(|n| format!("<li>item number {n}</li>\n")).collect()
}

/// A 200 with a page and these fields.
fn html(fields: &str) -> Vec<u8> {
    testkit::response(200, &format!("Content-Type: text/html\r\n{fields}"), &page())
}

/// Everything on, as it is by default.
fn compressing(target: &Target) -> Config {
    Config::to(target).listener("compression = \"on\"")
}

/// A GET with these fields.
#[track_caller]
fn ask(client: &mut Client, fields: &str) -> Message {
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
    client.response()
}

/// The body that was compressed as `Content-Encoding` says, if all of it is there.
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
