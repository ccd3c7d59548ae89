//! What the threads of a store use together.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;

use crate::{Clock, StoreError};

pub(super) struct Shared {
    pub(super) root: PathBuf,
    pub(super) clock: Clock,
    /// Reads of files that are no items.
    pub(super) damaged: AtomicU64,
}

impl Shared {
    /// Whether the root, or the folder in which it would be made, can be written.
    pub(super) fn check(&self) -> Result<(), Errno> {
        for folder in self.root.ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
            let read = if folder == self.root { Access::READ_OK } else { Access::empty() };
            match access(folder, read | Access::WRITE_OK | Access::EXEC_OK) {
                Err(Errno::NOENT) => {}
                // A kernel that cannot tell.
                Err(Errno::NOSYS) => return Ok(()),
                _ if folder.is_file() => return Err(Errno::NOTDIR),
                result => return result,
            }
        }
        Ok(())
    }

    /// What an error means, told with the path.
    pub(super) fn meaning(&self, error: Errno) -> StoreError {
        let is_refused = matches!(error, Errno::ACCESS | Errno::PERM);
        let is_closed = || access(&self.root, Access::READ_OK | Access::EXEC_OK) == Err(Errno::ACCESS);
        meaning(&self.root, error, is_refused && is_closed())
    }
}

/// `is_closed`: the root cannot be read either.
pub(super) fn meaning(root: &Path, error: Errno, is_closed: bool) -> StoreError {
    let detail = format!("{}: {}", root.display(), std::io::Error::from(error));
    match error {
        _ if is_closed => StoreError::Away(detail),
        Errno::NOSPC | Errno::DQUOT => StoreError::Full(detail),
        Errno::ROFS | Errno::ACCESS | Errno::PERM | Errno::FBIG => StoreError::Denied(detail),
        _ => StoreError::Away(detail),
    }
}

fn access(path: &Path, rights: Access) -> Result<(), Errno> {
    accessat(CWD, path, rights, AtFlags::EACCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_path_and_says_whether_reads_go_on() {
        let of = |error, is_closed| meaning(Path::new("/var/lib/x"), error, is_closed);
        let denied = "/var/lib/x: Permission denied (os error 13)".to_owned();
        assert_eq!(of(Errno::ACCESS, false), StoreError::Denied(denied.clone()));
        assert_eq!(of(Errno::ACCESS, true), StoreError::Away(denied));
        assert!(
            matches!(of(Errno::NOSPC, false), StoreError::Full(text) if text.starts_with("/var/lib/x: "))
        );
    }
}
