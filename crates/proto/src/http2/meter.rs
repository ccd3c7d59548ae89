//! Counts the frames that a client sends, so that a flood of any kind of frame ends the connection.
//!
//! It reads the bytes before the HTTP/2 crate does: frame headers only, at any split of the bytes. Each kind of frame
//! that costs the client next to nothing has a [`Budget`]: a burst, a rate, and credit for the work that we do for the
//! client. Responses give credit for resets (CVE-2023-44487), sent bytes give credit for PING and WINDOW_UPDATE:
//! clients that measure the path, or open their window for each piece, stay far below their limit at any speed.

mod form;
mod frame;

use form::Form;
use frame::{Frame, Frames};

pub use form::Violation;

/// Why a connection must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    Flood(Flood),
    Broken(Violation),
}

impl Fault {
    /// The reason as one word, for log and metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Flood(flood) => flood.reason(),
            Self::Broken(violation) => violation.reason(),
        }
    }
}

/// The kind of flood. The connection ends with `ENHANCE_YOUR_CALM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flood {
    /// Streams that are reset before they are answered.
    Reset,
    /// A head in too many frames.
    Continuation,
    /// A head with too many bytes.
    HeadBytes,
    Settings,
    Ping,
    /// DATA that is empty and does not end the stream.
    EmptyData,
    Priority,
    WindowUpdate,
    /// GOAWAY, PUSH_PROMISE, and unknown frames.
    Other,
}

impl Flood {
    pub const ALL: [Self; 9] = [
        Self::Reset,
        Self::Continuation,
        Self::HeadBytes,
        Self::Settings,
        Self::Ping,
        Self::EmptyData,
        Self::Priority,
        Self::WindowUpdate,
        Self::Other,
    ];

    /// The kind as one word, for log, metrics and the debug data of GOAWAY.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Reset => "reset_flood",
            Self::Continuation => "continuation_flood",
            Self::HeadBytes => "head_too_large",
            Self::Settings => "settings_flood",
            Self::Ping => "ping_flood",
            Self::EmptyData => "empty_data_flood",
            Self::Priority => "priority_flood",
            Self::WindowUpdate => "window_update_flood",
            Self::Other => "other_frame_flood",
        }
    }
}

/// The meter of one connection.
#[derive(Clone, Debug)]
pub struct FrameMeter {
    frames: Frames,
    form: Form,
    /// CONTINUATION frames of the current head.
    continuations: u32,
    head_bytes: u64,
    last_stream: u32,
    /// Sent bytes that have not given a whole frame of credit yet, per rate.
    unpaid_bytes: [u32; 2],
    buckets: [Bucket; BUDGETS.len()],
}

impl Default for FrameMeter {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameMeter {
    /// Expects the client's preface first (RFC 9113 §3.4).
    pub fn new() -> Self {
        Self {
            frames: Frames::new(),
            form: Form::default(),
            continuations: 0,
            head_bytes: 0,
            last_stream: 0,
            unpaid_bytes: [0; 2],
            buckets: BUDGETS.map(Bucket::full),
        }
    }

    /// Counts the frames that begin in these bytes, which continue those of the last call.
    ///
    /// # Errors
    /// The first exceeded budget, or the first invalid frame. The connection must end.
    pub fn observe(&mut self, mut bytes: &[u8], now_millis: u64) -> Result<(), Fault> {
        while let Some(frame) = self.frames.next(&mut bytes) {
            self.check_payloads()?;
            self.form.check(self.frames.head()).map_err(Fault::Broken)?;
            self.count(frame, now_millis).map_err(Fault::Flood)?;
        }
        self.check_payloads()
    }

    fn check_payloads(&self) -> Result<(), Fault> {
        self.frames.violation().map_or(Ok(()), |violation| Err(Fault::Broken(violation)))
    }

    /// Reports bytes that were sent to the client.
    pub fn wrote(&mut self, bytes: usize) {
        for (place, (kind, price)) in EARNED_BY_BYTES.into_iter().enumerate() {
            let unpaid = u64::from(self.unpaid_bytes[place]) + bytes as u64;
            self.earn(kind, unpaid / u64::from(price));
            self.unpaid_bytes[place] = u32::try_from(unpaid % u64::from(price)).unwrap_or(0);
        }
    }

    /// Reports a stream that was answered completely.
    pub fn answered(&mut self) {
        for kind in [Flood::Reset, Flood::Ping] {
            self.earn(kind, 1);
        }
    }

    /// Reports a stream that we reset because of what the client sent on it. It counts as a reset by the client.
    ///
    /// # Errors
    /// The budget is exceeded. The connection must end.
    pub fn made_reset(&mut self, now_millis: u64) -> Result<(), Fault> {
        self.spend(Flood::Reset, now_millis).map_err(Fault::Flood)
    }

    fn count(&mut self, frame: Frame, now: u64) -> Result<(), Flood> {
        match frame {
            Frame::Headers { stream, bytes } => {
                self.continuations = 0;
                self.head_bytes = 0;
                if stream > self.last_stream {
                    self.last_stream = stream;
                    self.opened();
                }
                self.add_head_bytes(bytes)
            }
            Frame::Continuation { bytes } => {
                self.continuations += 1;
                if self.continuations > CONTINUATIONS_MAX {
                    return Err(Flood::Continuation);
                }
                self.add_head_bytes(bytes)
            }
            Frame::Data { is_idle: false } => Ok(()),
            Frame::Data { is_idle: true } => self.spend(Flood::EmptyData, now),
            Frame::Reset => self.spend(Flood::Reset, now),
            Frame::Settings => self.spend(Flood::Settings, now),
            Frame::Ping => self.spend(Flood::Ping, now),
            Frame::Priority => self.spend(Flood::Priority, now),
            Frame::WindowUpdate => self.spend(Flood::WindowUpdate, now),
            Frame::Other => self.spend(Flood::Other, now),
        }
    }

    /// Browsers give every stream a priority and a window, and some send an unknown frame.
    fn opened(&mut self) {
        for kind in [Flood::Priority, Flood::WindowUpdate, Flood::Other] {
            self.earn(kind, EARNED_BY_STREAM);
        }
    }

    fn add_head_bytes(&mut self, bytes: u32) -> Result<(), Flood> {
        self.head_bytes += u64::from(bytes);
        if self.head_bytes > HEAD_BYTES_MAX { Err(Flood::HeadBytes) } else { Ok(()) }
    }

    fn spend(&mut self, kind: Flood, now: u64) -> Result<(), Flood> {
        match place_of(kind) {
            Some(place) if !self.buckets[place].spend(&BUDGETS[place], now) => Err(kind),
            _ => Ok(()),
        }
    }

    fn earn(&mut self, kind: Flood, tokens: u64) {
        if let Some(place) = place_of(kind) {
            self.buckets[place].earn(&BUDGETS[place], tokens);
        }
    }
}

/// How many frames of one kind a client may send.
#[derive(Clone, Copy, Debug)]
struct Budget {
    /// Burst.
    burst: u32,
    /// Refill per second.
    per_second: u32,
}

/// The rest of a budget, in thousandths of a frame.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: u64,
    filled_at: Option<u64>,
}

impl Bucket {
    fn full((_, budget): (Flood, Budget)) -> Self {
        Self { left: u64::from(budget.burst) * WHOLE, filled_at: None }
    }

    fn spend(&mut self, (_, budget): &(Flood, Budget), now: u64) -> bool {
        // A clock that goes back gives no credit.
        let passed = now.saturating_sub(self.filled_at.unwrap_or(now));
        self.filled_at = Some(now);
        self.add(budget, passed.saturating_mul(u64::from(budget.per_second)));
        match self.left.checked_sub(WHOLE) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    fn earn(&mut self, (_, budget): &(Flood, Budget), tokens: u64) {
        self.add(budget, tokens.saturating_mul(WHOLE));
    }

    fn add(&mut self, budget: &Budget, thousandths: u64) {
        self.left = self.left.saturating_add(thousandths).min(u64::from(budget.burst) * WHOLE);
    }
}

fn place_of(kind: Flood) -> Option<usize> {
    BUDGETS.iter().position(|(budgeted, _)| *budgeted == kind)
}

const WHOLE: u64 = 1000;

// limit: frames without credit.
const BUDGETS: [(Flood, Budget); 7] = [
    // Leaving a page resets all its pending streams, usually 100, and half a page more.
    (Flood::Reset, Budget { burst: 150, per_second: 20 }),
    (Flood::Settings, Budget { burst: 20, per_second: 2 }),
    // Some clients send one with every reset.
    (Flood::Ping, Budget { burst: 250, per_second: 20 }),
    (Flood::EmptyData, Budget { burst: 100, per_second: 10 }),
    (Flood::Priority, Budget { burst: 200, per_second: 20 }),
    (Flood::WindowUpdate, Budget { burst: 1000, per_second: 100 }),
    (Flood::Other, Budget { burst: 100, per_second: 10 }),
];
/// Sent bytes that give credit for one frame. An answer to a PING has 17 bytes and must not pay for the next PING. The
/// smallest DATA has 10, and is answered by two WINDOW_UPDATE at most.
const EARNED_BY_BYTES: [(Flood, u32); 2] = [(Flood::Ping, 32), (Flood::WindowUpdate, 5)];
const EARNED_BY_STREAM: u64 = 3;
/// limit: CONTINUATION frames of one head; clients put 16 KiB into each.
const CONTINUATIONS_MAX: u32 = 16;
/// limit: compressed bytes of one head. A head that is only too large for the listener is still answered.
const HEAD_BYTES_MAX: u64 = 256 * 1024;
