use std::sync::mpsc::sync_channel;

use super::*;

/// A file system that hangs holds a few threads, not one for each call, and the store recovers.
#[tokio::test]
async fn a_hanging_file_system_holds_few_threads() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(FileStore::new(directory.path().to_owned(), Arc::new(|| 0)));
    let (entered, entries) = sync_channel(THREADS * 4);
    let (gate, opened) = sync_channel::<()>(0);
    let opened = Arc::new(std::sync::Mutex::new(opened));
    for _ in 0..THREADS * 4 {
        let (store, entered, opened) = (Arc::clone(&store), entered.clone(), Arc::clone(&opened));
        let call = async move {
            let hang = move |_: &Shared| {
                entered.send(()).unwrap();
                let _ = opened.lock().unwrap().recv();
                Ok(())
            };
            store.run(hang).await
        };
        // The caller goes; the thread stays.
        assert!(tokio::time::timeout(Duration::from_millis(1), call).await.is_err());
    }
    let key = Key::new(b"key").unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(10), store.get(&key)).await.is_err());
    drop(gate);
    assert_eq!(store.get(&key).await, Ok(None));
    assert!(entries.try_iter().count() <= THREADS);
}

#[test]
fn errors_have_reasons() {
    let table = [
        (Errno::NOSPC, "full"),
        (Errno::DQUOT, "full"),
        (Errno::ROFS, "denied"),
        (Errno::ACCESS, "denied"),
        (Errno::PERM, "denied"),
        (Errno::IO, "away"),
        (Errno::STALE, "away"),
    ];
    for (error, reason) in table {
        assert_eq!(shared::meaning(std::path::Path::new("/"), error, false).reason(), reason, "{error}");
    }
}

#[tokio::test]
async fn a_check_makes_nothing_and_names_what_is_in_the_way() {
    let directory = tempfile::tempdir().unwrap();
    let open = |path: &str| FileStore::new(directory.path().join(path), Arc::new(|| 0));
    assert_eq!(open("a/b/c").check().await, Ok(()));
    assert_eq!(directory.path().read_dir().unwrap().count(), 0, "nothing was made");
    std::fs::write(directory.path().join("file"), "").unwrap();
    for path in ["file", "file/b"] {
        let error = open(path).check().await.unwrap_err().to_string();
        let expected = format!("it cannot be reached: {}: Not a dir", directory.path().join(path).display());
        assert!(error.starts_with(&expected), "{error}");
    }
}
