//! Message bodies: how they are read from one side and framed for the other (RFC 9112 §6, §7). Does no I/O.

use std::borrow::Cow;
use std::cell::Cell;

use model::{FieldEdits, HttpLimits};
use net::Buffer;
use proto::http1::{BodyLength, Chunks, ResponseBody, encode, token};

use super::meter;

/// Reads a body out of the bytes that have arrived.
#[derive(Debug)]
pub(crate) struct BodyReader<'m> {
    reading: Reading,
    /// Bytes of the body so far, without its framing: a count of the exchange's meter.
    bytes: &'m Cell<u64>,
    bytes_max: Option<u64>,
    drops_trailers: bool,
    /// The edits of the head, if there are any.
    edits: Option<&'m FieldEdits>,
    /// Other names that do not trail.
    withheld: &'m [String],
}

#[derive(Debug)]
enum Reading {
    Complete,
    /// The number of bytes still to come; never 0.
    Length(u64),
    Chunked(Chunks),
    UntilClose,
}

/// Why a body cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFault {
    Malformed(&'static str),
    TooLarge,
    NoMemory,
}

/// How a body is framed for its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyWriter {
    /// As it is: its length was sent in the head, or the end of the connection ends it.
    Plain,
    Chunked,
}

impl<'m> BodyReader<'m> {
    /// Counts into `bytes`, which must be 0.
    pub(crate) fn of_request(body: BodyLength, bytes_max: Option<u64>, bytes: &'m Cell<u64>) -> Self {
        let reading = match body {
            BodyLength::None | BodyLength::Length(0) => Reading::Complete,
            BodyLength::Length(length) => Reading::Length(length),
            BodyLength::Chunked => Reading::Chunked(Chunks::new()),
        };
        Self { reading, bytes, bytes_max, drops_trailers: false, edits: None, withheld: &[] }
    }

    /// Counts into `bytes`, which must be 0.
    pub(crate) fn of_response(body: ResponseBody, bytes: &'m Cell<u64>) -> Self {
        let reading = match body {
            ResponseBody::None | ResponseBody::Length(0) => Reading::Complete,
            ResponseBody::Length(length) => Reading::Length(length),
            ResponseBody::Chunked => Reading::Chunked(Chunks::new()),
            ResponseBody::UntilClose => Reading::UntilClose,
        };
        Self { reading, bytes, bytes_max: None, drops_trailers: false, edits: None, withheld: &[] }
    }

    /// Counts into `bytes` from here on: the rest of the body goes elsewhere.
    pub(crate) fn count_into(&mut self, bytes: &'m Cell<u64>) {
        self.bytes = bytes;
    }

    /// Bytes of the body so far, without its framing.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    pub(crate) fn is_complete(&self) -> bool {
        match &self.reading {
            Reading::Complete => true,
            Reading::Chunked(chunks) => chunks.is_complete(),
            Reading::Length(_) | Reading::UntilClose => false,
        }
    }

    /// The number of bytes still to come, if they come without framing between them.
    pub(crate) fn plain_left(&self) -> Option<u64> {
        match self.reading {
            Reading::Length(left) => Some(left),
            Reading::Complete | Reading::Chunked(_) | Reading::UntilClose => None,
        }
    }

    /// Trailers are read and not passed on.
    pub(crate) fn drop_trailers(&mut self) {
        self.drops_trailers = true;
    }

    /// Names that these edits set or remove do not trail. A receiver that merges trailers into the head would otherwise take
    /// the sender's field for the one that the operator replaced.
    pub(crate) fn edit_trailers(&mut self, edits: &'m FieldEdits) {
        self.edits = Some(edits).filter(|edits| !edits.is_empty());
    }

    /// These names do not trail either: conditions were asked about them, and saw the head only.
    pub(crate) fn withhold_trailers(&mut self, names: &'m [String]) {
        self.withheld = names;
    }

    /// Trailer lines of a complete chunked body.
    pub(crate) fn trailers(&self) -> Cow<'_, [u8]> {
        match &self.reading {
            Reading::Chunked(chunks) if !self.drops_trailers => {
                let lines = chunks.trailers();
                if self.edits.is_none() && self.withheld.is_empty() {
                    return lines.into();
                }
                self.trailing(lines).into()
            }
            _ => (&[][..]).into(),
        }
    }

    /// The lines whose names may trail. `_` counts as `-`, since it does for many receivers.
    fn trailing(&self, lines: &[u8]) -> Vec<u8> {
        let mut kept = Vec::new();
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
            let is_same = |other: &[u8]| token::is_same_variable(other, name);
            let is_edited = self.edits.is_some_and(|edits| edits.replaces(is_same));
            if !is_edited && !self.withheld.iter().any(|other| is_same(other.as_bytes())) {
                kept.extend_from_slice(line);
            }
        }
        kept
    }

    /// Takes the data of the body out of `input`; what belongs to the next message stays there.
    pub(crate) fn take(&mut self, input: &mut Buffer, limits: &HttpLimits) -> Result<Buffer, BodyFault> {
        let data = match &mut self.reading {
            Reading::Complete => Buffer::new(),
            Reading::UntilClose => std::mem::take(input),
            Reading::Length(left) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                input.split_to(take).map_err(|_| BodyFault::NoMemory)?
            }
            Reading::Chunked(chunks) => {
                let malformed = |error: proto::http1::ChunkError| BodyFault::Malformed(error.detail);
                let decoded = chunks.decode(input.bytes_mut(), limits).map_err(malformed)?;
                let mut data = input.split_to(decoded.consumed).map_err(|_| BodyFault::NoMemory)?;
                data.truncate(decoded.data);
                data
            }
        };
        self.advance(data.len() as u64)?;
        Ok(data)
    }

    /// Counts bytes that were moved without being read here.
    pub(crate) fn advance(&mut self, count: u64) -> Result<(), BodyFault> {
        meter::add(self.bytes, count);
        if self.bytes_max.is_some_and(|max| self.bytes.get() > max) {
            return Err(BodyFault::TooLarge);
        }
        if let Reading::Length(left) = &mut self.reading {
            *left -= count.min(*left);
            if *left == 0 {
                self.reading = Reading::Complete;
            }
        }
        Ok(())
    }

    /// The sender closed; returns whether that ends the body.
    pub(crate) fn end_of_stream(&mut self) -> bool {
        if matches!(self.reading, Reading::UntilClose) {
            self.reading = Reading::Complete;
        }
        self.is_complete()
    }
}

impl BodyWriter {
    /// Frames `data`: what goes before it is appended to `head`. What follows it is appended to `data` if its buffer has
    /// space, else it is returned. `reader` knows whether this was the last of the body.
    pub(crate) fn frame(self, data: &mut Buffer, reader: &BodyReader<'_>, head: &mut Vec<u8>) -> Vec<u8> {
        if self == Self::Plain {
            return Vec::new();
        }
        let trailers = reader.is_complete().then(|| reader.trailers());
        write_chunk(data, trailers.as_deref(), head)
    }
}

/// Frames `data` as a chunk, as [`BodyWriter::frame`] does. With `trailers`, which may be empty, the body ends.
pub(crate) fn write_chunk(data: &mut Buffer, trailers: Option<&[u8]>, head: &mut Vec<u8>) -> Vec<u8> {
    let mut behind = Vec::new();
    if !data.is_empty() {
        encode::write_chunk_head(head, data.len() as u64);
        behind.extend_from_slice(b"\r\n");
    }
    if let Some(trailers) = trailers {
        encode::write_last_chunk(&mut behind, trailers);
    }
    if data.is_empty() {
        head.append(&mut behind);
    } else if data.extend(&behind).is_ok() {
        behind.clear();
    }
    behind
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(bytes: &[u8]) -> Buffer {
        let mut buffer = Buffer::new();
        buffer.extend(bytes).unwrap();
        buffer
    }

    #[test]
    fn a_body_of_known_length_leaves_the_next_message_alone() {
        let count = Cell::new(0);
        let mut reader = BodyReader::of_request(BodyLength::Length(4), None, &count);
        let mut input = buffer(b"bodyGET / ");
        let data = reader.take(&mut input, &HttpLimits::default()).unwrap();
        assert_eq!((data.bytes(), input.bytes(), reader.is_complete()), (&b"body"[..], &b"GET / "[..], true));
    }

    #[test]
    fn chunks_are_taken_apart_and_put_together() {
        let count = Cell::new(0);
        let mut reader = BodyReader::of_request(BodyLength::Chunked, None, &count);
        let mut input = buffer(b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nA: b\r\n\r\nnext");
        let mut data = reader.take(&mut input, &HttpLimits::default()).unwrap();
        assert_eq!((data.bytes(), input.bytes(), count.get()), (&b"abcde"[..], &b"next"[..], 5));
        let mut head = Vec::new();
        let behind = BodyWriter::Chunked.frame(&mut data, &reader, &mut head);
        let sent = [&head, data.bytes(), &behind].concat();
        assert_eq!(sent, b"5\r\nabcde\r\n0\r\nA: b\r\n\r\n");
    }

    #[test]
    fn names_that_are_edited_do_not_trail() {
        let edits = FieldEdits {
            set: vec![("X-Tenant".into(), "shop".into())],
            add: vec![("X-Sum".into(), "2".into())],
            remove: vec!["True-Client-IP".into()],
        };
        for (sent, kept) in [
            ("X-Tenant: evil\r\n", ""),
            ("x_tenant: evil\r\nX-Sum: 1\r\n", "X-Sum: 1\r\n"),
            ("A: b\r\ntrue_client-IP:1\r\nTrue-Client-IPs: x:y\r\n", "A: b\r\nTrue-Client-IPs: x:y\r\n"),
            ("", ""),
        ] {
            let count = Cell::new(0);
            let mut reader = BodyReader::of_request(BodyLength::Chunked, None, &count);
            reader.edit_trailers(&edits);
            let mut input = buffer(format!("0\r\n{sent}\r\n").as_bytes());
            reader.take(&mut input, &HttpLimits::default()).unwrap();
            assert_eq!(&*reader.trailers(), kept.as_bytes(), "{sent}");
            reader.drop_trailers();
            assert!(reader.trailers().is_empty());
        }
    }

    #[test]
    fn a_chunk_that_fills_its_buffer_is_framed_all_the_same() {
        let count = Cell::new(0);
        let mut reader = BodyReader::of_response(ResponseBody::UntilClose, &count);
        let mut input = buffer(&vec![b'x'; net::LARGE]);
        let mut data = reader.take(&mut input, &HttpLimits::default()).unwrap();
        let mut head = Vec::new();
        let behind = BodyWriter::Chunked.frame(&mut data, &reader, &mut head);
        assert_eq!(
            (head.as_slice(), data.len(), behind.as_slice()),
            (&b"10000\r\n"[..], net::LARGE, &b"\r\n"[..])
        );
        assert!(reader.end_of_stream());
        assert!(BodyWriter::Chunked.frame(&mut Buffer::new(), &reader, &mut head).is_empty());
        assert_eq!(head, b"10000\r\n0\r\n\r\n");
    }

    #[test]
    fn a_body_is_counted_against_its_limit() {
        let count = Cell::new(0);
        let mut reader = BodyReader::of_request(BodyLength::Chunked, Some(4), &count);
        let result = reader.take(&mut buffer(b"5\r\nabcde\r\n"), &HttpLimits::default());
        assert_eq!(result.map(|data| data.len()), Err(BodyFault::TooLarge));
    }

    #[test]
    fn the_end_of_the_stream_ends_only_what_nothing_else_ends() {
        for (body, ends) in [
            (ResponseBody::UntilClose, true),
            (ResponseBody::Length(1), false),
            (ResponseBody::Chunked, false),
            (ResponseBody::None, true),
        ] {
            assert_eq!(BodyReader::of_response(body, &Cell::new(0)).end_of_stream(), ends, "{body:?}");
        }
    }
}
