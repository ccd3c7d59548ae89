//! The binary protocol (`BinaryProtocolRevamped` of memcached's wiki): a header of 24 bytes, extras, key, value.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{Command, Expiry, Form, KEY_BYTES_MAX, Keys, Outcome, Parser, Step, Verb};

/// The magic byte of requests.
pub(super) const REQUEST: u8 = 0x80;

/// A command's number; the quiet ones are noted in [`Form`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opcode(pub u8);

impl Opcode {
    /// Whether its reply has the flags of an item, but not the value.
    pub(super) const fn is_touch(self) -> bool {
        self.0 == op::TOUCH
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Status {
    Ok = 0,
    NotFound = 1,
    Exists = 2,
    TooLarge = 3,
    Invalid = 4,
    NotStored = 5,
    NotANumber = 6,
    AuthError = 0x20,
    Unknown = 0x81,
    OutOfMemory = 0x82,
    Busy = 0x85,
}

struct Header {
    opcode: u8,
    key: usize,
    extras: usize,
    /// Extras, key and value.
    body: usize,
    opaque: [u8; 4],
    version: u64,
}

impl Parser {
    pub(super) fn next_binary(&mut self, input: &mut BytesMut) -> Step {
        self.frame_bytes = 0;
        let Some(first) = input.first_chunk::<HEADER_BYTES>() else { return Step::Wait };
        let Some(header) = Header::read(first) else { return Step::Close(Bytes::new()) };
        let (plain, is_quiet) = plain(header.opcode);
        if header.head_bytes() > HEADER_BYTES + header.body || header.key > KEY_BYTES_MAX {
            return Step::Close(header.refusal(Status::Invalid));
        }
        if header.value() > self.value_bytes_max {
            if !is_store(plain) || header.body > LENGTH_MAX {
                return Step::Close(header.refusal(Status::Invalid));
            }
            if input.len() < header.head_bytes() {
                return Step::Wait;
            }
            return self.drop_value(&header, Status::TooLarge, input);
        }
        if input.len() < HEADER_BYTES + header.body {
            if input.len() >= header.head_bytes() {
                self.frame_bytes = HEADER_BYTES + header.body;
            }
            return Step::Wait;
        }
        let form = Form::Binary {
            opcode: Opcode(header.opcode),
            opaque: header.opaque,
            is_quiet,
            has_key: matches!(plain, op::GETK | op::GATK),
        };
        let frame = input.split_to(HEADER_BYTES + header.body).freeze().slice(HEADER_BYTES..);
        command(plain, &header, &frame, form)
    }

    /// Refuses the frame of which `input` has the head, for want of memory.
    pub(super) fn refuse_frame(&mut self, input: &mut BytesMut) -> Step {
        self.frame_bytes = 0;
        match input.first_chunk().and_then(Header::read) {
            Some(header) if is_store(plain(header.opcode).0) && input.len() >= header.head_bytes() => {
                self.drop_value(&header, Status::OutOfMemory, input)
            }
            Some(header) => Step::Close(header.refusal(Status::OutOfMemory)),
            None => Step::Close(Bytes::new()),
        }
    }

    /// Takes the head of a frame; what follows is dropped as it arrives.
    fn drop_value(&mut self, header: &Header, status: Status, input: &mut BytesMut) -> Step {
        let head = input.split_to(header.head_bytes()).freeze();
        self.swallow = header.value() as u64;
        let (key, reply) = (head.slice(HEADER_BYTES + header.extras..), header.refusal(status));
        if plain(header.opcode).0 == op::SET { Step::Unstored { key, reply } } else { Step::Refuse(reply) }
    }
}

impl Header {
    /// `None`: it is not that of a request.
    fn read(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let mut at = &bytes[..];
        if at.get_u8() != REQUEST {
            return None;
        }
        let (opcode, key, extras) = (at.get_u8(), at.get_u16(), at.get_u8());
        at.advance(3);
        let body = at.get_u32() as usize;
        let opaque = at.get_u32().to_be_bytes();
        let version = at.get_u64();
        Some(Self { opcode, key: key.into(), extras: extras.into(), body, opaque, version })
    }

    /// With extras and key.
    const fn head_bytes(&self) -> usize {
        HEADER_BYTES + self.extras + self.key
    }

    const fn value(&self) -> usize {
        self.body.saturating_sub(self.extras + self.key)
    }

    fn refusal(&self, status: Status) -> Bytes {
        refusal(status, self.opcode, self.opaque)
    }
}

const fn is_store(plain: u8) -> bool {
    matches!(plain, op::SET | op::ADD | op::REPLACE | op::APPEND | op::PREPEND)
}

fn command(plain: u8, header: &Header, frame: &Bytes, form: Form) -> Step {
    let (mut extras, key) = (&frame[..header.extras], frame.slice(header.extras..header.extras + header.key));
    let value = frame.slice(header.extras + header.key..);
    let version = header.version;
    let (has_key, has_value) = (!key.is_empty(), !value.is_empty());
    let shape = (header.extras, has_key, has_value);
    // limit: a delay beyond 31 bits is never.
    let expiry = |seconds: u32| Expiry(i64::from(seconds));
    Step::Do(match (plain, shape) {
        (op::GET | op::GETK, (0, true, false)) => Command::Get { keys: Keys::One(key), touch: None, form },
        // A touch is answered as a read whose value is left out.
        (op::TOUCH | op::GAT | op::GATK, (4, true, false)) => {
            Command::Get { keys: Keys::One(key), touch: Some(expiry(extras.get_u32())), form }
        }
        (op::SET | op::ADD | op::REPLACE, (8, true, _)) => {
            let verb = match plain {
                _ if version != 0 => Verb::Cas,
                op::SET => Verb::Set,
                op::ADD => Verb::Add,
                _ => Verb::Replace,
            };
            let (flags, expiry) = (extras.get_u32(), expiry(extras.get_u32()));
            Command::Store { verb, key, flags, expiry, value, version, form }
        }
        (op::APPEND | op::PREPEND, (0, true, _)) => {
            let verb = if plain == op::APPEND { Verb::Append } else { Verb::Prepend };
            Command::Store { verb, key, flags: 0, expiry: Expiry(0), value, version, form }
        }
        (op::DELETE, (0, true, false)) => Command::Delete { key, version, form },
        (op::INCREMENT | op::DECREMENT, (20, true, false)) => {
            let (delta, initial, end) = (extras.get_u64(), extras.get_u64(), extras.get_u32());
            // All ones: an item that is missing stays so.
            let initial = (end != u32::MAX).then(|| (initial, expiry(end)));
            Command::Add { key, delta, is_minus: plain == op::DECREMENT, initial, version, form }
        }
        (op::FLUSH, (0, false, false)) => Command::Flush { at: Expiry(0), form },
        (op::FLUSH, (4, false, false)) => Command::Flush { at: expiry(extras.get_u32()), form },
        (op::VERSION, (0, false, false)) => Command::Version(form),
        (op::STAT, (0, _, false)) => Command::Stats(key, form),
        (op::NOOP, (0, false, false)) => Command::Nothing(form),
        (op::QUIT, (0, false, false)) => Command::Quit(form),
        (op::SASL_LIST, (0, false, false)) => {
            // As memcached without SASL.
            return Step::Refuse(refusal(Status::Unknown, header.opcode, header.opaque));
        }
        (known, _) if known <= op::GATK && !UNKNOWN.contains(&known) => {
            return Step::Close(refusal(Status::Invalid, header.opcode, header.opaque));
        }
        _ => {
            // memcached does not know the end of a body that it does not understand.
            let reply = header.refusal(Status::Unknown);
            return if frame.is_empty() { Step::Refuse(reply) } else { Step::Close(reply) };
        }
    })
}

/// The command of which another is the quiet form.
const fn plain(opcode: u8) -> (u8, bool) {
    match opcode {
        0x09 => (op::GET, true),
        0x0d => (op::GETK, true),
        0x11..=0x1a => (QUIET[(opcode - 0x11) as usize], true),
        0x1e => (op::GAT, true),
        0x24 => (op::GATK, true),
        other => (other, false),
    }
}

pub(super) fn outcome(out: &mut BytesMut, outcome: Outcome, opcode: Opcode, opaque: [u8; 4], is_quiet: bool) {
    let (is_append, is_add) =
        (matches!(plain(opcode.0).0, op::APPEND | op::PREPEND), plain(opcode.0).0 == op::ADD);
    let status = match outcome {
        Outcome::Stored(_) | Outcome::Deleted | Outcome::Touched | Outcome::Number(..) | Outcome::Done => {
            Status::Ok
        }
        Outcome::NotStored if is_append => Status::NotStored,
        Outcome::NotStored if is_add => Status::Exists,
        Outcome::NotStored | Outcome::NotFound => Status::NotFound,
        Outcome::Exists => Status::Exists,
        Outcome::NotANumber => Status::NotANumber,
        Outcome::TooLarge => Status::TooLarge,
        Outcome::Away(_) | Outcome::Busy => Status::Busy,
        Outcome::NoMemory => Status::OutOfMemory,
    };
    if status != Status::Ok {
        out.put_slice(&refusal(status, opcode.0, opaque));
        return;
    }
    if is_quiet {
        return;
    }
    let (version, value) = match outcome {
        Outcome::Stored(version) => (version, None),
        Outcome::Number(number, version) => (version, Some(number.to_be_bytes())),
        _ => (0, None),
    };
    let value = value.as_ref().map_or(&b""[..], <[u8; 8]>::as_slice);
    write(out, opcode, status, opaque, version, &[], b"", value);
}

fn refusal(status: Status, opcode: u8, opaque: [u8; 4]) -> Bytes {
    let text = match status {
        Status::Ok => "",
        Status::NotFound => "Not found",
        Status::Exists => "Data exists for key.",
        Status::TooLarge => "Too large.",
        Status::Invalid => "Invalid arguments",
        Status::NotStored => "Not stored.",
        Status::NotANumber => "Non-numeric server-side value for incr or decr",
        Status::AuthError => "Auth failure.",
        Status::Unknown => "Unknown command",
        Status::OutOfMemory => "Out of memory",
        Status::Busy => "The session store does not answer",
    };
    let mut out = BytesMut::with_capacity(HEADER_BYTES + text.len());
    write(&mut out, Opcode(opcode), status, opaque, 0, &[], b"", text.as_bytes());
    out.freeze()
}

#[expect(clippy::too_many_arguments, reason = "they are the fields of one frame")]
pub(super) fn write(
    out: &mut BytesMut,
    opcode: Opcode,
    status: Status,
    opaque: [u8; 4],
    version: u64,
    extras: &[u8],
    key: &[u8],
    value: &[u8],
) {
    write_head(out, opcode, status, opaque, version, extras, key, value.len());
    out.put_slice(value);
}

/// A frame without its value.
#[expect(clippy::too_many_arguments, reason = "they are the fields of one frame")]
pub(super) fn write_head(
    out: &mut BytesMut,
    opcode: Opcode,
    status: Status,
    opaque: [u8; 4],
    version: u64,
    extras: &[u8],
    key: &[u8],
    value_bytes: usize,
) {
    // limit: keys have at most 250 bytes, extras 4, and values less than 2³¹.
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    out.put_u8(RESPONSE);
    out.put_u8(opcode.0);
    out.put_u16(u16::try_from(key.len()).unwrap_or(u16::MAX));
    out.put_u8(u8::try_from(extras.len()).unwrap_or(u8::MAX));
    out.put_u8(0);
    out.put_u16(status as u16);
    out.put_u32(length(extras.len() + key.len() + value_bytes));
    out.put_slice(&opaque);
    out.put_u64(version);
    out.put_slice(extras);
    out.put_slice(key);
}

/// The numbers of commands that are not quiet.
mod op {
    pub(super) const GET: u8 = 0x00;
    pub(super) const SET: u8 = 0x01;
    pub(super) const ADD: u8 = 0x02;
    pub(super) const REPLACE: u8 = 0x03;
    pub(super) const DELETE: u8 = 0x04;
    pub(super) const INCREMENT: u8 = 0x05;
    pub(super) const DECREMENT: u8 = 0x06;
    pub(super) const QUIT: u8 = 0x07;
    pub(super) const FLUSH: u8 = 0x08;
    pub(super) const NOOP: u8 = 0x0a;
    pub(super) const VERSION: u8 = 0x0b;
    pub(super) const GETK: u8 = 0x0c;
    pub(super) const APPEND: u8 = 0x0e;
    pub(super) const PREPEND: u8 = 0x0f;
    pub(super) const STAT: u8 = 0x10;
    pub(super) const TOUCH: u8 = 0x1c;
    pub(super) const GAT: u8 = 0x1d;
    pub(super) const SASL_LIST: u8 = 0x20;
    pub(super) const GATK: u8 = 0x23;
}

/// Those of 0x11 and the nine that follow it.
const QUIET: [u8; 10] = [
    op::SET,
    op::ADD,
    op::REPLACE,
    op::DELETE,
    op::INCREMENT,
    op::DECREMENT,
    op::QUIT,
    op::FLUSH,
    op::APPEND,
    op::PREPEND,
];
/// Numbers among those of known commands that memcached does not know.
const UNKNOWN: [u8; 2] = [0x1b, 0x1f];
const RESPONSE: u8 = 0x81;
const HEADER_BYTES: usize = 24;
/// limit: of a body whose value is dropped.
const LENGTH_MAX: usize = 0x7fff_ffff;
