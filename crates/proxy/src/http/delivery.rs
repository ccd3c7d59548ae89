//! A final response on its way to the client.

use net::{Buffer, Sys};
use proto::compression::HeadEdits;
use proto::http1::ResponseBody;

use super::at_target::Attempt;
use crate::compose::Shape;
use crate::relay::BodyWriter;

/// What is delivered, and how it is changed on its way.
pub(super) struct Delivery<'a, 'b, 'c, S: Sys> {
    pub(super) attempt: &'a mut Attempt<'b, 'c, S>,
    pub(super) body: ResponseBody,
    pub(super) writer: BodyWriter,
    pub(super) edits: HeadEdits,
}

impl<S: Sys> Delivery<'_, '_, '_, S> {
    pub(super) fn write_head(&self, input: &Buffer, out: &mut Vec<u8>) {
        let exchange = &*self.attempt.exchange;
        let shape = Shape { body: self.body, writer: self.writer, edits: &self.edits };
        let composer = exchange.composer_of_target(self.attempt.to.rule);
        composer.write_relayed(exchange.response_text(input), shape, out);
    }
}
