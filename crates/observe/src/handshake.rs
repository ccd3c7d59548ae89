//! TLS handshakes with clients, by result.

use crate::Counter;

/// The result of a handshake. Its word is the same in metrics and documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    Full,
    /// Resumed with a ticket.
    Resumed,
    /// The client closed or reset the connection before the handshake was complete.
    Closed,
    /// The handshake was not complete within `handshake_timeout`.
    TimedOut,
    /// The client sent no TLS handshake, or a malformed one.
    Malformed,
    /// The client offers no version that the listener supports.
    Version,
    /// `sni_strict` is set and no certificate matches the name.
    UnrecognizedName,
    /// No common cipher suite, key exchange or signature algorithm.
    NothingInCommon,
    /// ALPN offers no protocol that the listener supports.
    NoApplicationProtocol,
    /// The client sent a request in plain HTTP.
    PlainHttp,
    /// The client aborted the handshake with an alert.
    Alert,
    /// The client aborted the handshake with an alert about our certificate.
    CertificateRefused,
    ClientCertificateMissing,
    ClientCertificateExpired,
    ClientCertificateRevoked,
    ClientCertificateUnknownCa,
    /// The client's certificate is invalid for another reason: bad signature, wrong purpose, chain too long.
    ClientCertificate,
    Internal,
}

impl Handshake {
    pub const ALL: [Self; 18] = [
        Self::Full,
        Self::Resumed,
        Self::Closed,
        Self::TimedOut,
        Self::Malformed,
        Self::Version,
        Self::UnrecognizedName,
        Self::NothingInCommon,
        Self::NoApplicationProtocol,
        Self::PlainHttp,
        Self::Alert,
        Self::CertificateRefused,
        Self::ClientCertificateMissing,
        Self::ClientCertificateExpired,
        Self::ClientCertificateRevoked,
        Self::ClientCertificateUnknownCa,
        Self::ClientCertificate,
        Self::Internal,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Resumed => "resumed",
            Self::Closed => "closed",
            Self::TimedOut => "timed_out",
            Self::Malformed => "malformed",
            Self::Version => "version",
            Self::UnrecognizedName => "unrecognized_name",
            Self::NothingInCommon => "nothing_in_common",
            Self::NoApplicationProtocol => "no_application_protocol",
            Self::PlainHttp => "plain_http",
            Self::Alert => "alert",
            Self::CertificateRefused => "certificate_refused",
            Self::ClientCertificateMissing => "client_certificate_missing",
            Self::ClientCertificateExpired => "client_certificate_expired",
            Self::ClientCertificateRevoked => "client_certificate_revoked",
            Self::ClientCertificateUnknownCa => "client_certificate_unknown_ca",
            Self::ClientCertificate => "client_certificate",
            Self::Internal => "internal",
        }
    }
}

/// Handshakes by result.
#[derive(Debug, Default)]
pub struct Handshakes([Counter; Handshake::ALL.len()]);

impl Handshakes {
    pub fn count(&self, result: Handshake) {
        self.0[result as usize].increment();
    }

    pub fn read(&self, result: Handshake) -> u64 {
        self.0[result as usize].read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_their_index() {
        for (place, result) in Handshake::ALL.into_iter().enumerate() {
            assert_eq!(result as usize, place, "{result:?}");
        }
    }
}
