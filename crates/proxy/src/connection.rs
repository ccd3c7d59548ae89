//! A client's connection: accepted, idle, in use, closed.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use net::{Accepted, Listener, Sys, TcpStream};

use crate::http::{self, Next};
use crate::local::Door;
use crate::worker::Proxy;

/// A client's connection and where it came in.
pub(crate) struct Client<S: Sys> {
    pub(crate) proxy: Rc<Proxy<S>>,
    pub(crate) door: Rc<Door<S>>,
    pub(crate) stream: TcpStream<S>,
    pub(crate) peer: SocketAddr,
    /// Requests so far.
    pub(crate) requests: u32,
}

/// Accepts until the door closes, and then what waits already.
pub(crate) async fn accept<S: Sys>(proxy: Rc<Proxy<S>>, door: Rc<Door<S>>, listener: Listener<S>) {
    while let Some(accepted) = next(&door, &listener).await {
        match accepted {
            Ok(accepted) => admit(&proxy, &door, accepted),
            Err(error) => failed(&proxy, &error).await,
        }
    }
    // invariant: whoever the kernel has already connected is served.
    while let Some(Ok(accepted)) = listener.try_accept() {
        admit(&proxy, &door, accepted);
    }
}

/// `None`: the door closes.
async fn next<S: Sys>(door: &Door<S>, listener: &Listener<S>) -> Option<io::Result<Accepted<S>>> {
    let mut accept = pin!(listener.accept());
    poll_fn(|context| {
        if door.closing.get() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(accepted) = accept.as_mut().poll(context) {
            return Poll::Ready(Some(accepted));
        }
        let old = door.waiting.borrow_mut().replace(context.waker().clone());
        drop(old);
        Poll::Pending
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
    let passing = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset];
    if !passing.contains(&error.kind()) {
        observe::event(model::LogLevel::Error, "cannot accept connections", &[("error", error)]);
        proxy.worker.sleep(ACCEPT_REST).await;
    }
}

/// From accept to close. Between requests this future, its socket and nothing else is held.
async fn serve<S: Sys>(mut client: Client<S>) {
    while wait_for_request(&client).await {
        // The future of a request is large and lives on the heap only while there is one.
        match Box::pin(http::serve_requests(&mut client)).await {
            Next::Idle => {}
            Next::Close => break,
        }
    }
}

/// Waits for the first byte of a request; false when the connection ends instead.
async fn wait_for_request<S: Sys>(client: &Client<S>) -> bool {
    let timeout = {
        let listener = client.door.listener.borrow();
        let http = &listener.plan.http;
        if client.requests == 0 { http.header_timeout } else { http.keepalive_timeout }
    };
    client.stream.set_read_deadline(client.proxy.worker.after(timeout));
    loop {
        if client.requests > 0 && client.door.closing.get() {
            return false;
        }
        match client.stream.idle().await {
            Ok(()) => return true,
            // Roused because some door closes; if it was another one, the wait goes on.
            Err(error) if error.kind() == io::ErrorKind::TimedOut && client.stream.has_read_deadline() => {
                client.stream.forget_late();
            }
            Err(_) => return false,
        }
    }
}

impl<S: Sys> Drop for Client<S> {
    fn drop(&mut self) {
        self.door.listener.borrow().cells().connections_open.decrement();
        self.proxy.connection_closed();
    }
}

const ACCEPT_REST: Duration = Duration::from_millis(100);
