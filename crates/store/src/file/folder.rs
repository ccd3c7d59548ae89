//! The calls of the file system. Each may hang for as long as an NFS server does.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::format::FILE_BYTES_MAX;
use crate::Key;

/// Where the item of a key is: two levels of folders, then a file. The names are parts of the key's hash.
pub(super) struct Place {
    hash: String,
}

/// The folder that has the file of an item.
pub(super) struct Folder {
    descriptor: OwnedFd,
}

/// What was read under a name.
pub(super) enum Content {
    Missing,
    Bytes(Vec<u8>),
    /// No ordinary file, or one of a size that no item has.
    Foreign,
}

impl Place {
    pub(super) fn new(key: &Key) -> Self {
        Self { hash: hex(digest(&SHA256, key.as_bytes()).as_ref()) }
    }

    pub(super) fn file(&self) -> &str {
        &self.hash
    }

    pub(super) fn lock(&self) -> String {
        lock_name(&self.hash)
    }

    fn folders(&self) -> [&str; 2] {
        [&self.hash[..1], &self.hash[1..3]]
    }
}

impl Folder {
    /// `None`: it does not exist, and is not to be made.
    pub(super) fn open(root: &Path, place: &Place, is_made: bool) -> Result<Option<Self>, Errno> {
        Self::open_names(root, place.folders(), is_made)
    }

    /// By its number in `0..FOLDERS`.
    pub(super) fn open_number(root: &Path, number: usize) -> Result<Option<Self>, Errno> {
        let name = format!("{number:03x}");
        Self::open_names(root, [&name[..1], &name[1..]], false)
    }

    /// Links are followed to the root only, which the operator has named.
    fn open_names(root: &Path, names: [&str; 2], is_made: bool) -> Result<Option<Self>, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut descriptor = match openat(CWD, root, flags, Mode::empty()) {
            Err(Errno::NOENT) if is_made => {
                let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(root);
                made.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
                openat(CWD, root, flags, Mode::empty())?
            }
            Err(Errno::NOENT) => return Ok(None),
            opened => opened?,
        };
        for name in names {
            let open = || openat(&descriptor, name, flags | OFlags::NOFOLLOW, Mode::empty());
            descriptor = match open() {
                Err(Errno::NOENT) if is_made => {
                    match mkdirat(&descriptor, name, Mode::RWXU) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(error) => return Err(error),
                    }
                    open()?
                }
                Err(Errno::NOENT) => return Ok(None),
                opened => opened?,
            };
        }
        Ok(Some(Self { descriptor }))
    }

    /// At most `most` bytes of a file; all of it if it is an item's and `most` is enough.
    pub(super) fn read(&self, name: &str, most: u64) -> Result<Content, Errno> {
        for _ in 0..STALE_TRIES {
            match self.read_once(name, most) {
                // NFS: another node has replaced the file between open and read.
                Err(Errno::STALE) => {}
                result => return result,
            }
        }
        Err(Errno::STALE)
    }

    fn read_once(&self, name: &str, most: u64) -> Result<Content, Errno> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&self.descriptor, name, flags, Mode::empty()) {
            Ok(descriptor) => File::from(descriptor),
            Err(Errno::NOENT) => return Ok(Content::Missing),
            Err(Errno::LOOP | Errno::NXIO) => return Ok(Content::Foreign),
            Err(error) => return Err(error),
        };
        let about = file.metadata().map_err(|error| errno(&error))?;
        if !about.is_file() || about.len() > FILE_BYTES_MAX {
            return Ok(Content::Foreign);
        }
        let mut bytes = Vec::with_capacity(about.len().min(most) as usize);
        file.take(most).read_to_end(&mut bytes).map_err(|error| errno(&error))?;
        Ok(Content::Bytes(bytes))
    }

    /// A new file that only its writer knows. It is removed again if it cannot be written.
    pub(super) fn write_new(&self, name: &str, content: &[u8]) -> Result<(), Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.descriptor, name, flags, Mode::RUSR | Mode::WUSR)?);
        let written = file.write_all(content).map_err(|error| errno(&error));
        // NFS says only when a file is closed that the disk is full, and Rust does not pass that on. A short file is then
        // taken for damaged, as after a loss of power: nothing is synchronised.
        if written.is_err() {
            let _ = self.remove(name);
        }
        written
    }

    /// Fails with `EXIST` if there is one of this name.
    pub(super) fn link(&self, from: &str, to: &str) -> Result<(), Errno> {
        linkat(&self.descriptor, from, &self.descriptor, to, AtFlags::empty())
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        renameat(&self.descriptor, from, &self.descriptor, to)
    }

    /// False: there was none.
    pub(super) fn remove(&self, name: &str) -> Result<bool, Errno> {
        match unlinkat(&self.descriptor, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Which file it is, and when it was written by the clock of the file system, in seconds.
    pub(super) fn identity(&self, name: &str) -> Result<(u64, i64), Errno> {
        let about = statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW)?;
        #[allow(
            clippy::useless_conversion,
            clippy::unnecessary_cast,
            reason = "they differ between processors"
        )]
        Ok((about.st_ino as u64, about.st_mtime as i64))
    }

    /// The names of all that is in it, but for hidden files.
    pub(super) fn names(&self) -> Result<Vec<String>, Errno> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.descriptor)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().to_str()
                && !name.starts_with('.')
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }
}

pub(super) fn is_item(name: &str) -> bool {
    name.len() == HASH_LETTERS && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

pub(super) fn is_lock(name: &str) -> bool {
    name.strip_suffix(LOCK).is_some_and(is_item)
}

pub(super) fn lock_name(hash: &str) -> String {
    format!("{hash}{LOCK}")
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// Of both levels: 16 with 256 each.
pub(super) const FOLDERS: usize = 4_096;
const LOCK: &str = ".lock";
const HASH_LETTERS: usize = 64;
const STALE_TRIES: usize = 3;
