//! The fuzz corpus of `fuzz/fuzz_targets/crl.rs`, replayed on the stable toolchain.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "the last file named is the one that failed")]

use std::fs;
use std::path::Path;

#[test]
fn crls() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/crl");
    let mut files: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 15, "{} has only {} files", directory.display(), files.len());
    let mut readable = Vec::new();
    for file in files {
        println!("{}", file.display());
        let bytes = fs::read(&file).unwrap();
        let Ok(crls) = tls::crl::read(&bytes) else { continue };
        let entries: usize = crls.iter().map(tls::Crl::entry_count).sum();
        assert!(entries * 18 <= bytes.len());
        readable.push(file.file_name().unwrap().to_str().unwrap().to_owned());
    }
    assert_eq!(readable, READABLE);
}

const READABLE: [&str; 15] = [
    "empty_list",
    "generalized_time",
    "no_list",
    "no_next_update",
    "not_critical",
    "pem",
    "pem_two",
    "plain",
    "scope_authorities",
    "scope_users",
    "serial_20",
    "serial_empty",
    "serial_negative",
    "twice",
    "version_1",
];
