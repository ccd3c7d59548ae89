//! The encoders behind one interface: bytes in, bytes out, as far as the output buffer has space.
//!
//! gzip is RFC 1952, `br` RFC 7932, `zstd` RFC 8878. The memory of an encoder does not grow with the length of the
//! stream.

use brotli::enc::StandardAlloc;
use brotli::enc::encode::{BrotliEncoderOperation, BrotliEncoderParameter, BrotliEncoderStateStruct};
use flate2::{Compress, FlushCompress, Status};
use model::ContentCoding;
use zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd_safe::{CCtx, CParameter, InBuffer, OutBuffer, ResetDirective};

/// A stream of one content coding.
pub struct Encoder {
    kind: Kind,
    level: u8,
}

enum Kind {
    Zstd(CCtx<'static>),
    Br(Box<BrotliEncoderStateStruct<StandardAlloc>>),
    Gzip(Compress),
}

/// What a step is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Take input. The encoder decides when output appears.
    Push,
    /// Flush: the receiver can decode everything that was taken so far.
    Flush,
    /// End the stream.
    Finish,
}

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub read: usize,
    pub written: usize,
    /// All input was taken, and the output of a flush or an end is complete. If `false`, call again with more space.
    pub is_done: bool,
}

/// An encoder failed: out of memory, or a bug. Its output so far has no valid end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeError;

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").field("coding", &self.coding()).field("level", &self.level).finish()
    }
}

impl Encoder {
    /// limit: with less space than a flush marker needs, gzip would write the marker again and again.
    pub const ROOM_MIN: usize = 16;

    /// Begins a stream of `length` bytes, if that is known; exactly so many bytes must follow.
    pub fn new(coding: ContentCoding, level: u8, length: Option<u64>) -> Result<Self, EncodeError> {
        let kind = match coding {
            ContentCoding::Zstd => Kind::Zstd(zstd(level, length)?),
            ContentCoding::Br => Kind::Br(br(level)),
            ContentCoding::Gzip => {
                Kind::Gzip(Compress::new_gzip(flate2::Compression::new(level.into()), GZIP_WINDOW_LOG))
            }
        };
        Ok(Self { kind, level })
    }

    pub fn coding(&self) -> ContentCoding {
        match self.kind {
            Kind::Zstd(_) => ContentCoding::Zstd,
            Kind::Br(_) => ContentCoding::Br,
            Kind::Gzip(_) => ContentCoding::Gzip,
        }
    }

    pub fn level(&self) -> u8 {
        self.level
    }

    /// Begins another stream in the same memory, wherever the last stream stopped. `false`: this kind cannot.
    pub fn renew(&mut self, length: Option<u64>) -> bool {
        match &mut self.kind {
            Kind::Zstd(context) => {
                context.reset(ResetDirective::SessionOnly).is_ok()
                    && context.set_pledged_src_size(length).is_ok()
            }
            Kind::Br(_) => false,
            Kind::Gzip(compress) => {
                compress.reset();
                true
            }
        }
    }

    /// The upper bound of the memory of such an encoder.
    pub const fn state_bytes_max(coding: ContentCoding, level: u8) -> usize {
        match (coding, level) {
            (ContentCoding::Gzip, _) => 384 * 1024,
            (ContentCoding::Zstd, _) => 1280 * 1024,
            (ContentCoding::Br, 0..=1) => 256 * 1024,
            (ContentCoding::Br, 2..=3) => 1024 * 1024,
            (ContentCoding::Br, 4..=5) => 3 * 1024 * 1024,
            (ContentCoding::Br, _) => 4 * 1024 * 1024,
        }
    }

    /// Makes one step. With at least [`Self::ROOM_MIN`] bytes of output it makes progress or fails; with less it does
    /// nothing.
    pub fn step(&mut self, op: Op, input: &[u8], output: &mut [u8]) -> Result<Step, EncodeError> {
        if output.len() < Self::ROOM_MIN {
            return Ok(Step { read: 0, written: 0, is_done: false });
        }
        let step = match &mut self.kind {
            Kind::Zstd(context) => step_zstd(context, op, input, output),
            Kind::Br(state) => step_br(state, op, input, output),
            Kind::Gzip(compress) => step_gzip(compress, op, input, output),
        }?;
        let stands_still = step.read == 0 && step.written == 0 && !step.is_done;
        if stands_still { Err(EncodeError) } else { Ok(step) }
    }
}

fn zstd(level: u8, length: Option<u64>) -> Result<CCtx<'static>, EncodeError> {
    let mut context = CCtx::try_create().ok_or(EncodeError)?;
    let mut set = |parameter| context.set_parameter(parameter).map(drop).map_err(|_| EncodeError);
    set(CParameter::CompressionLevel(level.into()))?;
    set(CParameter::WindowLog(ZSTD_WINDOW_LOG))?;
    if level >= ZSTD_LEVEL_OF_LARGE_TABLES {
        set(CParameter::HashLog(ZSTD_HASH_LOG))?;
        set(CParameter::ChainLog(ZSTD_CHAIN_LOG))?;
    }
    context.set_pledged_src_size(length).map_err(|_| EncodeError)?;
    Ok(context)
}

fn step_zstd(
    context: &mut CCtx<'static>,
    op: Op,
    input: &[u8],
    output: &mut [u8],
) -> Result<Step, EncodeError> {
    let end = match op {
        Op::Push => ZSTD_EndDirective::ZSTD_e_continue,
        Op::Flush => ZSTD_EndDirective::ZSTD_e_flush,
        Op::Finish => ZSTD_EndDirective::ZSTD_e_end,
    };
    let (mut from, mut to) = (InBuffer::around(input), OutBuffer::around(output));
    let left = context.compress_stream2(&mut to, &mut from, end).map_err(|_| EncodeError)?;
    let (read, written) = (from.pos(), to.pos());
    Ok(Step { read, written, is_done: read == input.len() && (op == Op::Push || left == 0) })
}

fn br(level: u8) -> Box<BrotliEncoderStateStruct<StandardAlloc>> {
    let mut state = Box::new(BrotliEncoderStateStruct::new(StandardAlloc::default()));
    state.set_parameter(BrotliEncoderParameter::BROTLI_PARAM_QUALITY, level.into());
    state.set_parameter(BrotliEncoderParameter::BROTLI_PARAM_LGWIN, BR_WINDOW_LOG);
    state
}

fn step_br(
    state: &mut BrotliEncoderStateStruct<StandardAlloc>,
    op: Op,
    input: &[u8],
    output: &mut [u8],
) -> Result<Step, EncodeError> {
    let operation = match op {
        Op::Push => BrotliEncoderOperation::BROTLI_OPERATION_PROCESS,
        Op::Flush => BrotliEncoderOperation::BROTLI_OPERATION_FLUSH,
        Op::Finish => BrotliEncoderOperation::BROTLI_OPERATION_FINISH,
    };
    let (mut in_left, mut read, mut out_left, mut written) = (input.len(), 0, output.len(), 0);
    let is_fine = state.compress_stream(
        operation,
        &mut in_left,
        input,
        &mut read,
        &mut out_left,
        output,
        &mut written,
        &mut None,
        &mut |_, _, _, _| (),
    );
    let is_out = match op {
        Op::Push => true,
        Op::Flush => !state.has_more_output(),
        Op::Finish => state.is_finished(),
    };
    if is_fine { Ok(Step { read, written, is_done: in_left == 0 && is_out }) } else { Err(EncodeError) }
}

fn step_gzip(compress: &mut Compress, op: Op, input: &[u8], output: &mut [u8]) -> Result<Step, EncodeError> {
    let flush = match op {
        Op::Push => FlushCompress::None,
        Op::Flush => FlushCompress::Sync,
        Op::Finish => FlushCompress::Finish,
    };
    let (read, written) = (compress.total_in(), compress.total_out());
    let status = compress.compress(input, output, flush).map_err(|_| EncodeError)?;
    let count = |now: u64, before: u64| usize::try_from(now - before).map_err(|_| EncodeError);
    let (read, written) = (count(compress.total_in(), read)?, count(compress.total_out(), written)?);
    let is_out = match op {
        Op::Push => true,
        // There is space left in the output, so the encoder holds nothing back.
        Op::Flush => written < output.len(),
        Op::Finish => status == Status::StreamEnd,
    };
    Ok(Step { read, written, is_done: read == input.len() && is_out })
}

// limit: windows and tables, and with them the memory of an encoder, are sized for web pages; larger ones would save
// one or two percent.
const GZIP_WINDOW_LOG: u8 = 15;
// Not 16: the library would then use a search that is twenty times slower.
const BR_WINDOW_LOG: u32 = 17;
const ZSTD_WINDOW_LOG: u32 = 17;
const ZSTD_HASH_LOG: u32 = 16;
const ZSTD_CHAIN_LOG: u32 = 15;
/// Below this level the library's own tables are smaller.
const ZSTD_LEVEL_OF_LARGE_TABLES: u8 = 3;

#[cfg(test)]
mod tests;
