//! The fuzz corpus, replayed on the stable toolchain.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "the last file named is the one that failed")]

mod oracle;

use std::fs;
use std::path::Path;

#[test]
fn certificate_bundles() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/certificate_bundle");
    let mut files: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 15, "{} has only {} files", directory.display(), files.len());
    for file in files {
        println!("{}", file.display());
        oracle::certificate_bundle(&fs::read(&file).unwrap());
    }
}
