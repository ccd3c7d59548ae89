//! The store fails in the middle. Both load balancers know all sessions by then, so none may be lost.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use xtask::Outcome;

use super::app::App;
use super::crowd::Crowd;
use super::mechanism::Mechanism;
use super::site::{CART, Site, nothing_lost};
use super::stage::Stage;
use super::stores::{SMALL, SmallDisk, Store, StoreKind, crowd_out, flush};
use super::tally::Tally;

pub(crate) fn run(stage: &Stage) {
    let has_servers = |kind: &&StoreKind| !matches!(kind, StoreKind::File | StoreKind::Sqlite);
    for kind in stage.stores.iter().filter(has_servers) {
        stage.case("kill the store", kind.name(), || failing(stage, kind.start()?, Store::kill));
        stage.case("stop the store for 10 s", kind.name(), || stopped(stage, &kind.start()?));
    }
    if stage.stores.contains(&StoreKind::Memcached) {
        stage.case("flush the store", "memcached", || {
            let flush_all = |store: &mut Store| store.addresses().try_for_each(flush);
            failing(stage, StoreKind::Memcached.start()?, flush_all)
        });
        stage.case("a store of 1 MiB evicts", "memcached", || {
            let crowd_all = |store: &mut Store| store.addresses().try_for_each(crowd_out);
            failing(stage, StoreKind::Memcached.start_with(SMALL)?, crowd_all)
        });
    }
    if stage.stores.contains(&StoreKind::File) {
        stage.case("disk full", "file", || {
            let store = StoreKind::File.start()?;
            let disk = SmallDisk::mount(&store.path())?;
            failing(stage, store, |_| disk.fill())
        });
        stage.case("corrupted files", "file", || failing(stage, StoreKind::File.start()?, corrupt));
    }
}

/// Two halves of a cart, with the failure between them.
fn failing(stage: &Stage, mut store: Store, fail: impl FnOnce(&mut Store) -> Outcome) -> Outcome<String> {
    let site = Site::start_on(stage, App::Little, Mechanism::SourceIp, 2, &store)?;
    let addresses = site.addresses();
    let mut crowd = Crowd::new(stage.users, 1);
    nothing_lost(&crowd.run(&addresses, CART / 2))?;
    fail(&mut store)?;
    let tally = crowd.run(&addresses, CART);
    bar(&tally)
}

/// Users go on while the store is stopped, and after it.
fn stopped(stage: &Stage, store: &Store) -> Outcome<String> {
    let site = Site::start_on(stage, App::Little, Mechanism::SourceIp, 2, store)?;
    let addresses = site.addresses();
    let mut crowd = Crowd::new(stage.users, 1);
    nothing_lost(&crowd.run(&addresses, CART / 2))?;
    store.signal(Signal::STOP)?;
    let began = Instant::now();
    let (mut goal, mut sum) = (CART / 2, Tally::default());
    while began.elapsed() < STOPPED {
        goal += 1;
        sum.add(crowd.run(&addresses, goal));
        std::thread::sleep(PAUSE);
    }
    store.signal(Signal::CONT)?;
    sum.add(crowd.run(&addresses, goal + 1));
    bar(&sum)
}

fn bar(tally: &Tally) -> Outcome<String> {
    if tally.slowest > SLOWEST {
        return Err(format!("slower than {SLOWEST:?}: {tally}"));
    }
    nothing_lost(tally)
}

/// Puts noise into every file.
fn corrupt(store: &mut Store) -> Outcome {
    let mut directories = vec![store.path()];
    let mut count = 0;
    while let Some(directory) = directories.pop() {
        let entries =
            fs::read_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                directories.push(path);
            } else {
                fs::write(&path, b"\xff\0noise\n").map_err(|error| format!("{}: {error}", path.display()))?;
                count += 1;
            }
        }
    }
    if count == 0 { Err("the store has no files".into()) } else { Ok(()) }
}

const STOPPED: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);
/// Far more than the store's timeout, and far less than a hang.
const SLOWEST: Duration = Duration::from_secs(2);
