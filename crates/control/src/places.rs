//! Where a running evenkeel may be asked, if neither the command line nor the environment says it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::AdminAddress;

/// The default place of this user, then those of the system's service and, for root, of every user.
pub(crate) fn places() -> Vec<AdminAddress> {
    let own = AdminAddress::default_place();
    let mut places = below(Path::new("/"), rustix::process::geteuid().as_raw());
    places.retain(|place| *place != own);
    places.insert(0, own);
    places
}

fn below(root: &Path, user: u32) -> Vec<AdminAddress> {
    let mut places = vec![root.join("run/evenkeel/admin.sock")];
    let may_ask = |other: u32| user == 0 || other == user;
    for (folder, prefix, file) in [("run/user", "", "evenkeel.sock"), ("tmp", "evenkeel-", "admin.sock")] {
        let mut users = users(&root.join(folder), prefix);
        users.retain(|&other| may_ask(other));
        places.extend(
            users
                .into_iter()
                .take(USERS_MAX)
                .map(|other| root.join(folder).join(format!("{prefix}{other}")).join(file)),
        );
    }
    places.retain(|place| place.symlink_metadata().is_ok());
    places.into_iter().map(AdminAddress::from).collect()
}

/// The users that own a directory of this prefix and their number: anyone can make one with the number of another.
fn users(folder: &Path, prefix: &str) -> Vec<u32> {
    let owner = |entry: fs::DirEntry| {
        let user = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
        (entry.metadata().ok()?.uid() == user).then_some(user)
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut users: Vec<u32> = entries.filter_map(owner).collect();
    users.sort_unstable();
    users
}

// limit: users whose places root looks at.
const USERS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_the_service_and_of_users_are_looked_at() {
        let root = tempfile::tempdir().unwrap();
        let user = rustix::process::geteuid().as_raw();
        let own = [
            "run/evenkeel/admin.sock".to_owned(),
            format!("run/user/{user}/evenkeel.sock"),
            format!("tmp/evenkeel-{user}/admin.sock"),
        ];
        // The last two are directories of another user by their name only.
        let others = ["run/user/4711/evenkeel.sock".to_owned(), "tmp/evenkeel-4711/admin.sock".to_owned()];
        for place in own.iter().chain(&others) {
            fs::create_dir_all(root.path().join(place).parent().unwrap()).unwrap();
            fs::write(root.path().join(place), "").unwrap();
        }
        let expected: Vec<_> = own.iter().map(|place| AdminAddress::from(root.path().join(place))).collect();
        assert_eq!(below(root.path(), user), expected);
        assert_eq!(below(root.path(), user + 1), expected[..1], "the places of others are not theirs");
        assert_eq!(below(Path::new("/nowhere"), user), []);
    }
}
