//! The workers' side: requests over bounded channels, and answers that nothing has to wait for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::figures::{Counters, SessionFigures};

/// The numbers of a `SessionKey` of crate `balance`: scope and client.
pub type SessionName = (u64, u128);

/// How a request to the store has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The session is in the store. `is_ours`: this request has written the target; otherwise it was there before.
    Here { target: u64, is_ours: bool },
    /// It is not there; the answer to `find` and `forget` only.
    Absent,
    /// A word for metrics: a [`StoreError::reason`](crate::StoreError::reason), `overloaded`, `contended` (others have changed
    /// the session each time that this request wanted to) or `stopped`.
    Failed(&'static str),
}

/// A session that has been used since the store last heard of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touched {
    pub name: SessionName,
    /// Its target, as this node knows it.
    pub target: u64,
    /// How long it lives from now on if it is not used again.
    pub lifetime: Duration,
}

/// Asks for sessions in a store, from any thread and without waiting.
///
/// A lifetime is to be longer than the table's by the time after which a used session is touched: otherwise an item can
/// expire while its session is in use, and another node gives the client another target.
///
/// A request goes on if its receiver is dropped. A receiver that ends with an error means that the request was not made,
/// or has had no end.
#[derive(Clone, Debug)]
pub struct SessionClient {
    requests: mpsc::Sender<Request>,
    touches: mpsc::Sender<Vec<Touched>>,
    counters: Arc<Counters>,
}

/// The other end of all clients of a store.
#[derive(Debug)]
pub struct SessionRequests {
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) touches: mpsc::Receiver<Vec<Touched>>,
    pub(super) counters: Arc<Counters>,
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) name: SessionName,
    pub(super) wish: Wish,
    pub(super) answer: oneshot::Sender<Answer>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Wish {
    Claim { candidate: u64, lifetime: Duration },
    Find,
    Move { from: u64, to: u64, lifetime: Duration, is_told: bool },
    Put { target: u64, lifetime: Duration },
    Forget,
}

/// A client, and what [`serve`](super::serve) needs to answer it.
pub fn session_channel() -> (SessionClient, SessionRequests) {
    let (send_request, requests) = mpsc::channel(REQUESTS_MAX);
    let (send_touches, touches) = mpsc::channel(BATCHES_MAX);
    let counters = Arc::new(Counters::default());
    let client =
        SessionClient { requests: send_request, touches: send_touches, counters: Arc::clone(&counters) };
    (client, SessionRequests { requests, touches, counters })
}

impl SessionClient {
    /// Finds the session, or gives it to `candidate`; of several that claim it the first wins.
    pub fn claim(&self, name: SessionName, candidate: u64, lifetime: Duration) -> oneshot::Receiver<Answer> {
        self.ask(name, Wish::Claim { candidate, lifetime })
    }

    /// Looks for the session and writes nothing: for names that clients may have made up.
    pub fn find(&self, name: SessionName) -> oneshot::Receiver<Answer> {
        self.ask(name, Wish::Find)
    }

    /// Gives the session to `to` if it is still at `from`, or lost; otherwise the answer says where it is.
    pub fn move_to(
        &self,
        name: SessionName,
        from: u64,
        to: u64,
        lifetime: Duration,
    ) -> oneshot::Receiver<Answer> {
        self.ask(name, Wish::Move { from, to, lifetime, is_told: true })
    }

    /// The same for a session that has just begun, so that hardly any other node can know it: no [`Marks`](super::Marks) tell
    /// of it. A client that opens many sessions could otherwise keep all nodes comparing theirs.
    pub fn correct(
        &self,
        name: SessionName,
        from: u64,
        to: u64,
        lifetime: Duration,
    ) -> oneshot::Receiver<Answer> {
        self.ask(name, Wish::Move { from, to, lifetime, is_told: false })
    }

    /// Gives the session to a target, whatever was there: the target has just made it.
    pub fn put(&self, name: SessionName, target: u64, lifetime: Duration) -> oneshot::Receiver<Answer> {
        self.ask(name, Wish::Put { target, lifetime })
    }

    /// Removes the session.
    pub fn forget(&self, name: SessionName) -> oneshot::Receiver<Answer> {
        self.ask(name, Wish::Forget)
    }

    /// Keeps sessions alive. What other nodes have changed comes back through [`Corrections`](super::Corrections). If too
    /// many batches are waiting, this one is dropped; its sessions are to be touched again, as are all that the store does not
    /// confirm.
    pub fn touch(&self, batch: Vec<Touched>) {
        if batch.is_empty() {
            return;
        }
        if let Err(error) = self.touches.try_send(batch) {
            let (TrySendError::Full(batch) | TrySendError::Closed(batch)) = error;
            self.counters.overloaded.add(1);
            self.counters.untouched.add(batch.len());
        }
    }

    pub fn figures(&self) -> SessionFigures {
        self.counters.figures()
    }

    /// How often this process may have moved a session in the store, for [`Marks::look`](super::Marks::look).
    pub fn changes(&self) -> u64 {
        self.counters.changes.read()
    }

    fn ask(&self, name: SessionName, wish: Wish) -> oneshot::Receiver<Answer> {
        let (answer, answered) = oneshot::channel();
        let refused = match self.requests.try_send(Request { name, wish, answer }) {
            Ok(()) => return answered,
            Err(TrySendError::Full(request)) => {
                self.counters.overloaded.add(1);
                (request, "overloaded")
            }
            Err(TrySendError::Closed(request)) => {
                self.counters.failed.add(1);
                (request, "stopped")
            }
        };
        let (request, reason) = refused;
        // The receiver is in this function.
        _ = request.answer.send(Answer::Failed(reason));
        answered
    }
}

// limit: requests that wait for one of the places in which they are worked on. Where each takes 10 ms, the last one waits
// for a sixth of a second: no worker waits that long, but its claim may still be of use.
pub(super) const REQUESTS_MAX: usize = 1024;
// limit: batches of touches that wait.
pub(super) const BATCHES_MAX: usize = 256;
