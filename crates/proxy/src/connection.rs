//! A client's connection: accepted, idle, in use, closed.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use net::{Accepted, Buffer, Listener, SMALL, Sys, TcpStream};
use observe::{ListenerCells, PerWorker};

use crate::http::{self, Next};
use crate::local::Door;
use crate::peer;
use crate::proxy_header::{self, PassedOn};
use crate::watch::Watch;
use crate::worker::Proxy;

/// A client's connection and where it came in.
pub(crate) struct Client<S: Sys> {
    pub(crate) proxy: Rc<Proxy<S>>,
    pub(crate) door: Rc<Door<S>>,
    pub(crate) stream: TcpStream<S>,
    /// Who connected, or in whose name by a PROXY header.
    pub(crate) peer: SocketAddr,
    pub(crate) passed_on: Option<Box<PassedOn>>,
    /// Of the listener that accepted the connection, which a reload may replace.
    cells: Arc<PerWorker<ListenerCells>>,
    /// Requests so far.
    pub(crate) requests: u32,
}

impl<S: Sys> Client<S> {
    pub(crate) fn cells(&self) -> &ListenerCells {
        self.cells.of(self.proxy.number)
    }

    /// The other end of the socket.
    pub(crate) fn connected(&self) -> SocketAddr {
        self.passed_on.as_ref().map_or(self.peer, |passed_on| passed_on.by)
    }

    /// The port at which the client arrived.
    pub(crate) fn port(&self) -> u16 {
        self.passed_on.as_ref().map_or(self.door.address.port(), |passed_on| passed_on.destination.port())
    }
}

/// Accepts until the door closes, and then what waits already.
pub(crate) async fn accept<S: Sys>(proxy: Rc<Proxy<S>>, door: Rc<Door<S>>, listener: Rc<Listener<S>>) {
    let watch = door.watchers.watch();
    while let Some(accepted) = next(&door, &watch, &listener).await {
        match accepted {
            Ok(accepted) => admit(&proxy, &door, accepted),
            Err(error) => failed(&proxy, &error).await,
        }
    }
    // invariant: whoever the kernel has already connected is served.
    while let Some(accepted) = listener.try_accept() {
        match accepted {
            Ok(accepted) => admit(&proxy, &door, accepted),
            Err(error) if is_passing(&error) => {}
            Err(_) => break,
        }
    }
}

/// `None`: the door closes.
async fn next<S: Sys>(
    door: &Door<S>,
    watch: &Watch<'_>,
    listener: &Listener<S>,
) -> Option<io::Result<Accepted<S>>> {
    let mut accept = pin!(listener.accept());
    poll_fn(|context| {
        if door.poll_closes(context, watch).is_ready() {
            return Poll::Ready(None);
        }
        accept.as_mut().poll(context).map(Some)
    })
    .await
}

fn admit<S: Sys>(proxy: &Rc<Proxy<S>>, door: &Rc<Door<S>>, accepted: Accepted<S>) {
    let cells = proxy.cells();
    cells.connections_accepted.increment();
    if accepted.descriptor >= proxy.descriptors_for_clients {
        // A client that is let in here could not be given a target, and would take the place of one that is served.
        cells.connections_refused.increment();
        return;
    }
    let listener = door.listener.borrow();
    listener.cells().connections_accepted.increment();
    let client = Client {
        proxy: Rc::clone(proxy),
        door: Rc::clone(door),
        stream: accepted.stream,
        peer: accepted.peer,
        passed_on: None,
        cells: Arc::clone(&listener.plan.cells),
        requests: 0,
    };
    proxy.connection_opened();
    listener.cells().connections_open.increment();
    proxy.worker.spawn(serve(client));
}

/// `accept` fails when this process or the machine is out of descriptors or memory: with a rest, what is open goes
/// on, and what waits in the kernel's queue is taken when there is room again.
async fn failed<S: Sys>(proxy: &Proxy<S>, error: &io::Error) {
    proxy.cells().accept_errors.increment();
    if !is_passing(error) {
        observe::event(model::LogLevel::Error, "cannot accept connections", &[("error", error)]);
        proxy.worker.sleep(ACCEPT_REST).await;
    }
}

/// The connection ended while it waited in the queue; the next one is not concerned.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

/// From accept to close. Between requests this future, its socket and nothing else is held.
#[expect(
    clippy::manual_async_fn,
    reason = "the future of an `async fn` would have room for the client twice"
)]
fn serve<S: Sys>(mut client: Client<S>) -> impl Future<Output = ()> {
    async move {
        if proxy_header::is_due(&client) && !serve_passed_on(&mut client).await {
            return;
        }
        while let Some(input) = wait_for_request(&client).await {
            // The future of a request is large and lives on the heap only while there is one.
            match Box::pin(http::serve_requests(&mut client, input)).await {
                Next::Idle => {}
                Next::Close => break,
            }
        }
    }
}

/// Takes the PROXY header, and serves what came with it; `false`: the connection ends.
async fn serve_passed_on<S: Sys>(client: &mut Client<S>) -> bool {
    match Box::pin(proxy_header::read(client)).await {
        None => false,
        Some(input) if input.is_empty() => true,
        Some(input) => Box::pin(http::serve_requests(client, input)).await == Next::Idle,
    }
}

/// Waits for the first byte of a request; `None`: the connection ends instead. The buffer holds what had to be read to
/// know.
async fn wait_for_request<S: Sys>(client: &Client<S>) -> Option<Buffer> {
    let timeout = if client.requests == 0 {
        first_timeout(client)
    } else if client.door.closing.get() {
        return last_request(client);
    } else {
        client.door.listener.borrow().plan.http.keepalive_timeout
    };
    client.stream.set_read_deadline(client.proxy.worker.after(timeout));
    loop {
        match client.stream.idle().await {
            // invariant: only a byte begins a request. A stream counts as readable until a read finds it empty; who
            // says nothing must stay idle, or a stop could not rouse it.
            Ok(()) => {
                let mut input = Buffer::new();
                match client.stream.try_fill(&mut input, SMALL) {
                    None => {}
                    Some(Ok(0)) => return None,
                    Some(Err(error)) if peer::is_dead(&error) => {
                        client.cells.of(client.proxy.number).dead_peers.increment();
                        return None;
                    }
                    // An error shows again where the head is read.
                    Some(_) => return Some(input),
                }
            }
            Err(error) if goes_on(client, &error) => {}
            Err(_) if client.door.closing.get() && client.requests > 0 => return last_request(client),
            Err(_) => return None,
        }
    }
}

/// How long a new connection may say nothing.
pub(crate) fn first_timeout<S: Sys>(client: &Client<S>) -> Duration {
    let timeout = client.door.listener.borrow().plan.http.header_timeout;
    // Who has only just come may have a request on the way.
    if client.door.closing.get() { timeout.min(FIRST_REQUEST_WHEN_CLOSING) } else { timeout }
}

/// Whether a wait that ended with `error` was only roused, because some door closes, and goes on.
pub(crate) fn goes_on<S: Sys>(client: &Client<S>, error: &io::Error) -> bool {
    let is_roused = error.kind() == io::ErrorKind::TimedOut && client.stream.has_read_deadline();
    match (is_roused, client.door.closing.get()) {
        (false, _) => false,
        (true, false) => {
            client.stream.forget_late();
            true
        }
        (true, true) if client.requests == 0 => {
            client.stream.set_read_deadline(client.proxy.worker.after(FIRST_REQUEST_WHEN_CLOSING));
            true
        }
        (true, true) => false,
    }
}

/// A request that came just as the door closed is served; its response says that it is the last.
fn last_request<S: Sys>(client: &Client<S>) -> Option<Buffer> {
    client.stream.forget_late();
    let mut input = Buffer::new();
    match client.stream.try_fill(&mut input, SMALL) {
        Some(Ok(count)) if count > 0 => Some(input),
        _ => None,
    }
}

impl<S: Sys> Drop for Client<S> {
    fn drop(&mut self) {
        self.cells().connections_open.decrement();
        self.proxy.connection_closed();
    }
}

const FIRST_REQUEST_WHEN_CLOSING: Duration = Duration::from_secs(1);
const ACCEPT_REST: Duration = Duration::from_millis(100);
#[cfg(test)]
mod tests {
    use net::Linux;

    fn size_of_future<A, F>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn what_an_idle_connection_holds_is_small() {
        let bytes = size_of_future(super::serve::<Linux>);
        assert!(bytes <= 208, "{bytes}");
    }
}
