//! Waits, at a stop, for the process that takes over: it is given the listener sockets, so that no connection is lost.

use std::collections::HashSet;
use std::future::pending;
use std::net::SocketAddr;
use std::os::unix::net::UnixListener as StdListener;
use std::sync::Arc;
use std::time::Duration;

use proxy::Offer;
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

#[derive(Debug, Default)]
pub(super) struct HandedOver {
    /// The addresses, as configured, on which a successor accepts.
    pub(super) addresses: HashSet<SocketAddr>,
    /// As long as they are there, a process that starts waits for the addresses. Nothing is offered any more.
    pub(super) waiting: Vec<StdListener>,
}

#[derive(Debug, Default)]
struct Lent {
    /// To a process that has not ended.
    addresses: HashSet<SocketAddr>,
    /// It has told that it serves.
    is_taken: bool,
}

/// Offers the addresses for `patience`, and for longer if a successor is starting. They are served meanwhile.
pub(super) async fn await_successor(
    offers: Vec<(SocketAddr, Offer)>,
    patience: Duration,
    longest: Duration,
) -> HandedOver {
    let (lent, mut changes) = watch::channel(Lent::default());
    let lent = Arc::new(lent);
    let mut tasks = JoinSet::new();
    let mut waiting = Vec::new();
    for (address, offer) in offers {
        waiting.extend(offer.listener());
        tasks.spawn(answer(address, offer, Arc::clone(&lent)));
    }
    let began = Instant::now();
    while !lent.borrow().is_taken {
        let has_successor = !lent.borrow().addresses.is_empty();
        let end = began + if has_successor { longest } else { patience };
        tokio::select! {
            biased;
            _ = changes.changed() => {}
            () = sleep_until(end) => break,
        }
    }
    // The offers hold the sockets open, and none may be after its accept queue was emptied.
    tasks.shutdown().await;
    let lent = lent.borrow();
    let addresses = if lent.is_taken { lent.addresses.clone() } else { HashSet::new() };
    if lent.is_taken {
        observe::event(observe::Event::HandedOver, &[("addresses", &addresses.len())]);
    }
    HandedOver { addresses, waiting }
}

async fn answer(address: SocketAddr, offer: Offer, lent: Arc<watch::Sender<Lent>>) {
    let is_lent = |is_lent| {
        lent.send_modify(|lent| {
            _ = if is_lent { lent.addresses.insert(address) } else { lent.addresses.remove(&address) }
        });
    };
    hand_over(&offer, is_lent).await;
    lent.send_modify(|lent| lent.is_taken = true);
}

/// Hands one address over to one process after another, until one of them serves. `is_lent` is told when one has the
/// address, and when that one has ended.
pub(crate) async fn hand_over(offer: &Offer, is_lent: impl Fn(bool)) {
    let Ok(listener) = offer.listener().and_then(UnixListener::from_std) else { return pending().await };
    loop {
        let Ok((mut successor, _)) = listener.accept().await else { return pending().await };
        let sent = successor.async_io(Interest::WRITABLE, || offer.hand_over(&successor));
        if !timeout(SEND_PATIENCE, sent).await.is_ok_and(|sent| sent.is_ok()) {
            continue;
        }
        is_lent(true);
        // The end of the stream is the end of that process.
        if successor.read_u8().await.is_ok() {
            return;
        }
        is_lent(false);
    }
}

/// How long a successor may take to read what it is sent.
const SEND_PATIENCE: Duration = Duration::from_secs(1);
