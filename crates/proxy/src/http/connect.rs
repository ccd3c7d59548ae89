//! Opens a connection to a target: an idle one where one is good, else a new one.

use std::rc::Rc;

use net::{Sys, TcpStream};

use super::failure;
use super::request::Request;
use crate::pool::{LocalTarget, TargetConnection};
use crate::stream::Stream;
use model::Failure;

/// An attempt in flight at a target.
pub(super) struct InFlight<S: Sys>(Rc<LocalTarget<S>>);

impl<S: Sys> InFlight<S> {
    pub(super) fn begin(target: &Rc<LocalTarget<S>>) -> Self {
        target.live.begin_request();
        let cells = target.cells();
        cells.requests.increment();
        cells.requests_in_flight.increment();
        Self(Rc::clone(target))
    }
}

impl<S: Sys> Drop for InFlight<S> {
    fn drop(&mut self) {
        self.0.live.end_request();
        self.0.cells().requests_in_flight.decrement();
    }
}

/// A new connection may still be in the making: the first write waits for it. `fresh`: no idle one is taken.
/// `is_whole`: all of the request is here, so that it could be sent twice.
pub(super) fn connect<S: Sys>(
    request: &Request<S>,
    target: &Rc<LocalTarget<S>>,
    fresh: bool,
    is_whole: bool,
) -> Result<TargetConnection<S>, Failure> {
    let proxy = &request.proxy;
    let may_repeat = request.head().method().is_idempotent() && is_whole;
    while !fresh && let Some(connection) = target.reuse(proxy.now_millis()) {
        // What cannot be repeated is worth a question to the kernel: has the target closed just now?
        if may_repeat || connection.stream.check_open() {
            target.cells().connections_reused.increment();
            return Ok(connection);
        }
        connection
            .reused_after_millis
            .into_iter()
            .for_each(|idle| target.learn_closed(idle, proxy.now_millis()));
    }
    let address = target.live.key().address;
    let stream = TcpStream::connect(&proxy.worker, address).map_err(|error| failure::on_connect(&error))?;
    // Without it the connection serves as well; only a target that vanishes is found out later.
    let _ = stream.set_keepalive(target.tcp_keepalive());
    Ok(target.opened(Stream::plain(stream)))
}
