//! Reading the files that a configuration names.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Access, OFlags, access};

/// Reads the files that a configuration names; tests replace it.
pub trait Files {
    /// Reads the whole file.
    ///
    /// # Errors
    /// Those of the file system, and [`io::ErrorKind::FileTooLarge`] above `bytes_max`.
    fn read(&self, path: &Path, bytes_max: usize) -> io::Result<Vec<u8>>;

    /// The mode of the file; `None`: it is not known.
    fn mode(&self, path: &Path) -> Option<u32> {
        let _ = path;
        None
    }

    /// The number of the user who owns the file; `None`: it is not known.
    fn owner(&self, path: &Path) -> Option<u32> {
        let _ = path;
        None
    }

    /// Whether lines can be appended to the file, which may not exist yet. It is not created.
    ///
    /// # Errors
    /// Those that opening it would have.
    fn appendable(&self, path: &Path) -> io::Result<()> {
        let _ = path;
        Ok(())
    }
}

/// Reads from the file system.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
        // Opening a FIFO would block until it has a writer, and opening a device can have effects. The path may have
        // become one since.
        regular(std::fs::metadata(path)?)?;
        let file =
            OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
        let metadata = regular(file.metadata()?)?;
        let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
        // One byte more than the file's length, so that the last read, which returns 0, does not grow the
        // buffer.
        let room = metadata.len().saturating_add(1).min(limit);
        let mut bytes = Vec::with_capacity(usize::try_from(room).unwrap_or(0));
        file.take(limit).read_to_end(&mut bytes)?;
        if bytes.len() > bytes_max {
            let message = format!("it is larger than {bytes_max} bytes");
            return Err(io::Error::new(ErrorKind::FileTooLarge, message));
        }
        Ok(bytes)
    }

    fn mode(&self, path: &Path) -> Option<u32> {
        std::fs::metadata(path).ok().map(|metadata| metadata.mode())
    }

    fn owner(&self, path: &Path) -> Option<u32> {
        std::fs::metadata(path).ok().map(|metadata| metadata.uid())
    }

    fn appendable(&self, path: &Path) -> io::Result<()> {
        match std::fs::metadata(path) {
            // As in the access log: opening a FIFO would block until it has a reader.
            Ok(metadata) if metadata.file_type().is_fifo() => Err(io::Error::new(
                ErrorKind::Unsupported,
                "it is a named pipe; log to \"-\" and pipe stdout",
            )),
            Ok(_) => OpenOptions::new().append(true).open(path).map(drop),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                Ok(access(folder.unwrap_or(Path::new(".")), Access::WRITE_OK | Access::EXEC_OK)?)
            }
            Err(error) => Err(error),
        }
    }
}

fn regular(metadata: Metadata) -> io::Result<Metadata> {
    if metadata.is_file() {
        return Ok(metadata);
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_up_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.html");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(Disk.read(&path, 5).unwrap(), b"12345");
        assert_eq!(Disk.read(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Disk.read(folder.path(), 5).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let missing = folder.path().join("missing");
        assert_eq!(Disk.read(&missing, 5).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_log_can_be_appended_to_or_made() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("old.log"), "1\n").unwrap();
        for (name, kind) in [
            ("old.log", None),
            ("new.log", None),
            ("none/new.log", Some(ErrorKind::NotFound)),
            ("old.log/new.log", Some(ErrorKind::NotADirectory)),
            ("", Some(ErrorKind::IsADirectory)),
        ] {
            let found = Disk.appendable(&at(name)).err().map(|error| error.kind());
            assert_eq!(found, kind, "{name}");
        }
        assert!(!at("new.log").exists() && std::fs::read(at("old.log")).unwrap() == b"1\n");
    }
}
