//! How long the stores may take for one command, over all the calls that it needs.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use proto::memcached::Outcome;
use store::StoreError;
use tokio::time::{Instant, timeout};

/// Waiting for the client does not count.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Duration,
    left: Duration,
}

impl Patience {
    pub(super) const fn new(limit: Duration) -> Self {
        Self { limit, left: limit }
    }

    /// For the next command.
    pub(super) const fn renew(&mut self) {
        self.left = self.limit;
    }

    pub(super) async fn outcome(&mut self, call: impl Future<Output = Outcome>) -> Outcome {
        self.spend(call).await.unwrap_or(Outcome::Away(StoreError::Late.reason()))
    }

    pub(super) async fn found<T>(
        &mut self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.spend(call).await.unwrap_or(Err(StoreError::Late))
    }

    /// `None`: the time is over.
    async fn spend<T>(&mut self, call: impl Future<Output = T>) -> Option<T> {
        let mut call = pin!(call);
        // A store in memory answers at once, and needs no timer.
        if let Poll::Ready(result) = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await {
            return Some(result);
        }
        let began = Instant::now();
        let result = timeout(self.left, call).await;
        self.left = self.left.saturating_sub(began.elapsed());
        result.ok()
    }
}
