//! Limits: every queue, table, buffer, loop and wait of the product has its bound here or in the config.

/// Limits on one HTTP message (HTTP4). Bytes are counted as on the wire, without the line's CRLF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// The request line; 414 above it.
    pub request_line_bytes: u32,
    /// One field line; 431 above it.
    pub field_bytes: u32,
    /// All field lines together; 431 above it.
    pub fields_bytes: u32,
    /// The number of field lines; 431 above it.
    pub fields_count: u16,
    /// A request body, declared or counted; 413 above it. `None` is no limit: bodies are streamed, never
    /// stored.
    pub body_bytes: Option<u64>,
}

impl HttpLimits {
    /// The smaller of both, for each limit: what passes it passes either.
    #[must_use]
    pub fn strictest(self, other: Self) -> Self {
        Self {
            request_line_bytes: self.request_line_bytes.min(other.request_line_bytes),
            field_bytes: self.field_bytes.min(other.field_bytes),
            fields_bytes: self.fields_bytes.min(other.fields_bytes),
            fields_count: self.fields_count.min(other.fields_count),
            body_bytes: match (self.body_bytes, other.body_bytes) {
                (Some(one), Some(another)) => Some(one.min(another)),
                (one, another) => one.or(another),
            },
        }
    }
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            request_line_bytes: 16 * 1024,
            field_bytes: 16 * 1024,
            fields_bytes: 64 * 1024,
            fields_count: 100,
            body_bytes: None,
        }
    }
}

/// Fixed limits, chosen so that a peer that reaches one does not affect other peers.
#[derive(Clone, Copy, Debug)]
pub struct Limits;

impl Limits {
    /// Attempts of one request: the first and two more targets (KA6).
    pub const ATTEMPTS_MAX: u32 = 3;
    /// Interim (1xx) responses that a target may send at once in one exchange; a target that sends more is misbehaving.
    pub const INTERIM_RESPONSES_MAX: u64 = 16;
    /// How many more it may send for each second that passes, so that a long request can report its progress.
    pub const INTERIM_RESPONSES_PER_SECOND: u64 = 1;
    /// The same for the bytes of their heads, the last of which may exceed it.
    pub const INTERIM_BYTES_MAX: u64 = 128 * 1024;
    pub const INTERIM_BYTES_PER_SECOND: u64 = 4 * 1024;
    /// How many bytes that a client still sends are read and dropped while its connection closes, so that a reset
    /// does not destroy what it has not read.
    pub const LINGER_BYTES_MAX: u64 = 1024 * 1024;
    /// How long, in milliseconds, a client that has received everything may take to close.
    pub const LINGER_MILLISECONDS: u64 = 2_000;
    /// Memory of the active encoders of one worker. Above it responses are sent uncompressed, and counted.
    pub const ENCODER_BYTES_MAX: usize = 128 * 1024 * 1024;
    /// How long a session of a learned cookie without a `ttl` is kept after its last use.
    pub const LEARNED_SESSION_SECONDS: u64 = 3_600;
    /// Sessions in one table.
    pub const SESSIONS_MAX: u32 = 16 * 1024 * 1024;
    /// Value of one item of a session gateway.
    pub const ITEM_BYTES_MAX: u64 = 16 * 1024 * 1024;
    /// The same in an SQL database or in Redis: that of memcached.
    pub const SMALL_ITEM_BYTES_MAX: u64 = 1024 * 1024;
    /// Targets in one group.
    pub const TARGETS_MAX: usize = 10_000;
    /// Workers in one process.
    pub const WORKERS_MAX: usize = 256;
}
