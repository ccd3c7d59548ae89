//! The story of a request.
//!
//! ```text
//! read_head → authorize → screen → route → admit → pick → connect → forward → respond → relay → finish
//! ```
//!
//! [`serve_request`] begins a [`Request`], tells the steps in the order in which they happen, and always ends in
//! `finish`: the one place where a status is logged and counted. A step that ends the story early says so with a
//! [`Stop`]. Nothing else decides the order.

mod abort;
mod admit;
mod attempt;
mod authorize;
mod body;
mod compress;
mod connect;
mod failure;
mod finish;
mod forward;
mod forwarded;
mod grpc;
mod pick;
mod read_head;
mod relay;
mod reply;
mod request;
mod respond;
mod route;
mod screen;
mod tunnel;
mod via;
mod websocket;

use model::Failure;
use net::{Buffer, Sys};

use crate::connection::Client;
use crate::stream::Stream;
use request::Request;

pub(crate) use request::HeadPool;

/// What becomes of the client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It waits for another request.
    Idle,
    Close,
}

/// An early end of the story.
#[derive(Clone, Copy, Debug)]
enum Stop {
    /// A ready reply: redirect or fixed response of this rule.
    Reply {
        rule: usize,
    },
    Failed(Failed),
}

/// A failure, and what exactly it was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    pub(crate) detail: &'static str,
}

/// Serves what the client has sent, pipelined requests in their order, until the connection is idle again or ends.
pub(crate) async fn serve_requests<S: Sys>(client: &mut Client<S>, mut input: Buffer) -> Next {
    loop {
        match serve_request(client, &mut input).await {
            Next::Idle if !input.is_empty() => {}
            next => return next,
        }
    }
}

/// One request, from its first byte to its access record.
async fn serve_request<S: Sys>(client: &mut Client<S>, input: &mut Buffer) -> Next {
    client.requests = client.requests.saturating_add(1);
    let client = &*client;
    let cut_off = CutOff(&client.stream);
    let mut request = Request::begin(client);
    let stop = answer(&mut request, client, input).await.err();
    let next = finish::finish(&mut request, client, input, stop).await;
    std::mem::forget(cut_off);
    next
}

/// Resets the connection of a request that is dropped before its end, by the deadline of a stop or a panic: what the
/// client has got so far must not look like the whole.
struct CutOff<'a, S: Sys>(&'a Stream<S>);

impl<S: Sys> Drop for CutOff<'_, S> {
    fn drop(&mut self) {
        self.0.abort_on_close();
    }
}

/// The steps. `Ok`: the target's response has gone to the client.
async fn answer<S: Sys>(
    request: &mut Request<S>,
    client: &Client<S>,
    input: &mut Buffer,
) -> Result<(), Stop> {
    if !read_head::read_head(request, client, input).await? {
        return Ok(());
    }
    let authorized = authorize::authorize(request, client)?;
    let screened = screen::screen(request, authorized)?;
    let rule = route::route(request, screened)?;
    let permitted = screen::permit(request, rule)?;
    if reply::is_ready(request, permitted)? {
        return Err(Stop::Reply { rule });
    }
    let admitted = admit::admit(request, permitted)?;
    Ok(attempt::forward_and_respond(request, client, input, &admitted).await?)
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self { failure, detail: "" }
    }
}

impl From<Failed> for Stop {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure.into())
    }
}
