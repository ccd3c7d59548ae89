//! Secrets of sessions that no `key_file` names: they are made at the first start and kept beside the configuration.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::rand;
use model::{Config, KeySource, Persistence, SecretKeys, Service};
use observe::Event;

/// Fills in the secrets that are missing. A file that cannot be written is no failure: the secret then lasts as long as the
/// process, which the operators' log says.
///
/// # Errors
/// If the system gives no random bytes.
pub(crate) fn complete(config: &mut Config) -> io::Result<()> {
    for group in &mut config.target_groups {
        complete_persistence(&mut group.persistence)?;
    }
    for listener in &mut config.listeners {
        let Service::Http(http) = &mut listener.service;
        for rule in &mut http.rules {
            complete_persistence(&mut rule.persistence)?;
        }
    }
    config.session_stores.iter_mut().filter_map(|store| store.key.as_mut()).try_for_each(complete_source)
}

fn complete_persistence(persistence: &mut Option<Arc<Persistence>>) -> io::Result<()> {
    let is_missing = |persistence: &Persistence| {
        let Persistence::Cookie(cookie) = persistence else { return false };
        matches!(&cookie.key, Some(KeySource::Generated { keys: None, .. }))
    };
    match persistence {
        Some(persistence) if is_missing(persistence) => match Arc::make_mut(persistence) {
            Persistence::Cookie(cookie) => cookie.key.iter_mut().try_for_each(complete_source),
            Persistence::SourceIp(_) => Ok(()),
        },
        _ => Ok(()),
    }
}

fn complete_source(source: &mut KeySource) -> io::Result<()> {
    if let KeySource::Generated { path, keys: keys @ None } = source {
        *keys = Some(made_at(path)?);
    }
    Ok(())
}

/// The secret of this path: what this process has made before, or a new one, which is written there.
fn made_at(path: &Path) -> io::Result<SecretKeys> {
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(keys) = made.get(path) {
        return Ok(keys.clone());
    }
    let mut current = [0; 32];
    rand::fill(&mut current).map_err(|_| io::Error::other("the system gave no random bytes"))?;
    let written = write(path, &current);
    match &written {
        Ok(()) => observe::event(Event::SecretMade, &[("file", &path.display())]),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => {
            observe::event(Event::SecretNotKept, &[("file", &path.display()), ("error", error)]);
        }
    }
    // Another process may have made one at the same moment.
    let of_other = written.is_err().then(|| read(path)).flatten();
    let keys = SecretKeys { current: of_other.unwrap_or(current), previous: None };
    made.insert(path.to_owned(), keys.clone());
    Ok(keys)
}

fn read(path: &Path) -> Option<[u8; 32]> {
    let text = std::fs::read_to_string(path).ok()?;
    let digits = text.trim_end();
    let mut secret = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    for (byte, at) in secret.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16).ok()?;
    }
    Some(secret)
}

/// Never replaces a file: another process may use the secret in it. The file is whole from the start.
fn write(path: &Path, secret: &[u8; 32]) -> io::Result<()> {
    let mut text = String::with_capacity(65);
    for byte in secret {
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\n');
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let written = PathBuf::from(name);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&written)?;
    let linked = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::hard_link(&written, path));
    std::fs::remove_file(&written)?;
    linked
}

/// Secrets that this process has made, so that a reload does not make others where none can be kept.
// limit: one for each path that a configuration has had.
static MADE: Mutex<BTreeMap<PathBuf, SecretKeys>> = Mutex::new(BTreeMap::new());

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        let mut source = KeySource::Generated { path: path.clone(), keys: None };
        complete_source(&mut source).unwrap();
        let KeySource::Generated { keys: Some(keys), .. } = source else { panic!("no keys") };
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!((text.len(), std::fs::metadata(&path).unwrap().permissions().mode() & 0o777), (65, 0o600));
        assert!(text.starts_with(&format!("{:02x}", keys.current[0])));
        assert_eq!(made_at(&path).unwrap(), keys, "a reload");
        assert!(write(&path, &[1; 32]).is_err(), "it is not replaced");
        assert_eq!(read(&path), Some(keys.current), "another process finds it");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn without_a_place_the_secret_lasts_as_long_as_the_process() {
        let path = Path::new("/nonexistent/a.key");
        let first = made_at(path).unwrap();
        assert_eq!(made_at(path).unwrap(), first);
        assert_ne!(first.current, [0; 32]);
    }
}
