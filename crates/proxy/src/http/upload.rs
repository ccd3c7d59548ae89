//! The request's body on its way to a target.

use net::{Buffer, Sys};
use proto::http1::BodyLength;

use super::exchange::Exchange;
use super::failure;
use super::state::RequestBody;
use crate::decide::Forward;
use crate::failed::Failed;
use crate::relay::{BodyReader, BodyWriter};
use crate::snapshot::ListenerPlan;

/// What of the request's body has arrived.
pub(super) struct Upload<'a> {
    pub(super) reader: BodyReader<'a>,
    pub(super) writer: BodyWriter,
    /// Data that came with the head; kept while it may have to be sent again.
    pub(super) first: Buffer,
    /// Some of the body came with the head, so the client does not wait for a 100 (Continue).
    pub(super) is_begun: bool,
    /// What else has arrived.
    pub(super) input: &'a mut Buffer,
}

impl<'a> Upload<'a> {
    /// Takes the data that came with the head.
    pub(super) fn begin<'c: 'a, S: Sys>(
        exchange: &mut Exchange<'c, S>,
        input: &'a mut Buffer,
        forward: &Forward,
        plan: &'a ListenerPlan,
    ) -> Result<Self, Failed> {
        let mut reader = BodyReader::of_request(forward.body, forward.body_bytes_max, &exchange.meter.up);
        reader.edit_trailers(&plan.rules[forward.rule].request_fields);
        reader.withhold_trailers(&plan.condition_fields);
        if forward.drops_trailers {
            reader.drop_trailers();
        }
        exchange.body = RequestBody::Begun;
        if exchange.arrival.is_http2 && !reader.is_complete() {
            exchange.client.stream.fill_now(input);
        }
        let is_begun = !reader.is_complete() && !input.is_empty();
        let limits = &exchange.listener.plan.http.limits;
        let first = reader.take(input, limits).map_err(failure::on_request_body)?;
        let is_chunked = forward.body == BodyLength::Chunked;
        let writer = if is_chunked { BodyWriter::Chunked } else { BodyWriter::Plain };
        Ok(Self { reader, writer, first, is_begun, input })
    }

    /// All of the body has arrived.
    pub(super) fn is_whole(&self) -> bool {
        self.reader.is_complete()
    }

    /// No data but `first` has gone to a target, so the body can be sent again.
    pub(super) fn is_kept(&self) -> bool {
        self.reader.bytes() == self.first.len() as u64
    }
}
