//! Where a running evenkeel may be asked, if neither the command line nor the environment says it, and whose answer counts.
//!
//! Any user can make a directory and a socket with a likely name. So only places of the asking user and of root are asked,
//! and for root those of the system's services; and there, too, the process that answers must be one of these users.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::AdminAddress;

/// The default place of this user, then that of the system's service, then others where this user may have started one.
pub(crate) fn places() -> Vec<AdminAddress> {
    below(Path::new("/"), asking_user(), AdminAddress::default_place())
}

/// The user that runs this command.
pub(crate) fn asking_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn below(root: &Path, user: u32, own: AdminAddress) -> Vec<AdminAddress> {
    let usual = [
        "run/evenkeel/admin.sock".to_owned(),
        format!("run/user/{user}/evenkeel.sock"),
        format!("tmp/evenkeel-{user}/admin.sock"),
    ];
    let is_there = |place: &PathBuf| place.symlink_metadata().is_ok() && place != own.path();
    let others: Vec<_> = usual.iter().map(|place| root.join(place)).filter(is_there).collect();
    std::iter::once(own).chain(others.into_iter().map(AdminAddress::from)).collect()
}

/// The users whose process may answer at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trust {
    user: u32,
    /// The user of a service, for root.
    service: Option<u32>,
}

impl Trust {
    /// Looks at the socket and the directories above it. An error says why no process is asked there.
    pub(crate) fn at(place: &Path, user: u32) -> io::Result<Self> {
        let directory = place.parent().unwrap_or(Path::new("/"));
        let parent = directory.parent().unwrap_or(Path::new("/"));
        let socket = fs::symlink_metadata(place)?;
        if !socket.file_type().is_socket() {
            return Err(io::Error::other("it is not a socket; links are not followed"));
        }
        let parent = Owned::of(&fs::metadata(parent)?);
        let mut above = fs::symlink_metadata(directory)?;
        // As systemd makes it for a unit with `DynamicUser=`.
        if above.is_symlink() && above.uid() == ROOT && parent.is_roots_alone() {
            above = fs::metadata(directory)?;
        }
        if !above.is_dir() {
            return Err(io::Error::other("its directory is a link, which is not followed"));
        }
        Self::of(user, [Owned::of(&socket), Owned::of(&above), parent])
            .map_err(|stranger| io::Error::other(stranger_is_not_asked(stranger)))
    }

    /// Decides from the owners of the socket, its directory and the parent of that. `Err`: another user, the owner.
    fn of(user: u32, [socket, directory, parent]: [Owned; 3]) -> Result<Self, u32> {
        // Only root can have made this directory for its owner.
        let service = (user == ROOT && parent.is_roots_alone()).then_some(directory.user);
        let trust = Self { user, service };
        let strangers = [directory.user, socket.user].into_iter().find(|&owner| !trust.includes(owner));
        strangers.map_or(Ok(trust), Err)
    }

    pub(crate) fn includes(self, user: u32) -> bool {
        user == ROOT || user == self.user || Some(user) == self.service
    }

    /// An error if the process that listens belongs to another user.
    pub(crate) fn admit(self, listening: u32) -> io::Result<()> {
        if self.includes(listening) {
            return Ok(());
        }
        Err(io::Error::other(stranger_is_not_asked(listening)))
    }
}

fn stranger_is_not_asked(user: u32) -> String {
    format!("it belongs to user {user}, which is asked only with --admin")
}

/// The owner and the mode of a file.
#[derive(Clone, Copy, Debug)]
struct Owned {
    user: u32,
    mode: u32,
}

impl Owned {
    fn of(metadata: &Metadata) -> Self {
        Self { user: metadata.uid(), mode: metadata.mode() }
    }

    /// Whether only root can put something into this directory.
    fn is_roots_alone(self) -> bool {
        self.user == ROOT && self.mode & 0o022 == 0
    }
}

const ROOT: u32 = 0;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_places_of_the_service_and_of_the_asking_user_are_looked_at() {
        let root = tempfile::tempdir().unwrap();
        let make = |place: &str| {
            fs::create_dir_all(root.path().join(place).parent().unwrap()).unwrap();
            fs::write(root.path().join(place), "").unwrap();
            AdminAddress::from(root.path().join(place))
        };
        let service = make("run/evenkeel/admin.sock");
        let [session, temporary] = ["run/user/7/evenkeel.sock", "tmp/evenkeel-7/admin.sock"].map(make);
        let own = AdminAddress::from(root.path().join("elsewhere.sock"));
        let places = |user| below(root.path(), user, own.clone());
        assert_eq!(places(7), [own.clone(), service.clone(), session, temporary]);
        for other in [0, 8] {
            assert_eq!(
                places(other),
                [own.clone(), service.clone()],
                "{other}: the places of user 7 are not theirs"
            );
        }
        assert_eq!(below(root.path(), 0, service.clone()), [service], "once");
    }

    const SERVICE: u32 = 990;
    const STRANGER: u32 = 1001;

    #[test]
    fn owners_decide_whose_process_may_answer() {
        let (roots, shared) = (Owned { user: ROOT, mode: 0o755 }, Owned { user: ROOT, mode: 0o1777 });
        let of = |user| Owned { user, mode: 0o700 };
        let trust = |user, service| Ok(Trust { user, service });
        for (user, owned, expected) in [
            // /run/evenkeel of root's service, and of a service with a user of its own.
            (ROOT, [of(ROOT), of(ROOT), roots], trust(ROOT, Some(ROOT))),
            (ROOT, [of(SERVICE), of(SERVICE), roots], trust(ROOT, Some(SERVICE))),
            (SERVICE, [of(SERVICE), of(SERVICE), roots], trust(SERVICE, None)),
            // In the service's directory, but of another user.
            (ROOT, [of(STRANGER), of(SERVICE), roots], Err(STRANGER)),
            // Directories that anyone can make below /tmp.
            (ROOT, [of(STRANGER), of(STRANGER), shared], Err(STRANGER)),
            (ROOT, [of(ROOT), of(STRANGER), shared], Err(STRANGER)),
            (7, [of(STRANGER), of(STRANGER), shared], Err(STRANGER)),
            (7, [of(STRANGER), of(7), shared], Err(STRANGER)),
            (7, [of(7), of(7), shared], trust(7, None)),
            (7, [of(ROOT), of(ROOT), roots], trust(7, None)),
            // A service's directory says nothing to users other than root.
            (7, [of(SERVICE), of(SERVICE), roots], Err(SERVICE)),
            // Others can put directories into the parent, so its owner proves nothing.
            (ROOT, [of(STRANGER), of(STRANGER), Owned { user: STRANGER, mode: 0o755 }], Err(STRANGER)),
            (ROOT, [of(STRANGER), of(STRANGER), Owned { user: ROOT, mode: 0o775 }], Err(STRANGER)),
        ] {
            assert_eq!(Trust::of(user, owned), expected, "{user} {owned:?}");
        }
    }

    #[test]
    fn the_listening_process_must_belong_to_root_the_user_or_the_service() {
        for (trust, admitted, refused) in [
            (Trust { user: 7, service: None }, &[ROOT, 7][..], &[SERVICE, STRANGER][..]),
            (Trust { user: ROOT, service: Some(SERVICE) }, &[ROOT, SERVICE], &[7, STRANGER]),
        ] {
            assert!(admitted.iter().all(|&user| trust.admit(user).is_ok()), "{trust:?}");
            for &user in refused {
                let error = trust.admit(user).unwrap_err().to_string();
                assert!(error.contains(&user.to_string()) && error.contains("--admin"), "{error}");
            }
        }
    }

    #[test]
    fn links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("real")).unwrap();
        let _listener = UnixListener::bind(at("real/admin.sock")).unwrap();
        assert_eq!(Trust::at(&at("real/admin.sock"), asking_user()).unwrap().user, asking_user());
        symlink("admin.sock", at("real/link.sock")).unwrap();
        symlink("real", at("link")).unwrap();
        // Its directory is root's link only if the parent is root's alone.
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        for place in ["real/link.sock", "link/admin.sock", "real"] {
            let error = Trust::at(&at(place), asking_user()).unwrap_err().to_string();
            assert!(error.contains("not followed"), "{place}: {error}");
        }
        assert_eq!(Trust::at(&at("none"), asking_user()).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
