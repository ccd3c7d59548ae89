//! The table of everything that the operators' log can say. `docs/operators-log.md` is made from it.

use model::LogLevel;

/// What causes lines of a kind. Their limit depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Operators, files and probes.
    Own,
    /// A client or a target can cause as many as it likes.
    Peer,
}

impl Cause {
    /// limit: lines of one kind in a window of ten seconds.
    pub const fn lines_max(self) -> u32 {
        match self {
            Self::Own => 100,
            Self::Peer => 5,
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct EventRow {
    /// How loud it is; in the line of a failure, `model::Failure` says how loud.
    pub level: LogLevel,
    pub cause: Cause,
    /// The text by which a line of this kind is recognised.
    pub message: &'static str,
    /// The keys that a line can have, in their order.
    pub fields: &'static [&'static str],
    /// When it is written.
    pub when: &'static str,
    /// What to do. It is part of the line as `hint`, if it is not empty.
    pub hint: &'static str,
}

macro_rules! events {
    ($($name:ident => $level:ident $cause:ident $message:literal [$($field:literal),*], $when:literal, $hint:literal;)*) => {
        /// A kind of line in the operators' log.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Event {
            $($name,)*
        }

        impl Event {
            /// All kinds, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            pub const fn row(self) -> EventRow {
                match self {
                    $(Self::$name => EventRow {
                        level: LogLevel::$level,
                        cause: Cause::$cause,
                        message: $message,
                        fields: &[$($field),*],
                        when: $when,
                        hint: $hint,
                    },)*
                }
            }
        }
    };
}

events! {
    // Start, reload and stop.
    Reloaded => Info Own "reloaded the configuration" ["generation", "warnings"],
        "After a reload.", "";
    ReloadWarning => Warning Own "the configuration has a warning" ["at", "message"],
        "For each warning of a reload.", "";
    NotReloaded => Error Own "the configuration was not reloaded" ["errors", "error"],
        "A reload failed; what was served before is served on.", "Correct the errors and reload again; `evenkeel check` shows them all.";
    ReloadError => Error Own "the configuration has an error" ["at", "message"],
        "For each of the first errors of a failed reload.", "";
    LogsReopened => Info Own "reopened the access logs" [],
        "After `evenkeel logs reopen` or SIGUSR1.", "";
    SessionGatewayServes => Info Own "a session gateway serves" ["gateway", "address"],
        "A session gateway listens, at the start or after a reload.", "";
    SessionGatewayNotBound => Error Own "a session gateway cannot listen" ["gateway", "address", "error"],
        "It is tried again all the time; the line is written once.", "End what uses the address, or change `bind` of the session gateway; the directory of a Unix socket must exist.";
    Stopping => Info Own "stopping" ["within"],
        "A graceful stop begins.", "";
    Stopped => Info Own "stopped" ["connections_cut"],
        "A graceful stop ended, and no connection was cut.", "";
    StoppedLate => Warning Own "stopped at the deadline" ["connections_cut"],
        "A graceful stop ended with connections that were cut.", "Raise `stop_timeout` if requests need longer.";
    StoppedAtOnce => Warning Own "stopped at once by a second signal" [],
        "A second signal ended a graceful stop.", "";
    StoppedBusy => Warning Own "stopped without waiting for what hangs" [],
        "At the deadline of a stop a reload, the claim of an address or a worker had not ended.", "The disk or the program that holds it up is to blame: look at the lines before.";
    NotOffered => Warning Own "an address cannot be offered to the next process" ["address", "error"],
        "A stop could not prepare a listener's sockets for a process that takes over. New connections are refused until that one listens.", "";
    HandedOver => Info Own "another process has taken over the addresses" ["addresses"],
        "A process that was started during a stop serves on the same sockets.", "";
    // Certificates.
    CertificatesSwapped => Info Own "swapped the certificates" ["generation", "files"],
        "Changed files of certificates, keys, CAs or CRLs are served.", "";
    CertificateWarning => Warning Own "a file of the certificates has a warning" ["at", "message"],
        "For each warning of such a swap.", "";
    CertificatesNotSwapped => Error Own "the certificates were not swapped" ["errors", "error"],
        "No changed file can be served; what was read before is served on.", "Correct the files: the swap is tried again every minute.";
    CertificatesPartlySwapped => Error Own "some files of the certificates were not swapped" ["errors", "error"],
        "Some of the changed files cannot be served; what was read before is served on in their place.", "Correct the files: the swap is tried again every minute.";
    CertificateError => Error Own "a file of the certificates has an error" ["at", "message"],
        "For each of the first errors of a failed swap.", "";
    CertificatesMatch => Info Own "the certificate files match the served ones again" [],
        "After a failed swap, the files are again what is served.", "";
    FileExpired => Error Own "a file that is in use has expired: renew it" ["file"],
        "A served certificate, CA or CRL has reached its end. Once for each file.", "";
    FileExpiresSoon => Warning Own "a file that is in use expires soon: renew it" ["file"],
        "A served certificate ends within 14 days. Once for each.", "";
    FilesUnwatched => Warning Own "certificate files are not watched, only checked once a minute" ["error"],
        "The kernel refused to watch directories.", "Raise fs.inotify.max_user_instances.";
    FoldersUnwatched => Warning Own "some directories of certificate files are not watched, only checked once a minute" ["error", "folders"],
        "The kernel refused to watch some directories.", "Raise fs.inotify.max_user_watches.";
    // Health.
    TargetHealthy => Info Own "a target is healthy" ["group", "target"],
        "Probes made a target healthy.", "";
    TargetUnhealthy => Warning Own "a target is unhealthy" ["group", "target", "reason"],
        "Probes made a target unhealthy.", "";
    ProbeNotMade => Error Own "a probe could not be made" ["target", "error"],
        "The reason lies with this machine. The target's health is unchanged.", "Raise the limit of open files, or widen the range of local ports.";
    FailOpen => Error Own "no target of a group is healthy: all of them get requests" ["group", "targets"],
        "All targets of a group are unhealthy.", "See the lines of its targets, and `evenkeel targets`; if the targets work, `health_check` asks for the wrong thing.";
    FailOpenEnded => Info Own "a group has a healthy target again" ["group", "target"],
        "After the line before.", "";
    // Requests and targets.
    RequestFailed => Error Peer "a request failed" ["reason", "status", "listener", "group", "target", "attempts", "client", "request_id", "detail"],
        "A request failed for a [reason](status-codes.md) that its table below calls a warning or an error. Each reason has its own level, limit and hint.", "";
    ConnectionFailed => Error Peer "a connection failed" ["reason", "listener", "group", "target", "attempts", "client", "detail"],
        "A connection to a listener with `protocol = \"tcp\"` or `\"tcp_ssl\"` was reset for a [reason](status-codes.md) that its table calls a warning or an error. Each reason has its own level and hint.", "";
    AttemptFailed => Warning Peer "an attempt failed, and the request goes to another target" ["reason", "group", "target", "detail"],
        "A target closed a new connection without a response to a request that can be repeated.", "";
    TargetDown => Error Peer "a target cannot be connected" ["reason", "group", "target", "detail"],
        "The first failed connect to a target. Others are preferred until one succeeds.", "";
    TargetBack => Info Peer "a target can be connected again" ["group", "target"],
        "After the line before, a connect succeeded.", "";
    // Clients.
    ClientCertificateRefused => Warning Peer "a client's certificate was refused" ["reason", "listener", "server_name", "peer"],
        "A handshake failed for the client's certificate, or for want of one.", "`client_auth` says which certificates are accepted: give one to a client that has none (`client_certificate_missing`); compare that of another with its CA and CRLs.";
    CertificateRefused => Warning Peer "a client refused our certificate" ["listener", "server_name", "peer"],
        "The client ended the handshake because of the certificate.", "Check the names and the chain with `evenkeel cert check`; a self-signed certificate must be known to the client.";
    HandshakeFailed => Info Peer "a TLS handshake failed" ["reason", "listener", "server_name", "peer"],
        "For all other reasons but a client that closed the connection.", "";
    PlainListener => Info Peer "TLS on a listener without TLS" ["listener", "peer"],
        "A client began a TLS handshake.", "Give the listener `protocol = \"https\"`, or let the client use http.";
    PlainClient => Info Peer "plain text on a listener with TLS" ["listener", "peer"],
        "A client of a `tcp_ssl` listener began without a TLS handshake.", "Let the client use TLS, or give the listener `protocol = \"tcp\"`.";
    ConnectionsRefused => Warning Peer "connections are refused: the limit is reached" ["listener", "peer", "of", "limit"],
        "No connection could be evicted for a new one.", "Raise `max_connections` of the listener or load balancer; `when_full = \"wait\"` lets new connections wait.";
    ConnectionsWait => Warning Peer "connections wait: the limit is reached" ["listener", "of", "limit"],
        "No connection could be evicted at once for a new one, which waits.", "Raise `max_connections` of the listener or load balancer.";
    ClientLimited => Warning Peer "a client has too many connections" ["listener", "peer", "limit"],
        "A connection was refused.", "Raise `max_connections_per_client` if the address is that of a proxy or of many clients.";
    DescriptorsUsedUp => Error Peer "connections are refused: no file descriptor is free" ["listener", "peer", "limit"],
        "All descriptors are in use, but for those that are kept for targets and logs.", "Raise the limit of open files (`LimitNOFILE=` in a unit).";
    Http2CutOff => Info Peer "an HTTP/2 client was cut off" ["peer", "reason"],
        "A client flooded us, or violated the protocol.", "";
    ProxyHeaderRefused => Warning Peer "no PROXY header to believe" ["peer", "result", "detail"],
        "A peer in `proxy_protocol` sent no valid PROXY header.", "Let the peer send the PROXY protocol, or take it off `proxy_protocol`.";
    AcceptFailed => Error Peer "cannot accept connections" ["error"],
        "The kernel gave no connection, for lack of descriptors or memory. It is tried again.", "Raise the limit of open files (`LimitNOFILE=` in a unit).";
    KeepaliveNotSet => Warning Own "cannot set the TCP keepalive" ["error"],
        "After a reload, the kernel refused a listener's new `tcp_keepalive`.", "";
    // The process.
    AccessLogLost => Error Peer "access log: lines lost" ["path", "lines", "error"],
        "A write to an access log failed.", "See the error: make room on the disk, or make the folder of the log again.";
    AccessLogDropped => Error Peer "access log: lines dropped" ["path", "lines"],
        "Lines came faster than the disk took them.", "Move the log to a faster disk.";
    AccessLogBack => Info Peer "access log: lines are written again" ["path", "lost"],
        "After one of the two lines before, with the number of lines that were lost.", "";
    AccessLogNotReopened => Error Own "access log: cannot reopen" ["path", "error"],
        "The path of an access log cannot be opened. The file that was open is written on.", "";
    AccessLogReopened => Info Own "access log: reopened after all" ["path"],
        "An access log that could not be reopened was opened under its path, at a later write.", "";
    Panicked => Error Peer "a bug of Evenkeel: a panic" ["thread", "at", "message"],
        "A task panicked. Its connection was closed; all others go on.", "Please report it with this line.";
    WorkerReplaced => Error Own "a worker died and is replaced" ["worker", "error"],
        "A bug of Evenkeel. The worker's connections are closed; another one accepts from the same sockets.", "Please report it with this line.";
    WorkersDie => Error Own "a worker dies again and again: the process ends" ["worker", "error"],
        "A bug of Evenkeel. The process ends with status 3, so that its supervisor starts another one.", "Please report it with the lines before it.";
    SecretMade => Info Own "a secret for sessions was made" ["file"],
        "Session cookies, or a session store, have no `key_file`. It is read again at the next start.", "Every balancer that shares the sessions needs a copy; name it as their `key_file`.";
    SecretNotKept => Warning Own "a secret for sessions cannot be kept" ["file", "error"],
        "The secret lasts as long as the process: sessions begin anew at a restart, and other balancers do not understand the cookies.", "Make the folder of the configuration writable once, or write a `key_file`.";
    SessionGatewaysNotStarted => Error Own "session gateways cannot be started" ["error"],
        "The threads of the session gateways cannot be started.", "";
    SessionsUneven => Warning Own "most requests come from one client" ["scope", "percent", "client"],
        "In the last minute, of 600 requests or more, one source address, or one cookie that was learned, made more than half: its target carries them alone. Said once a minute while it lasts.", "Clients behind one NAT or proxy share an address: a cookie tells them apart, `from = \"forwarded\"` reads their own addresses, `spill` limits what one target takes.";
    StoreNotOpened => Error Own "a session store cannot be opened" ["store", "error"],
        "At the start or after a reload. Sessions are kept in this process instead; session gateways on it do not serve.", "Correct `url` of the session store.";
    StoreAway => Error Own "a session store is away" ["store", "type", "error"],
        "Its calls fail or come too late, so that it is left alone and tried again all the time; or it has not served yet, and its first call failed; or its last five writes came too late. Sessions that are known here go on, and new ones go where a hash says; session gateways on it answer with errors.", "Look at the store and the way to it, and at its user and password; raise its `timeout` if it is only slow.";
    StoreRefuses => Error Own "a session store takes nothing" ["store", "type", "error"],
        "It is full, or does not permit what is asked, or its last five writes failed. What it holds can still be read.", "Make room in the store, or let the user that Evenkeel has there write.";
    SessionsChanged => Info Own "sessions were changed by a command" ["change", "sessions", "failed", "filter", "to"],
        "`evenkeel sessions move` or `delete`, or the admin API. `failed` counts those that stay as they are because their store is away; `filter` says which were meant. A change of many sessions has several lines.", "";
    StoreBack => Info Own "a session store serves again" ["store", "type"],
        "After one of the two lines before: it has answered for some seconds, or has taken all writes for a minute.", "";
    LeftOut => Info Own "lines were left out" ["reason", "of"],
        "Lines of one kind were suppressed, and no further line of that kind said how many.", "";
    LinesLost => Warning Own "lines of this log were lost" ["lines"],
        "Standard error did not take lines as fast as they came.", "";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_kind_has_its_own_message_and_place() {
        let messages: HashSet<_> = Event::ALL.iter().map(|event| event.row().message).collect();
        assert_eq!(messages.len(), Event::ALL.len());
        for (place, &event) in Event::ALL.iter().enumerate() {
            assert_eq!(event as usize, place);
        }
    }
}
