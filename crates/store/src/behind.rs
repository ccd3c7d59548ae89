//! Work that goes on behind its caller's back.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::StoreError;

/// Runs commands in tasks of their own, so that a caller that gives up after 10 ms leaves no connection in the middle of
/// an answer, and that a connect may take longer than one caller waits.
#[derive(Debug)]
pub(crate) struct Behind {
    places: Arc<Semaphore>,
}

impl Behind {
    pub(crate) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(COMMANDS_MAX)) }
    }

    /// cancel-safe: a command that has begun goes on, for [`COMMAND_LIMIT`] at most.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        command: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        // The caller's patience is the limit of this wait: nothing has begun.
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| StoreError::Late)?;
        let task = tokio::spawn(async move {
            let result = timeout(COMMAND_LIMIT, command).await;
            drop(place);
            result.unwrap_or(Err(StoreError::Late))
        });
        // A panic of a library is no reason to end this program.
        task.await.unwrap_or_else(|error| Err(StoreError::Garbage(error.to_string())))
    }
}

// limit: of one command with its wait for a connection and its connect. A connection that does not answer until then is
// closed, so that a server that has vanished without a word does not hold the store for the minutes that TCP takes.
pub(crate) const COMMAND_LIMIT: Duration = Duration::from_secs(5);
// limit: commands that run at a time or wait for a connection; further ones wait in their callers.
const COMMANDS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_command_ends_behind_its_callers_back() {
        let behind = Behind::new();
        let done = Arc::new(AtomicBool::new(false));
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let written = Arc::clone(&done);
        let command = behind.run(async move {
            _ = gone.await;
            written.store(true, Ordering::Relaxed);
            Ok(())
        });
        assert!(timeout(Duration::from_millis(10), command).await.is_err());
        go.send(()).expect("the command is there");
        while !done.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn commands_are_bounded_in_time_and_number() {
        let behind = Behind::new();
        let silent = || std::future::pending::<Result<(), StoreError>>();
        for _ in 0..COMMANDS_MAX {
            assert!(timeout(Duration::from_millis(1), behind.run(silent())).await.is_err());
        }
        assert!(timeout(Duration::from_secs(1), behind.run(async { Ok(()) })).await.is_err(), "no place");
        assert_eq!(behind.run(async { Ok(()) }).await, Ok(()), "the silent ones have ended");
        assert_eq!(behind.run(silent()).await, Err(StoreError::Late));
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let panics = async { panic!("a defect of a library") };
        assert!(matches!(Behind::new().run::<()>(panics).await, Err(StoreError::Garbage(_))));
    }
}
