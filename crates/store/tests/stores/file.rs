//! The store in a directory.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use store::{FileStore, Item, Key, Put, Reply, Store, StoreError, Swept, When};

use crate::contract::{self, Promises, item};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(FileStore::new(directory.path().join("sessions"), contract::clock()));
    contract::check(store, Promises::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_keep_the_contract_in_one_directory() {
    let directory = tempfile::tempdir().unwrap();
    let node = || FileStore::new(directory.path().to_owned(), contract::clock());
    let store = Arc::new(Nodes { nodes: [node(), node()], turn: AtomicBool::new(false) });
    contract::check(store, Promises::default()).await;
    let left = files(directory.path());
    assert!(left.is_empty(), "{left:?}");
}

/// What is no item counts as absent, is counted, and is replaced by the next write.
#[tokio::test]
async fn damaged_files_are_absent() {
    let directory = tempfile::tempdir().unwrap();
    let outside = directory.path().join("outside");
    fs::write(&outside, "precious").unwrap();
    let root = directory.path().join("sessions");
    let store = FileStore::new(root.clone(), contract::clock());
    let damages: [fn(&Path, &Path); 7] = [
        |file, _| fs::write(file, "").unwrap(),
        |file, _| fs::write(file, "#!/bin/sh\nnothing of ours\n").unwrap(),
        |file, _| File::options().write(true).open(file).unwrap().set_len(50).unwrap(),
        |file, _| File::options().write(true).open(file).unwrap().set_len(1 << 40).unwrap(),
        |file, _| {
            let mut bytes = fs::read(file).unwrap();
            bytes[7] = b'2';
            fs::write(file, bytes).unwrap();
        },
        |file, _| {
            let mut bytes = fs::read(file).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(file, bytes).unwrap();
        },
        |file, outside| {
            fs::remove_file(file).unwrap();
            symlink(outside, file).unwrap();
        },
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let key = contract::key("damaged");
        store.put(&key, item(b"value"), When::Always).await.unwrap();
        let file = files(&root).pop().unwrap();
        damage(&file, &outside);
        let before = store.damaged();
        assert_eq!(store.get(&key).await, Ok(None), "{number}");
        assert!(store.damaged() > before, "{number}");
        assert!(!store.touch(&key, None).await.unwrap() && !store.delete(&key).await.unwrap(), "{number}");
        assert_eq!(store.put(&key, item(b"no"), When::Present).await, Ok(Put::Refused(None)), "{number}");
        assert!(matches!(store.put(&key, item(b"anew"), When::Absent).await, Ok(Put::Done(_))), "{number}");
        assert_eq!(store.get(&key).await.unwrap().unwrap().value, "anew", "{number}");
        assert!(store.delete(&key).await.unwrap(), "{number}");
    }
    assert_eq!(fs::read(&outside).unwrap(), b"precious");
}

#[tokio::test]
async fn links_to_other_folders_are_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let (root, outside) = (directory.path().join("sessions"), directory.path().join("outside"));
    fs::create_dir(&outside).unwrap();
    fs::create_dir(&root).unwrap();
    for letter in "0123456789abcdef".chars() {
        symlink(&outside, root.join(letter.to_string())).unwrap();
    }
    let store = FileStore::new(root, contract::clock());
    let put = store.put(&contract::key("link"), item(b"value"), When::Always).await;
    assert!(matches!(put, Err(StoreError::Away(_))), "{put:?}");
    assert!(files(&outside).is_empty());
}

#[tokio::test]
async fn only_the_owner_can_read() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("some/sessions");
    let store = FileStore::new(root.clone(), contract::clock());
    assert_eq!(store.get(&contract::key("none")).await, Ok(None));
    assert!(!root.exists());
    store.put(&contract::key("mode"), item(b"value"), When::Absent).await.unwrap();
    let file = files(&root).pop().unwrap();
    assert_eq!(mode(&file), 0o600);
    for folder in file.ancestors().skip(1).take(3) {
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
}

/// Writers that died: between file and rename, and with the lock.
#[tokio::test]
async fn what_dead_writers_leave_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let now = Arc::new(AtomicU64::new(contract::now()));
    let clock = Arc::clone(&now);
    let store = FileStore::new(directory.path().to_owned(), Arc::new(move || clock.load(Ordering::Relaxed)));
    let key = contract::key("crash");
    store.put(&key, item(b"before"), When::Always).await.unwrap();
    let file = files(directory.path()).pop().unwrap();
    let new = file.with_file_name("0123456789abcdef.new");
    fs::write(&new, "half a fi").unwrap();
    let lock = file.with_extension("lock");
    let locked = File::create(&lock).unwrap();
    // Reads need no lock; a write waits for it until it is stale.
    assert_eq!(store.get(&key).await.unwrap().unwrap().value, "before");
    let write = || store.put(&key, item(b"after"), When::Present);
    assert!(tokio::time::timeout(Duration::from_millis(50), write()).await.is_err());
    locked.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000)).unwrap();
    assert!(matches!(write().await, Ok(Put::Done(_))));
    assert_eq!(store.get(&key).await.unwrap().unwrap().value, "after");
    assert!(!lock.exists());
    let removed = async || store.sweep(Duration::MAX).await.unwrap().removed;
    assert_eq!(removed().await, 0);
    // The lock of a writer that no other writer came after.
    let lock = file.with_file_name(format!("{}.lock", "0".repeat(64)));
    File::create(&lock).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000)).unwrap();
    assert_eq!((removed().await, lock.exists()), (1, false));
    now.fetch_add(2 * 3_600_000, Ordering::Relaxed);
    assert_eq!(removed().await, 1);
    assert_eq!(files(directory.path()), [file]);
}

#[tokio::test]
async fn a_sweep_removes_old_files_that_are_no_items() {
    let directory = tempfile::tempdir().unwrap();
    let now = Arc::new(AtomicU64::new(contract::now()));
    let clock = Arc::clone(&now);
    let store = FileStore::new(directory.path().to_owned(), Arc::new(move || clock.load(Ordering::Relaxed)));
    store.put(&contract::key("kept"), item(b"kept"), When::Always).await.unwrap();
    let file = files(directory.path()).pop().unwrap();
    let (empty, other) = (file.with_file_name("0".repeat(64)), file.with_file_name("f".repeat(64)));
    fs::write(&empty, "").unwrap();
    fs::write(&other, "EVKITEM9 of another version, and longer than the head of an item").unwrap();
    fs::create_dir(file.with_file_name("a".repeat(64))).unwrap();
    fs::write(file.with_file_name("README"), "of the operator").unwrap();
    assert_eq!(store.sweep(Duration::MAX).await.unwrap().removed, 0, "they are fresh");
    now.fetch_add(7 * 3_600_000, Ordering::Relaxed);
    assert_eq!(store.sweep(Duration::MAX).await.unwrap().removed, 2);
    assert!(!empty.exists() && !other.exists() && file.exists());
    assert!(file.with_file_name("README").exists());
}

#[tokio::test]
async fn a_sweep_removes_what_has_expired_a_part_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let now = Arc::new(AtomicU64::new(1_000_000));
    let clock = Arc::clone(&now);
    let store = FileStore::new(directory.path().to_owned(), Arc::new(move || clock.load(Ordering::Relaxed)));
    for number in 0..300 {
        let expires = (number % 3 != 0).then_some(1_000_000 + 1_000 * number);
        let item = Item { expires, ..item(b"value") };
        store.put(&contract::key("swept"), item, When::Always).await.unwrap();
    }
    fs::write(directory.path().join("README"), "of the operator").unwrap();
    assert_eq!(store.sweep(Duration::MAX).await.unwrap().removed, 0);
    now.fetch_add(400_000, Ordering::Relaxed);
    let (mut removed, mut calls) = (0, 0);
    while removed < 200 {
        // Each call gets on, and ends when its time has passed.
        let some = store.sweep(Duration::ZERO).await.unwrap();
        assert!(some.seen == 1 && some.removed <= 1, "{some:?} in one call");
        (removed, calls) = (removed + some.removed, calls + 1);
        assert!(calls <= 400, "{removed} removed in {calls} calls");
    }
    assert_eq!(files(directory.path()).len(), 100);
    let last = store.sweep(Duration::MAX).await.unwrap();
    assert!(last.removed == 0 && !last.is_much(), "{last:?}");
}

/// However many live items there are before them.
#[tokio::test]
async fn one_sweep_removes_all_that_has_expired() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileStore::new(directory.path().to_owned(), Arc::new(|| 1_000_000));
    store.put(&contract::key("live"), item(b"live"), When::Always).await.unwrap();
    let file = files(directory.path()).pop().unwrap();
    for number in 0..1_200 {
        fs::copy(&file, file.with_file_name(format!("{number:064x}"))).unwrap();
    }
    for _ in 0..30 {
        let item = Item { expires: Some(1), ..item(b"value") };
        store.put(&contract::key("dead"), item, When::Always).await.unwrap();
    }
    let swept = store.sweep(Duration::MAX).await.unwrap();
    assert!(swept == Swept { seen: 1_231, removed: 30 } && !swept.is_much(), "{swept:?}");
    assert!(Swept { seen: 100, removed: 20 }.is_much());
}

/// In a mount namespace of its own, with a small file system.
#[test]
fn full_and_read_only_file_systems() {
    let directory = tempfile::tempdir().unwrap();
    let script = r#"mount -t tmpfs -o size=256k none "$1" && exec "$0" --exact file::inside_a_small_file_system --ignored"#;
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]).arg(program).arg(directory.path());
    let output = command.env("STORE_SMALL", directory.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
#[ignore = "run by `full_and_read_only_file_systems`"]
async fn inside_a_small_file_system() {
    let root = PathBuf::from(std::env::var("STORE_SMALL").unwrap());
    let store = FileStore::new(root.clone(), contract::clock());
    let keys: Vec<_> = (0..100).map(|_| contract::key("full")).collect();
    let mut kept = Vec::new();
    for key in &keys {
        match store.put(key, item(&[b'v'; 10_000]), When::Absent).await {
            Ok(_) => kept.push(key.clone()),
            Err(error) => assert_eq!(error.reason(), "full", "{error}"),
        }
    }
    assert!((1..100).contains(&kept.len()), "{} kept", kept.len());
    assert!(
        store.read_many(&kept).await.unwrap().iter().all(Option::is_some),
        "what is there stays readable"
    );
    assert!(files(&root).iter().all(|file| file.extension().is_none()), "nothing half-written stays");
    for key in &kept {
        assert!(store.delete(key).await.unwrap(), "a full disk lets items be deleted");
    }
    store.put(&keys[0], item(b"fits again"), When::Absent).await.unwrap();

    let remount = Command::new("mount").args(["-o", "remount,ro"]).arg(&root).status().unwrap();
    assert!(remount.success());
    assert_eq!(store.get(&keys[0]).await.unwrap().unwrap().value, "fits again");
    let refused = [
        store.put(&keys[0], item(b"no"), When::Always).await.map(|_| ()),
        store.put(&keys[1], item(b"no"), When::Absent).await.map(|_| ()),
        store.touch(&keys[0], None).await.map(|_| ()),
        store.delete(&keys[0]).await.map(|_| ()),
        store.clear().await,
    ];
    for refused in refused {
        assert_eq!(refused.unwrap_err().reason(), "denied");
    }
    assert_eq!(store.sweep(Duration::MAX).await.map(|swept| swept.removed), Ok(0));
}

/// Two nodes, of which each call takes the other one.
#[derive(Debug)]
struct Nodes {
    nodes: [FileStore; 2],
    turn: AtomicBool,
}

impl Nodes {
    fn next(&self) -> &FileStore {
        &self.nodes[usize::from(self.turn.fetch_not(Ordering::Relaxed))]
    }
}

impl Store for Nodes {
    fn get<'a>(&'a self, key: &'a Key) -> Reply<'a, Option<Item>> {
        self.next().get(key)
    }

    fn put<'a>(&'a self, key: &'a Key, item: Item, when: When) -> Reply<'a, Put> {
        self.next().put(key, item, when)
    }

    fn touch<'a>(&'a self, key: &'a Key, expires: Option<u64>) -> Reply<'a, bool> {
        self.next().touch(key, expires)
    }

    fn delete<'a>(&'a self, key: &'a Key) -> Reply<'a, bool> {
        self.next().delete(key)
    }

    fn clear(&self) -> Reply<'_, ()> {
        self.next().clear()
    }
}

/// All files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files(&path));
        } else if path.file_name().is_some_and(|name| name != "README") {
            found.push(path);
        }
    }
    found
}

fn mode(path: &Path) -> u32 {
    let about = fs::symlink_metadata(path).unwrap();
    assert_eq!(about.uid(), rustix::process::geteuid().as_raw());
    about.permissions().mode() & 0o777
}
