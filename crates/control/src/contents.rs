//! Digests of the TLS files of a configuration, taken when they were read. They distinguish changed contents
//! from a changed timestamp.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use model::{CertificateFiles, ClientAuth, Config};

/// The state of each file, by its path in the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents(BTreeMap<PathBuf, Content>);

#[derive(Clone, Copy, Debug, Default)]
struct Content {
    /// The digest of the content; `None`: the file could not be read.
    digest: Option<u64>,
    /// A file with the same stamp is unchanged. `None`: the file must be read to detect a change.
    stamp: Option<Stamp>,
}

/// Metadata that changes when a file is changed or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Contents {
    /// An entry for every TLS file of the configuration; no file is read yet.
    pub(crate) fn of(config: &Config) -> Self {
        Self(named(config).map(|path| (path.to_owned(), Content::default())).collect())
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }

    /// Calls `load` with a function that reads a file and records its digest. Files that `load` did not read
    /// are read afterwards.
    pub(crate) fn record<T>(
        &mut self,
        now: SystemTime,
        load: impl FnOnce(&dyn Fn(&Path) -> io::Result<Vec<u8>>) -> T,
    ) -> T {
        let seen: RefCell<BTreeMap<PathBuf, Content>> = RefCell::default();
        let loaded = load(&|path| {
            let (content, bytes) = read(path, now);
            // Keep the first read: if a second one differs, the next `look` finds the file changed.
            seen.borrow_mut().entry(path.to_owned()).or_insert(content);
            bytes
        });
        let mut seen = seen.into_inner();
        for (path, content) in &mut self.0 {
            *content = seen.remove(path).unwrap_or_else(|| read(path, now).0);
        }
        loaded
    }

    /// The current state of the files. `trusts_stamps`: a file with an unchanged stamp is not read again.
    pub(crate) fn look(&self, now: SystemTime, trusts_stamps: bool) -> Self {
        let look = |(path, known): (&PathBuf, &Content)| {
            let stamp = known.stamp.filter(|_| trusts_stamps);
            let is_same =
                stamp.is_some() && std::fs::metadata(path).ok().map(|found| Stamp::of(&found)) == stamp;
            (path.clone(), if is_same { *known } else { read(path, now).0 })
        };
        Self(self.0.iter().map(look).collect())
    }

    /// With the states that these files have in `before`: what was read of them then stays in use.
    pub(crate) fn keeping(mut self, kept: &BTreeSet<PathBuf>, before: &Self) -> Self {
        for path in kept {
            if let (Some(content), Some(known)) = (self.0.get_mut(path), before.0.get(path)) {
                *content = *known;
            }
        }
        self
    }

    /// The files whose content differs in `other`, or that could be read in only one of the two.
    pub(crate) fn changed(&self, other: &Self) -> Vec<PathBuf> {
        let digest = |path: &PathBuf| other.0.get(path).and_then(|content| content.digest);
        let changed = self.0.iter().filter(|(path, content)| content.digest != digest(path));
        changed.map(|(path, _)| path.clone()).collect()
    }
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            length: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

fn read(path: &Path, now: SystemTime) -> (Content, io::Result<Vec<u8>>) {
    let mut stamp = None;
    let bytes = File::open(path).and_then(|file| {
        let found = file.metadata()?;
        stamp = is_settled(&found, now).then(|| Stamp::of(&found));
        whole(file)
    });
    let digest = bytes.as_ref().ok().map(|bytes| {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        hasher.finish()
    });
    (Content { digest, stamp: stamp.filter(|_| digest.is_some()) }, bytes)
}

/// Whether a later write would change the file's timestamps. They have the resolution of a tick, so a file
/// that was written just now can change again without a new timestamp.
fn is_settled(found: &Metadata, now: SystemTime) -> bool {
    found.modified().is_ok_and(|time| now.duration_since(time).is_ok_and(|age| age > GRAIN))
}

fn whole(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if read as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it has more than 128 MiB"));
    }
    Ok(bytes)
}

fn named(config: &Config) -> impl Iterator<Item = &Path> {
    let of_listeners = config.listeners.iter().filter_map(|listener| listener.tls.as_ref()).flat_map(|tls| {
        let entries = tls.certificates.iter().flat_map(|entry| {
            let auth = entry.client_auth.iter().flatten().flat_map(of_client_auth);
            of_certificate(&entry.files).chain(auth)
        });
        entries.chain(tls.client_auth.iter().flat_map(of_client_auth))
    });
    let of_groups = config.target_groups.iter().filter(|group| group.protocol.is_tls()).flat_map(|group| {
        let own = group.tls.certificate.iter().flat_map(of_certificate);
        own.chain(group.tls.ca.as_deref())
    });
    of_listeners.chain(of_groups)
}

fn of_certificate(files: &CertificateFiles) -> impl Iterator<Item = &Path> {
    std::iter::once(files.chain.as_path()).chain(files.key.as_deref())
}

fn of_client_auth(auth: &ClientAuth) -> impl Iterator<Item = &Path> {
    std::iter::once(auth.ca.as_path()).chain(auth.crl.iter().map(PathBuf::as_path))
}

// limit: bytes of a file; a CRL of a million entries has about 40 MiB.
const FILE_BYTES_MAX: u64 = 128 << 20;
/// The coarsest timestamps of file systems have a resolution of two seconds.
const GRAIN: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Records files long after they were written; also returns the wall time of the recording.
    fn recorded(folder: &Path, names: &[&str]) -> (Contents, SystemTime) {
        let path = |name: &&str| (folder.join(name), Content::default());
        let mut contents = Contents(names.iter().map(path).collect());
        let now = fs::metadata(folder).unwrap().modified().unwrap() + Duration::from_secs(60);
        contents.record(now, |read| names.iter().for_each(|name| drop(read(&folder.join(name)))));
        (contents, now)
    }

    #[test]
    fn new_content_is_a_change_and_a_touch_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["same", "touched", "rewritten", "renamed", "removed"] {
            fs::write(path(name), "before").unwrap();
        }
        let names = ["same", "touched", "rewritten", "renamed", "removed", "new"];
        let (contents, now) = recorded(folder.path(), &names);
        assert!(contents.changed(&contents.look(now, true)).is_empty());
        fs::write(path("touched"), "before").unwrap();
        fs::write(path("rewritten"), "behind").unwrap();
        fs::write(path("other"), "behind").unwrap();
        fs::rename(path("other"), path("renamed")).unwrap();
        fs::remove_file(path("removed")).unwrap();
        fs::write(path("new"), "behind").unwrap();
        for trusts_stamps in [true, false] {
            let changed = contents.changed(&contents.look(now, trusts_stamps));
            assert_eq!(changed, ["new", "removed", "renamed", "rewritten"].map(path));
        }
    }

    #[test]
    fn a_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        for version in ["1", "2"] {
            fs::create_dir(folder.path().join(version)).unwrap();
            fs::write(folder.path().join(version).join("tls.crt"), version).unwrap();
        }
        let link = |version: &str| {
            std::os::unix::fs::symlink(version, folder.path().join("next")).unwrap();
            fs::rename(folder.path().join("next"), folder.path().join("data")).unwrap();
        };
        link("1");
        let (contents, now) = recorded(folder.path(), &["data/tls.crt"]);
        link("2");
        assert_eq!(contents.changed(&contents.look(now, true)), [folder.path().join("data/tls.crt")]);
    }

    #[test]
    fn a_file_that_was_just_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "one").unwrap();
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        for (age, is_known) in [(0, false), (2, false), (4, true)] {
            let (content, _) = read(&path, written + Duration::from_secs(age));
            assert_eq!(content.stamp.is_some(), is_known, "{age} s");
        }
    }
}
