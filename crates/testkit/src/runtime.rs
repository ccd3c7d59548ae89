//! The async runtime that crate `h2` needs: one thread for all HTTP/2 clients and targets. Callers block.

use std::future::{Future, pending};
use std::sync::OnceLock;
use std::thread;

use tokio::runtime::{Builder, Handle};

use crate::wait::PATIENCE;

/// Runs `work` to its end; panics with `what` if it takes longer than [`PATIENCE`].
#[track_caller]
pub(crate) fn wait<T>(what: &str, work: impl Future<Output = T>) -> T {
    let done = handle().block_on(async { tokio::time::timeout(PATIENCE, work).await });
    done.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain: {what}"))
}

pub(crate) fn handle() -> &'static Handle {
    static HANDLE: OnceLock<Handle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        thread::spawn(move || runtime.block_on(pending::<()>()));
        handle
    })
}
