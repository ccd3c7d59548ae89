//! Files with the secrets that seal cookies and hash the keys of stored sessions.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use model::{KeySource, SecretKeys};

use super::Build;
use crate::raw::Table;
use crate::report::Locate;

/// The secrets of `key_file` in this table; without it those of `default_path`, which is made at the start if it is
/// missing.
pub(super) fn key_source(table: &Table, default_path: PathBuf, build: &mut Build<'_, '_>) -> KeySource {
    let Some(value) = table.value("key_file") else {
        let keys = generated(table, &default_path, build);
        return KeySource::Generated { path: default_path, keys };
    };
    let (Some(name), Some(path)) = (value.text(), build.file(value)) else {
        // Reported already.
        return KeySource::File { path: default_path, keys: NONE };
    };
    let keys = match build.files.read(&path, FILE_BYTES_MAX) {
        Ok(bytes) => examine(&bytes, value, name, &path, build),
        Err(error) => {
            build.unreadable(value, name, &error);
            None
        }
    };
    KeySource::File { path, keys: keys.unwrap_or(NONE) }
}

impl Build<'_, '_> {
    /// The file for secrets that are made at the start: beside the configuration.
    pub(super) fn generated_key_path(&self) -> PathBuf {
        let name = Path::new(&*self.file_name).file_name().and_then(|name| name.to_str()).unwrap_or("");
        // A pipe has no file beside it.
        let is_file = self.folder != Path::new("") || name == &*self.file_name;
        let name = if is_file && !name.starts_with('<') { name } else { "evenkeel.toml" };
        self.path(&format!("{name}.key"))
    }
}

/// The secrets that an earlier start has made.
fn generated(table: &Table, path: &Path, build: &mut Build<'_, '_>) -> Option<SecretKeys> {
    let name = path.display().to_string();
    match build.files.read(path, FILE_BYTES_MAX) {
        Ok(bytes) => examine(&bytes, table, &name, path, build),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            let message = format!("cannot read `{}`: {error}", name.escape_debug());
            let problem = build.report.file_error(table, message);
            problem.hint("it was made at an earlier start, because there is no `key_file`");
            None
        }
    }
}

/// Reports a file that others can read or write, and one that has something else than secrets. Its content is never shown.
fn examine(
    bytes: &[u8],
    at: &dyn Locate,
    name: &str,
    path: &Path,
    build: &mut Build<'_, '_>,
) -> Option<SecretKeys> {
    let name = name.escape_debug();
    let user = rustix::process::geteuid().as_raw();
    if let Some(owner) = build.files.owner(path).filter(|&owner| owner != ROOT && owner != user) {
        // No error: root may check what another user is to run.
        let message = format!("`{name}` belongs to another user, who knows its secrets: number {owner}");
        let file = path.display().to_string();
        let hint =
            format!("it is right if that user runs Evenkeel; otherwise `chown root {}`", file.escape_debug());
        build.report.warning(at, message).hint(hint);
    }
    if let Some(mode) = build.files.mode(path).filter(|mode| mode & MODE_OF_OTHERS != 0) {
        let mode = mode & 0o7777;
        let message = format!("others than its owner have access to `{name}`: its mode is {mode:04o}");
        let file = path.display().to_string();
        let hint = format!("`chmod 600 {}` leaves the secrets to the owner", file.escape_debug());
        build.report.file_error(at, message).hint(hint);
        return None;
    }
    parse(bytes)
        .map_err(|wrong| {
            let problem = build.report.file_error(at, format!("`{name}` {wrong}"));
            problem.hint(
                "the first line is the secret in use, such as `openssl rand -hex 32` makes one, and the second, which \
                 may be missing, another one, the previous or the next",
        );
        })
        .ok()
}

fn parse(bytes: &[u8]) -> Result<SecretKeys, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not text".to_owned())?;
    let mut keys = Vec::new();
    for (index, line) in text.trim_end().lines().enumerate() {
        if index >= KEYS_MAX {
            return Err("has more than two lines".to_owned());
        }
        let line = line.trim_end();
        let number = index + 1;
        let key = hex(line).ok_or_else(|| {
            if line.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                format!("has {} hexadecimal digits in line {number}, and not 64", line.len())
            } else {
                format!("has something else than hexadecimal digits in line {number}")
            }
        })?;
        keys.push(key);
    }
    let mut keys = keys.into_iter();
    let current = keys.next().ok_or_else(|| "is empty".to_owned())?;
    let previous = keys.next();
    if previous == Some(current) {
        return Err("has the same secret in both lines".to_owned());
    }
    Ok(SecretKeys { current, previous })
}

fn hex(line: &str) -> Option<[u8; 32]> {
    let (pairs, rest) = line.as_bytes().as_chunks::<2>();
    let mut key = [0; 32];
    if pairs.len() != key.len() || !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    for (byte, [high, low]) in key.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(key)
}

/// Stands in the place of secrets that cannot be read; the configuration is refused.
const NONE: SecretKeys = SecretKeys { current: [0; 32], previous: None };
const ROOT: u32 = 0;
const KEYS_MAX: usize = 2;
const MODE_OF_OTHERS: u32 = 0o077;
// limit: two lines with white space around them.
const FILE_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_two_secrets_are_read() {
        let (one, two) = ("00ff".repeat(16), "Ab".repeat(32));
        let mut expected = [0; 32];
        for byte in expected.iter_mut().skip(1).step_by(2) {
            *byte = 0xff;
        }
        for text in [one.clone(), format!("{one}\n"), format!("{one}\r\n\n")] {
            let keys = parse(text.as_bytes()).unwrap();
            assert_eq!((keys.current, keys.previous), (expected, None), "{text:?}");
        }
        let keys = parse(format!("{one}\n{two}\n").as_bytes()).unwrap();
        assert_eq!((keys.current, keys.previous), (expected, Some([0xab; 32])));
    }

    #[test]
    fn everything_else_is_refused_with_the_reason() {
        let key = "00ff".repeat(16);
        for (text, reason) in [
            (String::new(), "is empty"),
            ("\n\n".to_owned(), "is empty"),
            (key[1..].to_owned(), "has 63 hexadecimal digits in line 1, and not 64"),
            (format!("{key}00"), "has 66 hexadecimal digits in line 1, and not 64"),
            (format!("{key}\n\n{key}"), "has 0 hexadecimal digits in line 2, and not 64"),
            (format!("{}g", &key[1..]), "has something else than hexadecimal digits in line 1"),
            (format!("{key}\n0x{}", &key[2..]), "has something else than hexadecimal digits in line 2"),
            (format!(" {}", &key[1..]), "has something else than hexadecimal digits in line 1"),
            (format!("{key}\n{key}\n{key}"), "has more than two lines"),
            (format!("{key}\n{}\n", key.to_uppercase()), "has the same secret in both lines"),
        ] {
            assert_eq!(parse(text.as_bytes()), Err(reason.to_owned()), "{text:?}");
        }
        assert_eq!(parse(&[0xff; 64]), Err("is not text".to_owned()));
    }
}
