//! Secrets of sessions that no `key_file` names: they are made at the first start and kept beside the configuration.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::iter;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::rand;
use model::{Config, KeySource, Persistence, SecretKeys};
use observe::Event;
use rustix::fs::OFlags;

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
        for rule in listener.service.rules_mut() {
            complete_persistence(&mut rule.persistence)?;
        }
    }
    config.session_stores.iter_mut().filter_map(|store| store.key.as_mut()).try_for_each(complete_source)
}

fn complete_persistence(persistence: &mut Option<Arc<Persistence>>) -> io::Result<()> {
    let is_generated = |persistence: &Persistence| {
        let Persistence::Cookie(cookie) = persistence else { return false };
        matches!(&cookie.key, Some(KeySource::Generated { .. }))
    };
    match persistence {
        Some(persistence) if is_generated(persistence) => match Arc::make_mut(persistence) {
            Persistence::Cookie(cookie) => cookie.key.iter_mut().try_for_each(complete_source),
            Persistence::SourceIp(_) => Ok(()),
        },
        _ => Ok(()),
    }
}

fn complete_source(source: &mut KeySource) -> io::Result<()> {
    match source {
        KeySource::Generated { path, keys: keys @ None } => *keys = Some(made_at(path)?),
        KeySource::Generated { path, keys: Some(keys) } => {
            made().insert(path.clone(), keys.clone());
        }
        KeySource::File { .. } => {}
    }
    Ok(())
}

/// The secrets of this path, whose file is missing: those in use, or else new ones. They are written there.
fn made_at(path: &Path) -> io::Result<SecretKeys> {
    let mut made = made();
    let keys = made.get(path).cloned().map_or_else(fresh, Ok)?;
    let kept = match write(path, &keys) {
        Ok(()) => {
            observe::event(Event::SecretMade, &[("file", &path.display())]);
            Ok(keys.clone())
        }
        // Another process has made one at the same moment.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(path),
        Err(error) => Err(error),
    };
    let keys = match kept {
        Ok(keys) => keys,
        Err(error) => {
            observe::event(Event::SecretNotKept, &[("file", &path.display()), ("error", &error)]);
            keys
        }
    };
    made.insert(path.to_owned(), keys.clone());
    Ok(keys)
}

fn fresh() -> io::Result<SecretKeys> {
    let mut current = [0; 32];
    rand::fill(&mut current).map_err(|_| io::Error::other("the system gave no random bytes"))?;
    Ok(SecretKeys { current, previous: None })
}

fn made() -> MutexGuard<'static, BTreeMap<PathBuf, SecretKeys>> {
    MADE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As the configuration reads such a file.
fn read(path: &Path) -> io::Result<SecretKeys> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let about = file.metadata()?;
    let is_own = [0, rustix::process::geteuid().as_raw()].contains(&about.uid());
    if !about.is_file() || !is_own || about.mode() & 0o077 != 0 {
        let message = "a file is there that belongs to another user, or that others have access to";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    let mut lines = text.trim_end().lines();
    let keys = lines
        .next()
        .and_then(secret)
        .map(|current| SecretKeys { current, previous: lines.next().and_then(secret) });
    keys.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a file is there that has no secret in it"))
}

fn secret(line: &str) -> Option<[u8; 32]> {
    let digits = line.trim_end();
    let mut secret = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    for (byte, at) in secret.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16).ok()?;
    }
    Some(secret)
}

/// Never replaces a file: another process may use the secrets in it. The file is whole from the start.
fn write(path: &Path, keys: &SecretKeys) -> io::Result<()> {
    let mut text = String::with_capacity(130);
    for secret in iter::once(&keys.current).chain(&keys.previous) {
        for byte in secret {
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
    }
    // Process numbers repeat in containers, which may share a folder: a file that one of them left is in no other's way.
    let mut random = [0; 8];
    rand::fill(&mut random).map_err(|_| io::Error::other("the system gave no random bytes"))?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{:016x}", u64::from_ne_bytes(random)));
    let written = PathBuf::from(name);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&written)?;
    let linked = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::hard_link(&written, path));
    std::fs::remove_file(&written)?;
    linked
}

// limit: two lines with white space around them.
const FILE_BYTES_MAX: u64 = 1024;

/// The secrets in use, so that a reload makes no others where a file cannot be kept, or is gone.
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
        assert!(
            write(&path, &SecretKeys { current: [1; 32], previous: None }).is_err(),
            "it is not replaced"
        );
        assert_eq!(read(&path).unwrap(), keys, "another process finds it");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_lost_is_written_with_the_secrets_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        let rotated = SecretKeys { current: [1; 32], previous: Some([2; 32]) };
        let mut source = KeySource::Generated { path: path.clone(), keys: Some(rotated.clone()) };
        complete_source(&mut source).unwrap();
        assert_eq!(
            read(&path).unwrap_err().kind(),
            io::ErrorKind::NotFound,
            "only a missing file is written, and the configuration has read this one"
        );
        let mut source = KeySource::Generated { path: path.clone(), keys: None };
        complete_source(&mut source).unwrap();
        let KeySource::Generated { keys, .. } = source else { panic!("another source") };
        assert_eq!((keys, read(&path).ok()), (Some(rotated.clone()), Some(rotated)));
    }

    #[test]
    fn a_file_of_others_is_not_taken_for_that_of_another_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        let planted = SecretKeys { current: [7; 32], previous: None };
        write(&path, &planted).unwrap();
        assert_eq!(read(&path).unwrap(), planted);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(read(&path).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        let made = made_at(&path).unwrap();
        assert_ne!(made, planted);
        if rustix::process::geteuid().is_root() {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
            assert_eq!(read(&path).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        }
    }

    #[test]
    fn without_a_place_the_secret_lasts_as_long_as_the_process() {
        let path = Path::new("/nonexistent/a.key");
        let first = made_at(path).unwrap();
        assert_eq!(made_at(path).unwrap(), first);
        assert_ne!(first.current, [0; 32]);
    }
}
