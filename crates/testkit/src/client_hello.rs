//! Hand-made ClientHellos (RFC 8446 §4.1.2), for inputs that no TLS library sends.

/// A ClientHello without a client behind it: the handshake ends after the ServerHello.
#[derive(Clone, Debug)]
pub struct ClientHello {
    legacy_version: u16,
    /// `supported_versions`. If empty, the extension is left out.
    versions: Vec<u16>,
    suites: Vec<u16>,
    compression: Vec<u8>,
    /// The body of `server_name`.
    server_name: Option<Vec<u8>>,
    /// Further extensions, with their bodies.
    extensions: Vec<(u16, Vec<u8>)>,
}

impl Default for ClientHello {
    /// A ClientHello for TLS 1.2 with common suites.
    fn default() -> Self {
        Self {
            legacy_version: 0x0303,
            versions: Vec::new(),
            suites: vec![0xC02B, 0xC02F, 0xC02C, 0xC030],
            compression: vec![0],
            server_name: None,
            extensions: vec![
                // supported_groups: x25519, secp256r1.
                (10, vec![0, 4, 0, 29, 0, 23]),
                // ec_point_formats: uncompressed.
                (11, vec![1, 0]),
                // signature_algorithms: ECDSA and RSA-PSS and PKCS #1 with SHA-256.
                (13, vec![0, 6, 4, 3, 8, 4, 4, 1]),
                // extended_master_secret, renegotiation_info.
                (23, vec![]),
                (0xFF01, vec![0]),
            ],
        }
    }
}

impl ClientHello {
    /// The highest version offered without `supported_versions`: 0x0301 is TLS 1.0.
    #[must_use]
    pub fn legacy_version(mut self, version: u16) -> Self {
        self.legacy_version = version;
        self
    }

    #[must_use]
    pub fn supported_versions(mut self, versions: &[u16]) -> Self {
        self.versions = versions.to_vec();
        self
    }

    #[must_use]
    pub fn suites(mut self, suites: &[u16]) -> Self {
        self.suites = suites.to_vec();
        self
    }

    #[must_use]
    pub fn compression(mut self, methods: &[u8]) -> Self {
        self.compression = methods.to_vec();
        self
    }

    /// Sends a host name with any bytes.
    #[must_use]
    pub fn sni(self, name: &[u8]) -> Self {
        let entry = [&[0][..], &length16(name.len()), name].concat();
        self.raw_sni(&[&length16(entry.len())[..], &entry].concat())
    }

    /// Sends this body of `server_name`, which may be malformed.
    #[must_use]
    pub fn raw_sni(mut self, body: &[u8]) -> Self {
        self.server_name = Some(body.to_vec());
        self
    }

    #[must_use]
    pub fn extension(mut self, kind: u16, body: &[u8]) -> Self {
        self.extensions.push((kind, body.to_vec()));
        self
    }

    /// The handshake message, without record headers.
    pub fn message(&self) -> Vec<u8> {
        let mut body = self.legacy_version.to_be_bytes().to_vec();
        body.extend([7; 32]);
        // An empty session id.
        body.push(0);
        body.extend(length16(self.suites.len() * 2));
        self.suites.iter().for_each(|suite| body.extend(suite.to_be_bytes()));
        body.push(u8::try_from(self.compression.len()).unwrap());
        body.extend(&self.compression);
        let extensions = self.extension_bytes();
        body.extend(length16(extensions.len()));
        body.extend(extensions);
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[1][..], &length[1..], &body].concat()
    }

    /// The message in one record.
    pub fn bytes(&self) -> Vec<u8> {
        self.in_records(usize::MAX)
    }

    /// The message in records of this many bytes each.
    pub fn in_records(&self, size: usize) -> Vec<u8> {
        let message = self.message();
        let record = |part: &[u8]| [&[22, 3, 1][..], &length16(part.len()), part].concat();
        message.chunks(size.min(message.len())).flat_map(record).collect()
    }

    fn extension_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut add = |kind: u16, body: &[u8]| {
            bytes.extend(kind.to_be_bytes());
            bytes.extend(length16(body.len()));
            bytes.extend(body);
        };
        if let Some(body) = &self.server_name {
            add(0, body);
        }
        if !self.versions.is_empty() {
            let versions: Vec<u8> = self.versions.iter().flat_map(|version| version.to_be_bytes()).collect();
            add(43, &[&[u8::try_from(versions.len()).unwrap()][..], &versions].concat());
        }
        self.extensions.iter().for_each(|(kind, body)| add(*kind, body));
        bytes
    }
}

fn length16(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap().to_be_bytes()
}

#[cfg(test)]
mod tests {
    use rustls::server::Acceptor;

    use super::*;

    #[test]
    fn rustls_accepts_it() {
        let hello = ClientHello::default().sni(b"a.example");
        for bytes in [hello.bytes(), hello.in_records(10)] {
            let mut acceptor = Acceptor::default();
            let mut input = &bytes[..];
            while !input.is_empty() {
                acceptor.read_tls(&mut input).unwrap();
            }
            let accepted = acceptor.accept().map_err(|(error, _)| error).unwrap().unwrap();
            assert_eq!(accepted.client_hello().server_name(), Some("a.example"));
        }
    }
}
