//! The transfer of one attempt: the response comes while the rest of the body goes, and a client that goes away is
//! noticed. What an event means is decided by [`Stage`].

use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use model::{HttpSettings, MinRate, TargetProtocol};
use net::Sys;

use super::abort::{ClientWatch, after_abandonment, has_patience};
use super::at_target::{Attempt, Ended};
use super::failure::on_upload;
use super::progress::{Event, Progress, Stage};
use super::respond;
use super::upload::Upload;
use crate::compose::grpc;
use crate::failed::Failed;
use crate::head::RequestText;
use crate::io_error;
use crate::relay::{Flow, FlowError, Pace};

/// Runs both sides until the target's has ended, or the client's has failed.
pub(super) async fn transfer<S: Sys>(
    attempt: &mut Attempt<'_, '_, S>,
    upload: &mut Upload<'_>,
) -> Result<Ended, Failed> {
    let Attempt { exchange, to, .. } = &*attempt;
    let (listener, client, target) = (Rc::clone(&exchange.listener), exchange.client, attempt.end());
    let (http, group) = (&listener.plan.http, &to.group.plan.group);
    let expects_continue = exchange.heads.request.expect_continue();
    let first = Stage::at_first(upload.is_whole(), expects_continue && !upload.is_begun);
    let progress = Progress::new(first, group.timeouts, min_rate(http, exchange.request(), group.protocol));
    let (watch, has_patience) = (ClientWatch::new(exchange), has_patience(client, group.protocol));
    let mut client_side = pin!(async {
        if progress.stage() == Stage::Awaiting {
            client.end().read_without_timeout();
            // It has a deadline once the client got the 100. Any other error shows again when the body is read.
            if let Err(error) = client.stream.readable().await
                && io_error::is_deadline(&error)
            {
                on_upload(FlowError::Read(error)).map_or(Ok(()), Err)?;
            }
            progress.on(Event::ClientSends, target);
        }
        if progress.stage() == Stage::Uploading {
            let flow = Flow {
                from: client.end(),
                to: target,
                input: &mut *upload.input,
                reader: &mut upload.reader,
                writer: upload.writer,
                limits: &http.limits,
                read_timeout: http.body_timeout,
                write_timeout: group.timeouts.idle,
                read_pace: &progress.pace,
                write_pace: &Pace::free(),
                descriptors: client.proxy.live.descriptors(),
            };
            let ended = flow.run().await.map(|()| Event::UploadEnds);
            let event = ended.or_else(|error| on_upload(error).map_or(Ok(Event::UploadRefused), Err))?;
            progress.on(event, target);
        }
        if watch.is_ignored() {
            return pending().await;
        }
        Err::<Infallible, _>(poll_fn(|context| watch.poll(context, upload.input)).await)
    });
    let mut target_side = pin!(respond::respond(attempt, &progress));
    let mut gone = None;
    poll_fn(|context| {
        if let Poll::Ready(ended) = target_side.as_mut().poll(context) {
            return Poll::Ready(match gone {
                Some(failed) => after_abandonment(&ended, failed),
                None => ended,
            });
        }
        if gone.is_some() {
            return Poll::Pending;
        }
        // Asked here, whatever the upload waits for: it is the same task that would read from the client.
        if !progress.is_uploaded() && client.stream.poll_gone(context).is_ready() {
            return Poll::Ready(Err(watch.failed()));
        }
        let Poll::Ready(Err(failed)) = client_side.as_mut().poll(context) else { return Poll::Pending };
        if !progress.on(Event::ClientGone { has_patience }, target) {
            return Poll::Ready(Err(failed));
        }
        gone = Some(failed);
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// For the body. A stream of gRPC messages may come as slowly as it likes, since it often has no response before its end; only
/// towards groups that gRPC can reach, so that no client of another one can claim it.
fn min_rate(http: &HttpSettings, request: RequestText<'_>, protocol: TargetProtocol) -> Option<MinRate> {
    http.min_rate.filter(|_| !(protocol.is_http2() && grpc::is_request(request)))
}
