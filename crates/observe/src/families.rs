//! The metrics of workers, listeners and targets.

use model::{ConnectionEnd, ContentCoding, Failure};

use crate::{
    Counter, Gauge, Handshakes, Histogram, Http2Faults, SessionCells, SessionOutcome, TcpCells, TunnelCells,
};

/// The cells of one worker, for what does not belong to a listener or target.
#[derive(Debug, Default)]
pub struct WorkerCells {
    pub connections_accepted: Counter,
    pub connections_open: Gauge,
    /// `accept` calls that failed, for any reason.
    pub accept_errors: Counter,
    pub loop_turns: Counter,
    /// Tasks that panicked; their connections were closed. A panic is always a bug of Evenkeel.
    pub task_panics: Counter,
    pub deadlines_fired: Counter,
    /// Workers that died in this place and were replaced, or were the last ones. Always a bug of Evenkeel.
    pub deaths: Counter,
    /// Tasks, sockets and leased buffer bytes in the worker's loop now.
    pub tasks: Gauge,
    pub sources: Gauge,
    pub leased_bytes: Gauge,
}

/// What the metrics count about a finished request.
#[derive(Clone, Copy, Debug)]
pub struct Finished {
    pub status: u16,
    pub made_by: MadeBy,
    pub failure: Option<Failure>,
    pub attempts: u32,
    pub phases: PhaseTimes,
    /// See [`AccessRecord`](crate::AccessRecord).
    pub coding: Option<ContentCoding>,
    pub plain_body_bytes: u64,
    pub response_body_bytes: u64,
    /// `None`: there is no persistence.
    pub session: Option<SessionOutcome>,
}

/// The cells of one listener on one worker.
#[derive(Debug, Default)]
pub struct ListenerCells {
    pub connections_accepted: Counter,
    pub connections_open: Gauge,
    pub connections_refused: Refusals,
    /// Connections closed because a limit blocked an accept: idle ones, or after a response with `Connection:
    /// close`.
    pub connections_evicted: Counter,
    /// Connections closed because the client's certificate was revoked.
    pub connections_revoked: Counter,
    /// Workers that leave new connections in the accept queue because a connection limit is reached.
    pub accepts_waiting: Gauge,
    pub requests: Counter,
    pub requests_in_flight: Gauge,
    pub responses: Responses,
    pub failures: Failures,
    /// Bytes of HTTP messages and tunnels that clients sent, before TLS: heads, bodies and their framing.
    pub received_bytes: Counter,
    /// Those sent to clients.
    pub sent_bytes: Counter,
    /// Attempts beyond a request's first.
    pub retries: Counter,
    /// Requests whose client went away or stalled before it had the whole response.
    pub client_aborts: Counter,
    /// Idle connections that were closed because the client did not answer keepalive probes.
    pub dead_peers: Counter,
    pub tunnels: TunnelCells,
    pub tcp: TcpCells,
    pub proxy_headers: ProxyHeaders,
    pub handshakes: Handshakes,
    /// Connections that use HTTP/2.
    pub http2_connections: Counter,
    pub http2_faults: Http2Faults,
    pub compressed: Compressed,
    /// Bytes of compressed bodies, before and after compression.
    pub compression_input_bytes: Counter,
    pub compression_output_bytes: Counter,
    /// Responses that were not compressed because too many compressions were running.
    pub compression_skipped: Counter,
    pub phases: PhaseHistograms,
    pub sessions: SessionCells,
}

impl ListenerCells {
    /// Counts a finished request. Bytes on the wire, connections, tunnels and requests in flight are counted
    /// where they occur.
    pub fn count(&self, request: &Finished) {
        self.requests.increment();
        self.responses.by(request.made_by).count(request.status);
        if let Some(failure) = request.failure {
            self.failures.count(failure);
            if matches!(failure, Failure::ClientAborted | Failure::ClientSendTimeout) {
                self.client_aborts.increment();
            }
        }
        self.retries.add(u64::from(request.attempts.saturating_sub(1)));
        self.phases.record(&request.phases);
        if let Some(session) = request.session {
            self.sessions.count(session);
        }
        if let Some(coding) = request.coding {
            self.compressed.count(coding);
            self.compression_input_bytes.add(request.plain_body_bytes);
            self.compression_output_bytes.add(request.response_body_bytes);
        }
    }
}

impl ListenerCells {
    /// Counts a TCP connection that has ended.
    pub fn count_connection(&self, connection: &EndedConnection) {
        self.tcp.count(connection.end);
        if let Some(failure) = connection.end.failure() {
            self.failures.count(failure);
        }
        self.retries.add(u64::from(connection.attempts.saturating_sub(1)));
        let phases =
            PhaseTimes { connect: connection.connect, total: connection.total, ..PhaseTimes::default() };
        self.phases.record(&phases);
        if let Some(session) = connection.session {
            self.sessions.count(session);
        }
    }
}

/// What the metrics count about a TCP connection that has ended.
#[derive(Clone, Copy, Debug)]
pub struct EndedConnection {
    pub end: ConnectionEnd,
    pub attempts: u32,
    /// In microseconds, as all phases.
    pub connect: Option<u64>,
    pub total: u64,
    /// `None`: there is no persistence.
    pub session: Option<SessionOutcome>,
}

/// The cells of one target on one worker.
#[derive(Debug, Default)]
pub struct TargetCells {
    /// Attempts, including failed ones.
    pub requests: Counter,
    pub requests_in_flight: Gauge,
    /// Failed attempts, by failure.
    pub failures: Failures,
    pub responses: StatusClasses,
    pub connections_opened: Counter,
    /// Attempts that used an idle connection.
    pub connections_reused: Counter,
    pub connections_open: Gauge,
    /// Idle connections to the target that were closed because keepalive probes were not answered.
    pub dead_peers: Counter,
    pub received_bytes: Counter,
    pub sent_bytes: Counter,
    pub connect: Histogram,
    /// Time until the first byte of the response.
    pub respond: Histogram,
}

/// Why a connection was closed before any byte was read from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// `max_connections` is reached.
    Full,
    /// The client has reached `max_connections_per_client`.
    ClientLimit,
    /// No file descriptor is free.
    Descriptors,
    /// The client sent a TLS handshake to a listener without TLS.
    Tls,
}

impl Refusal {
    pub const ALL: [Self; 4] = [Self::Full, Self::ClientLimit, Self::Descriptors, Self::Tls];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ClientLimit => "client_limit",
            Self::Descriptors => "descriptors",
            Self::Tls => "tls",
        }
    }
}

/// Refused connections, by reason.
#[derive(Debug, Default)]
pub struct Refusals([Counter; Refusal::ALL.len()]);

impl Refusals {
    pub fn count(&self, refusal: Refusal) {
        self.0[refusal as usize].increment();
    }

    pub fn read(&self, refusal: Refusal) -> u64 {
        self.0[refusal as usize].read()
    }
}

/// The origin of a response's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MadeBy {
    Evenkeel,
    Target,
}

impl MadeBy {
    pub const ALL: [Self; 2] = [Self::Evenkeel, Self::Target];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Evenkeel => "evenkeel",
            Self::Target => "target",
        }
    }
}

/// Responses, by the origin of their status.
#[derive(Debug, Default)]
pub struct Responses {
    pub evenkeel: StatusClasses,
    pub target: StatusClasses,
}

impl Responses {
    pub fn by(&self, made_by: MadeBy) -> &StatusClasses {
        match made_by {
            MadeBy::Evenkeel => &self.evenkeel,
            MadeBy::Target => &self.target,
        }
    }
}

/// The result of reading an expected PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    /// The header named the client's address.
    Address,
    /// The header named no address: `LOCAL`, `UNKNOWN`, or a family other than TCP over IP.
    NoAddress,
    /// Other data came instead of a header.
    Missing,
    Malformed,
    TimedOut,
    /// The connection ended before the first byte.
    Closed,
}

impl ProxyHeader {
    pub const ALL: [Self; 6] =
        [Self::Address, Self::NoAddress, Self::Missing, Self::Malformed, Self::TimedOut, Self::Closed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::NoAddress => "no_address",
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::TimedOut => "timed_out",
            Self::Closed => "closed",
        }
    }
}

/// Expected PROXY headers, by result.
#[derive(Debug, Default)]
pub struct ProxyHeaders([Counter; ProxyHeader::ALL.len()]);

impl ProxyHeaders {
    pub fn count(&self, result: ProxyHeader) {
        self.0[result as usize].increment();
    }

    pub fn read(&self, result: ProxyHeader) -> u64 {
        self.0[result as usize].read()
    }
}

/// Responses, by status class.
#[derive(Debug, Default)]
pub struct StatusClasses([Counter; StatusClasses::LABELS.len()]);

impl StatusClasses {
    /// The label of each class, by index. `other` is a status that no RFC defines a class for: below 100 or
    /// above 599.
    pub const LABELS: [&str; 6] = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

    pub fn count(&self, status: u16) {
        let class = usize::from(status / 100);
        self.0[if class < self.0.len() { class } else { 0 }].increment();
    }

    /// The counts, in the order of [`Self::LABELS`].
    pub fn read(&self) -> [u64; Self::LABELS.len()] {
        std::array::from_fn(|class| self.0[class].read())
    }
}

/// Compressed responses, by coding.
#[derive(Debug, Default)]
pub struct Compressed([Counter; ContentCoding::ALL.len()]);

impl Compressed {
    pub fn count(&self, coding: ContentCoding) {
        self.0[coding.index()].increment();
    }

    pub fn read(&self, coding: ContentCoding) -> u64 {
        self.0[coding.index()].read()
    }
}

/// Counts of failures.
#[derive(Debug)]
pub struct Failures([Counter; Failure::ALL.len()]);

impl Failures {
    pub fn count(&self, failure: Failure) {
        self.0[failure.index()].increment();
    }

    pub fn read(&self, failure: Failure) -> u64 {
        self.0[failure.index()].read()
    }
}

impl Default for Failures {
    fn default() -> Self {
        Self([const { Counter::new() }; Failure::ALL.len()])
    }
}

/// The durations of one request's phases, in microseconds. `None` means that the request had no such phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhaseTimes {
    /// From the first byte of the request's head to its end.
    pub read_head: Option<u64>,
    /// From the choice of a target until a connection is established, over all attempts; `None` on a reused
    /// one.
    pub connect: Option<u64>,
    /// From sending the request's first byte to the target until the response's first byte arrives.
    pub respond: Option<u64>,
    /// From the response's first byte until its last one was sent to the client; for a tunnel, its lifetime.
    pub relay: Option<u64>,
    /// From the first byte of the request's head until the request was finished.
    pub total: u64,
}

/// Histograms of [`PhaseTimes`].
#[derive(Debug, Default)]
pub struct PhaseHistograms {
    pub read_head: Histogram,
    pub connect: Histogram,
    pub respond: Histogram,
    pub relay: Histogram,
    pub total: Histogram,
}

impl PhaseHistograms {
    pub fn record(&self, times: &PhaseTimes) {
        for (histogram, micros) in [
            (&self.read_head, times.read_head),
            (&self.connect, times.connect),
            (&self.respond, times.respond),
            (&self.relay, times.relay),
            (&self.total, Some(times.total)),
        ] {
            if let Some(micros) = micros {
                histogram.record(micros);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AccessRecord;
    use crate::record::tests::example;

    #[test]
    fn a_finished_request_is_counted_once_in_every_family() {
        let cells = ListenerCells::default();
        let mut record = example();
        cells.count(&record.finished());
        record.made_by = MadeBy::Evenkeel;
        record.status = 499;
        record.failure = Some(Failure::ClientAborted);
        record.attempts = 3;
        record.phases = PhaseTimes { total: 7, ..PhaseTimes::default() };
        cells.count(&record.finished());

        assert_eq!(cells.requests.read(), 2);
        assert_eq!(cells.responses.target.read(), [0, 0, 1, 0, 0, 0]);
        assert_eq!(cells.responses.evenkeel.read(), [0, 0, 0, 0, 1, 0]);
        assert_eq!(cells.failures.read(Failure::ClientAborted), 1);
        assert_eq!(cells.client_aborts.read(), 1);
        assert_eq!(cells.retries.read(), 2);
        assert_eq!(cells.phases.total.read().count(), 2);
        assert_eq!(cells.phases.relay.read().count(), 1, "the second request has no relay phase");
    }

    #[test]
    fn a_request_that_reached_no_target_has_no_retries() {
        let cells = ListenerCells::default();
        let record = AccessRecord { attempts: 0, ..example() };
        cells.count(&record.finished());
        assert_eq!(cells.retries.read(), 0);
    }

    #[test]
    fn a_compressed_response_is_counted_by_its_coding() {
        let cells = ListenerCells::default();
        cells.count(&example().finished());
        let coding = Some(ContentCoding::Gzip);
        let record = AccessRecord { coding, plain_body_bytes: 100, response_body_bytes: 30, ..example() };
        cells.count(&record.finished());
        let counts = ContentCoding::ALL.map(|coding| cells.compressed.read(coding));
        assert_eq!(counts, [0, 0, 1]);
        assert_eq!((cells.compression_input_bytes.read(), cells.compression_output_bytes.read()), (100, 30));
    }

    #[test]
    fn any_status_has_a_class() {
        for (status, class) in
            [(0, 0), (99, 0), (100, 1), (200, 2), (304, 3), (499, 4), (599, 5), (600, 0), (u16::MAX, 0)]
        {
            let classes = StatusClasses::default();
            classes.count(status);
            assert_eq!(classes.read()[class], 1, "{status}");
            assert_eq!(classes.read().iter().sum::<u64>(), 1, "{status}");
        }
    }

    #[test]
    fn every_failure_has_its_own_cell() {
        let failures = Failures::default();
        for (times, &failure) in Failure::ALL.iter().enumerate() {
            (0..times).for_each(|_| failures.count(failure));
        }
        for (times, &failure) in Failure::ALL.iter().enumerate() {
            assert_eq!(failures.read(failure), times as u64);
        }
    }
}
