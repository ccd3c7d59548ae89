//! The fuzz corpus, replayed on the stable toolchain.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "the last file named is the one that failed")]

mod oracle;

use std::fs;
use std::path::Path;

#[test]
fn request_heads() {
    replay("request_head", oracle::request_head);
}

#[test]
fn response_heads() {
    replay("response_head", oracle::response_head);
}

#[test]
fn chunked_bodies() {
    replay("chunks", oracle::chunks);
}

#[test]
fn paths() {
    replay("path", oracle::path);
}

#[test]
fn proxy_headers() {
    replay("proxy_header", oracle::proxy_header);
}

#[test]
fn frames() {
    replay("frames", oracle::frames);
}

#[test]
fn client_hellos() {
    replay("client_hello", oracle::client_hello);
}

#[test]
fn cookies() {
    replay("cookies", oracle::cookies);
}

fn replay(target: &str, check: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 15, "{} has only {} files", directory.display(), files.len());
    for file in files {
        println!("{}", file.display());
        check(&fs::read(&file).unwrap());
    }
}
