//! Limits: every queue, table, buffer, loop and wait of the product has its bound here or in the config.

/// Limits on one HTTP message (HTTP4). Bytes are counted as they stand on the wire, without the line's CRLF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// The request line; beyond it 414.
    pub request_line_bytes: u32,
    /// One field line; beyond it 431.
    pub field_bytes: u32,
    /// All field lines together; beyond it 431.
    pub fields_bytes: u32,
    /// The number of field lines; beyond it 431.
    pub fields_count: u16,
    /// A request body, declared or counted; beyond it 413. `None` is no limit: bodies are streamed, never stored.
    pub body_bytes: Option<u64>,
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

/// Limits that are not configured: chosen so that no peer can make them matter to another.
#[derive(Clone, Copy, Debug)]
pub struct Limits;

impl Limits {
    /// Attempts of one request: the first and two more targets (KA6).
    pub const ATTEMPTS_MAX: u32 = 3;
    /// Interim (1xx) responses that one exchange may carry; a target that sends more is hostile.
    pub const INTERIM_RESPONSES_MAX: u32 = 16;
    /// After an early error reply, how much of what the client still sends is read and thrown away, so that the
    /// reply is not lost to a reset.
    pub const LINGER_BYTES_MAX: u64 = 1024 * 1024;
    /// For how long, in milliseconds; as long again, the connection of a client that sent more is held open unread.
    pub const LINGER_MILLISECONDS: u64 = 2_000;
    /// Memory of the encoders that one worker has at work; beyond it responses go uncompressed, and are counted.
    pub const ENCODER_BYTES_MAX: usize = 128 * 1024 * 1024;
    /// Targets in one group.
    pub const TARGETS_MAX: usize = 10_000;
    /// Workers in one process.
    pub const WORKERS_MAX: usize = 256;
}
