//! The address of the admin API, for the server and the command line.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The path of the admin API's Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminAddress(PathBuf);

/// Why a text is not an [`AdminAddress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidAddress {
    Form,
    /// `sun_path` holds 108 bytes, including the final NUL (`man 7 unix`).
    TooLong,
}

impl AdminAddress {
    /// The default path: `admin.sock` in the directory that the service manager made (`RUNTIME_DIRECTORY`), or as root
    /// `/run/evenkeel/admin.sock`, otherwise `$XDG_RUNTIME_DIR/evenkeel.sock`, or, without that variable, as in most
    /// containers, a directory for the user under `/tmp`.
    pub fn default_place() -> Self {
        let user = rustix::process::geteuid().as_raw();
        default_place(
            user,
            std::env::var_os("RUNTIME_DIRECTORY").as_deref(),
            std::env::var_os("XDG_RUNTIME_DIR"),
        )
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl From<PathBuf> for AdminAddress {
    fn from(path: PathBuf) -> Self {
        Self(path)
    }
}

impl FromStr for AdminAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let path = match text.strip_prefix("unix:") {
            Some(path) => path,
            None if text.starts_with('/') => text,
            None => return Err(InvalidAddress::Form),
        };
        if path.is_empty() || path.contains('\0') {
            return Err(InvalidAddress::Form);
        }
        if path.len() > PATH_BYTES_MAX {
            return Err(InvalidAddress::TooLong);
        }
        Ok(Self(PathBuf::from(path)))
    }
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix:{}", self.0.display())
    }
}

impl fmt::Display for InvalidAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => {
                f.write_str("the admin API listens on a Unix socket: write `unix:/path/to/admin.sock`")
            }
            Self::TooLong => write!(f, "the path of a Unix socket has at most {PATH_BYTES_MAX} bytes"),
        }
    }
}

impl std::error::Error for InvalidAddress {}

fn default_place(user: u32, of_service: Option<&OsStr>, runtime_dir: Option<OsString>) -> AdminAddress {
    let absolute = |dir: OsString| Some(PathBuf::from(dir)).filter(|dir| dir.is_absolute());
    // `man 5 systemd.exec`: several directories are separated by colons.
    let first = |dirs: &OsStr| dirs.to_str()?.split(':').next().map(OsString::from);
    if let Some(dir) = of_service.and_then(first).and_then(absolute) {
        return AdminAddress(dir.join("admin.sock"));
    }
    AdminAddress(match runtime_dir.and_then(absolute) {
        _ if user == 0 => PathBuf::from("/run/evenkeel/admin.sock"),
        Some(dir) => dir.join("evenkeel.sock"),
        None => PathBuf::from(format!("/tmp/evenkeel-{user}/admin.sock")),
    })
}

/// `sun_path` without its final NUL.
const PATH_BYTES_MAX: usize = 107;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_paths_with_and_without_scheme() {
        for text in ["unix:/run/x.sock", "/run/x.sock"] {
            assert_eq!(text.parse::<AdminAddress>().unwrap().to_string(), "unix:/run/x.sock");
        }
        assert_eq!("unix:x.sock".parse::<AdminAddress>().unwrap().path(), Path::new("x.sock"));
    }

    #[test]
    fn invalid_addresses_are_refused() {
        let long = format!("unix:/{}", "x".repeat(107));
        for (text, error) in [
            ("", InvalidAddress::Form),
            ("unix:", InvalidAddress::Form),
            ("127.0.0.1:9900", InvalidAddress::Form),
            ("unix:/a\0b", InvalidAddress::Form),
            (long.as_str(), InvalidAddress::TooLong),
        ] {
            assert_eq!(text.parse::<AdminAddress>(), Err(error), "{text:?}");
        }
        assert!(format!("unix:/{}", "x".repeat(106)).parse::<AdminAddress>().is_ok());
    }

    #[test]
    fn the_default_depends_on_the_user() {
        for (dirs, expected) in [
            ("/run/evenkeel", "unix:/run/evenkeel/admin.sock"),
            ("/run/one:/run/two", "unix:/run/one/admin.sock"),
            ("relative", "unix:/run/user/7/evenkeel.sock"),
        ] {
            let (dirs, runtime_dir) = (Some(OsStr::new(dirs)), Some("/run/user/7".into()));
            assert_eq!(default_place(7, dirs, runtime_dir).to_string(), expected);
        }
        for (user, dir, expected) in [
            (0, Some("/run/user/0"), "unix:/run/evenkeel/admin.sock"),
            (0, None, "unix:/run/evenkeel/admin.sock"),
            (1000, Some("/run/user/1000"), "unix:/run/user/1000/evenkeel.sock"),
            (1000, None, "unix:/tmp/evenkeel-1000/admin.sock"),
            (1000, Some(""), "unix:/tmp/evenkeel-1000/admin.sock"),
            (1000, Some("relative"), "unix:/tmp/evenkeel-1000/admin.sock"),
        ] {
            assert_eq!(default_place(user, None, dir.map(OsString::from)).to_string(), expected);
        }
    }
}
