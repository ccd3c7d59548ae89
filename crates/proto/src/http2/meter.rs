//! Counts the frames that a client sends, so that no kind of them is a way to make us work for nothing.
//!
//! It reads the bytes before the crate that does HTTP/2 gets them: heads of frames only, however the bytes are cut. Each
//! kind of frame that costs the client next to nothing has a [`Budget`]: a burst, so much a second, and what the work
//! that we do for the client earns it. Resets are earned by responses (CVE-2023-44487), answers to PING and
//! WINDOW_UPDATE by what we send: clients that measure the path, or open their window for each piece, stay far from
//! their limit however fast they are.

mod form;
mod frame;

use form::Form;
use frame::{Frame, Frames};

pub use form::Violation;

/// Why a connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    Flood(Flood),
    Broken(Violation),
}

impl Fault {
    /// One word for log and metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Flood(flood) => flood.reason(),
            Self::Broken(violation) => violation.reason(),
        }
    }
}

/// Of what a client sends too much. Its connection ends with `ENHANCE_YOUR_CALM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flood {
    /// Streams that are reset before they are answered.
    Reset,
    /// A head in too many frames.
    Continuation,
    /// A head of too many bytes.
    HeadBytes,
    Settings,
    Ping,
    /// DATA that holds nothing and ends nothing.
    EmptyData,
    Priority,
    WindowUpdate,
    /// GOAWAY, PUSH_PROMISE, and frames that nobody knows.
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

    /// One word for log, metrics and the debug data of GOAWAY.
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
    /// CONTINUATION frames of the head that is being read.
    continuations: u32,
    head_bytes: u64,
    last_stream: u32,
    /// What was sent and has not earned a whole token yet, by the rate of each.
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

    /// Counts the frames whose heads are in these bytes, which follow those of the last call.
    ///
    /// # Errors
    /// The first budget that is spent, or the first frame that may not be. The connection is to end.
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

    /// Tells of bytes that were sent to the client.
    pub fn wrote(&mut self, bytes: usize) {
        for (place, (kind, price)) in EARNED_BY_BYTES.into_iter().enumerate() {
            let unpaid = u64::from(self.unpaid_bytes[place]) + bytes as u64;
            self.earn(kind, unpaid / u64::from(price));
            self.unpaid_bytes[place] = u32::try_from(unpaid % u64::from(price)).unwrap_or(0);
        }
    }

    /// Tells of a stream that was answered to its end.
    pub fn answered(&mut self) {
        for kind in [Flood::Reset, Flood::Ping] {
            self.earn(kind, 1);
        }
    }

    /// Tells of a stream that we had to reset because of what the client sent on it. It counts as one that the client has
    /// reset.
    ///
    /// # Errors
    /// The budget is spent. The connection is to end.
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

    /// Browsers give every stream a priority and a window, and some a frame that nobody knows.
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

/// How many frames of one kind a client has free.
#[derive(Clone, Copy, Debug)]
struct Budget {
    /// At once.
    burst: u32,
    /// Again in each second.
    per_second: u32,
}

/// What is left of a budget, in thousandths of a frame.
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
        // A clock that goes back gives nothing.
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

// limit: frames beyond those that are earned.
const BUDGETS: [(Flood, Budget); 7] = [
    // A page that is left resets all it waits for, the usual 100 streams, and half a page more.
    (Flood::Reset, Budget { burst: 150, per_second: 20 }),
    (Flood::Settings, Budget { burst: 20, per_second: 2 }),
    // Some clients send one with every reset.
    (Flood::Ping, Budget { burst: 250, per_second: 20 }),
    (Flood::EmptyData, Budget { burst: 100, per_second: 10 }),
    (Flood::Priority, Budget { burst: 200, per_second: 20 }),
    (Flood::WindowUpdate, Budget { burst: 1000, per_second: 100 }),
    (Flood::Other, Budget { burst: 100, per_second: 10 }),
];
/// How many sent bytes earn a frame. An answer to a PING has 17 bytes: it must not earn the next. The smallest DATA has
/// 10, and is answered by two WINDOW_UPDATE at most.
const EARNED_BY_BYTES: [(Flood, u32); 2] = [(Flood::Ping, 32), (Flood::WindowUpdate, 5)];
const EARNED_BY_STREAM: u64 = 3;
/// limit: CONTINUATION frames of one head; 16 KiB each is what clients put into them.
const CONTINUATIONS_MAX: u32 = 16;
/// limit: bytes of one head as it is compressed. One that is too large for the listener is answered all the same.
const HEAD_BYTES_MAX: u64 = 256 * 1024;
