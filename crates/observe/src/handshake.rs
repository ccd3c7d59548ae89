//! TLS handshakes with clients, by what came of them.

use crate::Counter;

/// What came of a handshake. One word, the same in metrics and documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    Full,
    /// By a ticket.
    Resumed,
    /// The client closed or reset, before or within it.
    Closed,
    /// It was not done within `handshake_timeout`.
    TimedOut,
    /// What came is not a TLS handshake, or a broken one.
    Malformed,
    /// The client offers no version that the listener speaks.
    Version,
    /// `sni_strict`, and no certificate for the name.
    UnrecognizedName,
    /// No cipher suite, key exchange or signature in common.
    NothingInCommon,
    /// ALPN offers nothing that the listener speaks.
    NoApplicationProtocol,
    /// A request in plain HTTP.
    PlainHttp,
    /// The client ended it with an alert.
    Alert,
    /// The same, and the alert is about our certificate.
    CertificateRefused,
    ClientCertificateMissing,
    ClientCertificateExpired,
    ClientCertificateRevoked,
    ClientCertificateUnknownCa,
    /// Wrong in another way: forged, not for clients, too deep.
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
    fn results_stand_in_their_places() {
        for (place, result) in Handshake::ALL.into_iter().enumerate() {
            assert_eq!(result as usize, place, "{result:?}");
        }
    }
}
