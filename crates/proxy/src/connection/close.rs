//! The end of a client's connection, in stages (RFC 9112 §9.6).
//!
//! A socket that is closed while bytes of the peer are unread, or on their way, resets the connection. The reset destroys
//! what the peer has not read yet: the tail of the last response, an error reply, a GOAWAY, an alert. So the close waits
//! until that has arrived. [`close`] stands at the end of every connection, whatever ended it.

use std::pin::{Pin, pin};
use std::time::Duration;

use model::Limits;
use net::{Buffer, LARGE, Sys, TcpStream};

use super::client::Client;
use crate::relay::Pace;
use crate::stream::Wire;

/// What the client may still send when its connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nothing: it has said that its request was the last one, or it was idle.
    Nothing,
    /// The rest of a body, or another request.
    More,
}

/// Closes the connection of `client`, at once if that cannot destroy what the client has not read. `Some`: the close in
/// stages that is needed instead. It is boxed, so that an idle connection does not reserve space for its state.
pub(super) fn close<S: Sys>(client: Box<Client<S>>, expected: Expected) -> Option<Closing> {
    let at_once = may_close_at_once(&client, expected);
    (!at_once).then(|| Box::pin(async move { close_in_stages(&client, expected).await }) as Closing)
}

pub(super) type Closing = Pin<Box<dyn Future<Output = ()>>>;

/// Whether all that was sent has arrived, and nothing of the client is unread or expected.
fn may_close_at_once<S: Sys>(client: &Client<S>, expected: Expected) -> bool {
    let Some(wire) = client.stream.wire() else { return true };
    let socket = wire.socket();
    if socket.is_gone() {
        return true;
    }
    // After a FIN no byte of the client can come that would cause a reset; those before it may still be unread.
    let is_silent = || {
        socket.is_read_closed()
            || (expected == Expected::Nothing && socket.unacknowledged().is_ok_and(|bytes| bytes == 0))
    };
    is_drained(socket) && is_silent() && wire.says_goodbye()
}

/// Whether the socket holds nothing unread. Asks the kernel: an idle flag only tells what was read last.
fn is_drained<S: Sys>(socket: &TcpStream<S>) -> bool {
    matches!(socket.try_fill(&mut Buffer::new(), net::SMALL), None | Some(Ok(0)))
}

/// Closes in stages. An accept that waits for the permit has no other connection closed for it, unless this takes long.
pub(crate) async fn close_in_stages<S: Sys>(client: &Client<S>, expected: Expected) {
    client.permit().begin_close();
    let mut stages = pin!(run_stages(client, expected));
    tokio::select! {
        biased;
        () = &mut stages => return,
        () = client.proxy.worker.sleep(SOON) => client.permit().close_is_late(),
    }
    stages.await;
}

/// Ends our direction, and reads what the client still sends, until it has ended its own or has got all that was sent.
///
/// The socket is read below TLS: the bytes are dropped unseen, and a record that stays in the kernel is unread as well.
async fn run_stages<S: Sys>(client: &Client<S>, expected: Expected) {
    let Some(wire) = client.stream.wire() else { return };
    let (socket, worker) = (wire.socket(), &client.proxy.worker);
    let (send_timeout, pace) = {
        let edge = client.bound.listener.borrow().plan.edge;
        (edge.send_timeout, Pace::new(edge.min_rate))
    };
    socket.set_write_deadline(worker.after(send_timeout));
    if finish(wire).await.is_err() {
        return;
    }
    let unacknowledged = socket.unacknowledged().unwrap_or(0);
    let patience = pace.patience(usize::try_from(unacknowledged).unwrap_or(usize::MAX));
    let mut stages = Stages::new(client.proxy.now_millis(), send_timeout, patience, expected);
    let mut input = Buffer::new();
    while let Ok(unacknowledged) = socket.unacknowledged() {
        let Some(pause) = stages.next(client.proxy.now_millis(), unacknowledged) else { return };
        if stages.is_sated() {
            // limit: it sends without end. What it sends from here on stays in the kernel.
            tokio::select! {
                biased;
                () = socket.gone() => return,
                () = worker.sleep(pause) => continue,
            }
        }
        socket.set_read_deadline(worker.after(pause));
        match socket.fill(&mut input, LARGE).await {
            Ok(0) => return,
            Ok(count) => {
                stages.discarded(count);
                input.consume(count);
            }
            Err(error) if crate::io_error::is_deadline(&error) => {}
            Err(_) => return,
        }
    }
}

async fn finish<S: Sys>(wire: &Wire<S>) -> std::io::Result<()> {
    std::future::poll_fn(|context| wire.poll_finish(context)).await
}

/// Decides how long a close waits.
#[derive(Debug)]
struct Stages {
    /// A client that takes nothing for so long has stopped reading.
    send_timeout: Duration,
    /// When a client ends that takes something now and then, but too slowly, in milliseconds.
    until_millis: u64,
    expected: Expected,
    /// When the client last took something, in milliseconds.
    moved_millis: u64,
    /// The least that has been unacknowledged so far.
    unacknowledged: u64,
    pause: Duration,
    /// Bytes of the client that may still be read and dropped.
    left: u64,
}

impl Stages {
    /// `patience`: for all that is unacknowledged now.
    fn new(now_millis: u64, send_timeout: Duration, patience: Option<Duration>, expected: Expected) -> Self {
        let patience_millis =
            patience.map_or(u64::MAX, |patience| u64::try_from(patience.as_millis()).unwrap_or(u64::MAX));
        Self {
            send_timeout,
            until_millis: now_millis.saturating_add(patience_millis),
            expected,
            moved_millis: now_millis,
            unacknowledged: u64::MAX,
            pause: PAUSE_MIN,
            left: Limits::LINGER_BYTES_MAX,
        }
    }

    fn discarded(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count as u64);
        self.expected = Expected::More;
    }

    /// Whether no more bytes of the client are to be read.
    fn is_sated(&self) -> bool {
        self.left == 0
    }

    /// How long to wait for bytes or the end of the client before the next look; `None`: the socket may be closed.
    fn next(&mut self, now_millis: u64, unacknowledged: u64) -> Option<Duration> {
        if unacknowledged < self.unacknowledged {
            (self.unacknowledged, self.moved_millis) = (unacknowledged, now_millis);
        }
        // A client that may go on sending gets a little time to read what has arrived: some systems discard what they have
        // received, but not delivered, when a reset comes.
        let patience = match (self.unacknowledged, self.expected) {
            (0, Expected::Nothing) => Duration::ZERO,
            (0, Expected::More) => Duration::from_millis(Limits::LINGER_MILLISECONDS),
            _ => self.send_timeout,
        };
        let waited = Duration::from_millis(now_millis.saturating_sub(self.moved_millis));
        let left = patience.checked_sub(waited).filter(|left| !left.is_zero())?;
        let left = left.min(Duration::from_millis(self.until_millis.saturating_sub(now_millis)));
        if left.is_zero() {
            return None;
        }
        let pause = self.pause;
        self.pause = (2 * pause).min(PAUSE_MAX);
        Some(pause.min(left))
    }
}

/// How long a close may take until the permit is no longer waited for. More than one look at the kernel.
const SOON: Duration = Duration::from_millis(500);
/// The kernel does not tell when the last byte is acknowledged, so it is asked, at first after this long …
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// … and then at ever longer intervals, up to this.
const PAUSE_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const SEND_TIMEOUT: Duration = Duration::from_secs(60);

    /// When a client that takes what `takes` says (of so many bytes, at a millisecond) is closed.
    fn closed_after(expected: Expected, takes: impl Fn(u64) -> u64) -> u64 {
        let mut stages = Stages::new(0, SEND_TIMEOUT, Some(Duration::from_secs(400)), expected);
        let mut now = 0;
        while let Some(pause) = stages.next(now, takes(now)) {
            assert!(pause <= PAUSE_MAX && !pause.is_zero());
            now += u64::try_from(pause.as_millis()).unwrap();
        }
        now
    }

    #[test]
    fn a_client_that_takes_anything_is_waited_for() {
        let slow = closed_after(Expected::Nothing, |now| 3_000_000_u64.saturating_sub(now * 10));
        assert!((300_000..304_000).contains(&slow), "{slow}");
        assert_eq!(closed_after(Expected::Nothing, |now| 3_000_000 - now), 400_000, "it is too slow");
    }

    #[test]
    fn a_client_that_takes_nothing_is_closed_after_the_send_timeout() {
        assert_eq!(closed_after(Expected::Nothing, |_| 5), 60_000);
        let takes = |now| if now < 10_000 { 20_000 - now } else { 10_000 };
        let stops = closed_after(Expected::More, takes);
        assert!((70_000..72_000).contains(&stops), "{stops}");
    }

    #[test]
    fn a_client_that_has_got_all_may_have_a_short_time_to_close() {
        assert_eq!(closed_after(Expected::More, |_| 0), Limits::LINGER_MILLISECONDS);
        assert_eq!(closed_after(Expected::Nothing, |_| 0), 0);
        let later = closed_after(Expected::More, |now| u64::from(now < 5_000));
        assert!((7_000..8_100).contains(&later), "{later}");
    }

    #[test]
    fn what_is_read_and_dropped_is_limited() {
        let mut stages = Stages::new(0, SEND_TIMEOUT, None, Expected::Nothing);
        let half = usize::try_from(Limits::LINGER_BYTES_MAX / 2).unwrap();
        stages.discarded(half);
        assert!(!stages.is_sated());
        stages.discarded(half + LARGE);
        assert!(stages.is_sated());
        assert!(stages.next(0, 0).is_some(), "it sends after all");
    }
}
