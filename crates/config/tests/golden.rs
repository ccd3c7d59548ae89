//! Invalid configurations, each with the expected error text in a file next to it.
//!
//! `BLESS=1 cargo test -p config --test golden` updates the expected texts; review the diff before you commit
//! it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io;
use std::path::{Path, PathBuf};

use config::{Files, parse};

/// A fake file system with pages and access lists, some of them invalid.
struct Pages {
    has_suffixes: bool,
}

impl Files for Pages {
    fn read(&self, path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
        match path.to_str() {
            Some("page.html") => Ok(b"<p>Sorry</p>".to_vec()),
            Some("block.txt") => {
                Ok(b"# mine\n\n192.0.2.0/24 # a net\r\n2001:db8::/32 until 2027-01-01T00:00:00Z\n".to_vec())
            }
            Some("bad.txt") => Ok(b"192.0.2.1\n10.0.0.1/8\n192.0.2.2 until tomorrow\n".to_vec()),
            Some("html.txt") => Ok("<p>\n".repeat(12).into_bytes()),
            Some("good.key" | "open.key" | "other.key") => Ok("0f".repeat(32).into_bytes()),
            Some("short.key") => Ok("0f".repeat(16).into_bytes()),
            Some("session_store_generated.toml.key") => Ok(b"garbage".to_vec()),
            Some(SUFFIXES) if self.has_suffixes => Ok(b"// a\ncom\nuk\nco.uk\n".to_vec()),
            Some("bytes.txt") => Ok(vec![0xff]),
            Some("large.html") => {
                let message = format!("it is larger than {bytes_max} bytes");
                Err(io::Error::new(io::ErrorKind::FileTooLarge, message))
            }
            _ => Err(io::Error::new(io::ErrorKind::NotFound, "No such file or directory")),
        }
    }

    fn mode(&self, path: &Path) -> Option<u32> {
        Some(if path == Path::new("open.key") { 0o100_640 } else { 0o100_600 })
    }

    /// No program of tests runs as the user of `other.key`.
    fn owner(&self, path: &Path) -> Option<u32> {
        (path == Path::new("other.key")).then_some(4_000_000_000)
    }
}

const SUFFIXES: &str = "/usr/share/publicsuffix/public_suffix_list.dat";

fn cases(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    found.sort();
    found
}

fn compare(case: &Path, actual: &str) {
    let path = case.with_extension("txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, expected, "{}", case.display());
}

fn name(case: &Path) -> String {
    case.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn wrong_configurations_are_refused_with_every_error() {
    let cases = cases("wrong");
    assert!(cases.len() >= 50, "{}", cases.len());
    for case in cases {
        let text = std::fs::read_to_string(&case).unwrap();
        let errors = parse(&text, &name(&case), &Pages { has_suffixes: true }).unwrap_err();
        assert!(errors.0.iter().all(|e| e.line > 0 && e.column > 0 && e.length > 0), "{errors}");
        let text = errors.render(true) + &errors.to_json();
        assert!(!text.contains("s3cret"), "{}: a password is shown", case.display());
        compare(&case, &errors.render(false));
    }
}

#[test]
fn doubtful_configurations_are_warned_about() {
    let cases = cases("warned");
    assert!(!cases.is_empty());
    for case in cases {
        let text = std::fs::read_to_string(&case).unwrap();
        let name = name(&case);
        let pages = Pages { has_suffixes: name != "no_public_suffixes.toml" };
        let warnings = parse(&text, &name, &pages).unwrap().warnings;
        let all: Vec<_> = warnings.iter().map(|warning| warning.render(false)).collect();
        compare(&case, &all.join("\n"));
    }
}
