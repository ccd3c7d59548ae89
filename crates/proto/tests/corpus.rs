//! The fuzz corpus, replayed on the stable toolchain.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "the last file named is the one that failed")]

mod oracle;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proto::memcached::{Command, MetaVerb, Step};

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
fn quic_packets() {
    replay("quic", oracle::quic);
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

#[test]
fn commands_of_memcached() {
    replay("memcached", oracle::memcached);
    let folder = Path::new(CORPUS).join("memcached");
    let verbs: BTreeSet<_> = fs::read_dir(folder)
        .unwrap()
        .flat_map(|file| {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            oracle::memcached_steps(&bytes, bytes.len())
        })
        .filter_map(|step| match step {
            Step::Do(Command::Meta(meta)) => Some(match meta.verb {
                MetaVerb::Get => "mg",
                MetaVerb::Store { .. } => "ms",
                MetaVerb::Delete => "md",
                MetaVerb::Add { .. } => "ma",
                MetaVerb::Debug => "me",
            }),
            _ => None,
        })
        .collect();
    assert_eq!(
        verbs,
        BTreeSet::from(["ma", "md", "me", "mg", "ms"]),
        "each meta command is understood in one"
    );
}

fn replay(target: &str, check: fn(&[u8])) {
    let directory = Path::new(CORPUS).join(target);
    let mut files: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 15, "{} has only {} files", directory.display(), files.len());
    for file in files {
        println!("{}", file.display());
        check(&fs::read(&file).unwrap());
    }
}

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus");
