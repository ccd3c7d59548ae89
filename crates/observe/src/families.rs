//! What is counted, and for what: workers, listeners, targets.

use model::{ContentCoding, Failure};

use crate::{Counter, Gauge, Handshakes, Histogram, Http2Faults, TunnelCells};

/// What one worker does, whatever it serves.
#[derive(Debug, Default)]
pub struct WorkerCells {
    pub connections_accepted: Counter,
    pub connections_open: Gauge,
    /// `accept` failed, for any reason.
    pub accept_errors: Counter,
    pub loop_turns: Counter,
    /// A task panicked; its connection was closed. Always a bug of Evenkeel.
    pub task_panics: Counter,
    pub deadlines_fired: Counter,
    /// Tasks, sockets and borrowed buffers that the worker's loop has now.
    pub tasks: Gauge,
    pub sources: Gauge,
    pub leased_bytes: Gauge,
}

/// What is counted of a finished request.
#[derive(Clone, Copy, Debug)]
pub struct Finished {
    pub status: u16,
    pub made_by: MadeBy,
    pub failure: Option<Failure>,
    pub attempts: u32,
    pub phases: PhaseTimes,
    /// See the access record.
    pub coding: Option<ContentCoding>,
    pub plain_body_bytes: u64,
    pub response_body_bytes: u64,
}

/// What one listener serves, as seen by one worker.
#[derive(Debug, Default)]
pub struct ListenerCells {
    pub connections_accepted: Counter,
    pub connections_open: Gauge,
    pub connections_refused: Refusals,
    /// Connections closed to make room for others: idle, or behind a response that said so.
    pub connections_evicted: Counter,
    /// Connections closed because their client's certificate was revoked.
    pub connections_revoked: Counter,
    /// Workers that leave new connections in the kernel's queue, because there is no place for them.
    pub accepts_waiting: Gauge,
    pub requests: Counter,
    pub requests_in_flight: Gauge,
    pub responses: Responses,
    pub failures: Failures,
    /// From clients: heads, bodies and tunnels.
    pub received_bytes: Counter,
    /// To clients.
    pub sent_bytes: Counter,
    /// Attempts beyond a request's first.
    pub retries: Counter,
    /// Clients that went away or stalled before they had their response.
    pub client_aborts: Counter,
    /// Idle connections whose client vanished: keepalive probes went unanswered.
    pub dead_peers: Counter,
    pub tunnels: TunnelCells,
    pub proxy_headers: ProxyHeaders,
    pub handshakes: Handshakes,
    /// Connections on which HTTP/2 was spoken.
    pub http2_connections: Counter,
    pub http2_faults: Http2Faults,
    pub compressed: Compressed,
    /// Bytes of bodies that were compressed, before and after.
    pub compression_input_bytes: Counter,
    pub compression_output_bytes: Counter,
    /// Responses that went as they were because too many were being compressed.
    pub compression_skipped: Counter,
    pub phases: PhaseHistograms,
}

impl ListenerCells {
    /// Counts a finished request. Bytes on the wire, connections, tunnels and what is in flight are counted where
    /// they happen.
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
        if let Some(coding) = request.coding {
            self.compressed.count(coding);
            self.compression_input_bytes.add(request.plain_body_bytes);
            self.compression_output_bytes.add(request.response_body_bytes);
        }
    }
}

/// What one target does for us, as seen by one worker.
#[derive(Debug, Default)]
pub struct TargetCells {
    /// Attempts, also those that failed.
    pub requests: Counter,
    pub requests_in_flight: Gauge,
    /// Attempts that failed, by what went wrong.
    pub failures: Failures,
    pub responses: StatusClasses,
    pub connections_opened: Counter,
    /// Attempts that took an idle connection.
    pub connections_reused: Counter,
    pub connections_open: Gauge,
    /// Idle connections to it on which keepalive probes went unanswered.
    pub dead_peers: Counter,
    pub received_bytes: Counter,
    pub sent_bytes: Counter,
    pub connect: Histogram,
    /// Until the first byte of the response.
    pub respond: Histogram,
}

/// Why a connection was closed before anything was read from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// `max_connections` are in use.
    Full,
    /// Its client has `max_connections_per_client`.
    ClientLimit,
    /// No file descriptor was left.
    Descriptors,
    /// It spoke TLS to a listener without.
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

/// Who made a response's status.
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

/// Responses by who made them.
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

/// What came of a PROXY header that was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    /// It told the client's address.
    Address,
    /// It told none: the connection is the sender's own, or of a kind without one.
    NoAddress,
    /// Something else came.
    Missing,
    Malformed,
    TimedOut,
    /// The connection ended before a byte.
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

/// PROXY headers, by what came of them.
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

/// Responses by class of status.
#[derive(Debug, Default)]
pub struct StatusClasses([Counter; StatusClasses::LABELS.len()]);

impl StatusClasses {
    /// The label of each class, by index. `other` is what no RFC gives a meaning: below 100 or above 599.
    pub const LABELS: [&str; 6] = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

    pub fn count(&self, status: u16) {
        let class = usize::from(status / 100);
        self.0[if class < self.0.len() { class } else { 0 }].increment();
    }

    /// By class, in the order of [`Self::LABELS`].
    pub fn read(&self) -> [u64; Self::LABELS.len()] {
        std::array::from_fn(|class| self.0[class].read())
    }
}

/// Compressed responses by coding.
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

/// What went wrong, by failure.
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

/// How long the phases of one request took, in microseconds. `None`: the request had no such phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhaseTimes {
    /// From the first byte of the request's head to its end.
    pub read_head: Option<u64>,
    /// From the choice of a target until a connection to it stood, all attempts together; `None` on a reused one.
    pub connect: Option<u64>,
    /// From the request's first byte to the target until the response's first byte.
    pub respond: Option<u64>,
    /// From the response's first byte until its last one had gone to the client; of a tunnel, its life.
    pub relay: Option<u64>,
    /// From the first byte of the request's head until everything was done.
    pub total: u64,
}

/// The same as histograms.
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
        assert_eq!(cells.phases.relay.read().count(), 1, "the second request never came to its relay");
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
