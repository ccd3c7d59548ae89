//! Handshakes with clients whose server name is none that a certificate can have, such as `localhost:8443`.
//!
//! rustls ends a handshake with such a name, and has no setting for it. So its extension gets another type before rustls
//! reads the ClientHello, which makes rustls skip it, and its own type again where the message is hashed: both ends must
//! hash the same bytes. Only connections with such a name use these hashes. One case is left: in TLS 1.2 rustls verifies the
//! signature of a client's certificate over its own copy of the messages, so that it fails there.

use std::sync::{Arc, LazyLock};

use model::CipherSuite;
use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use rustls::crypto::{CipherSuiteCommon, CryptoProvider};
use rustls::{SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite};

use crate::provider::{of_rustls, provider_with};

/// Like [`provider_with`], for connections whose [`Session`](crate::Session) hides the name.
pub(crate) fn provider_without_names(suites: &[CipherSuite]) -> Arc<CryptoProvider> {
    let restoring = |suite: &CipherSuite| SUITES.iter().find(|(of, _)| of == suite).map(|&(_, suite)| suite);
    let cipher_suites = suites.iter().filter_map(restoring).collect();
    Arc::new(CryptoProvider { cipher_suites, ..CryptoProvider::clone(&provider_with(suites)) })
}

/// Hides the server name of the ClientHello in the records at the front of `records`, if it is complete. Does nothing the
/// second time.
pub(crate) fn hide_name(records: &mut [u8]) {
    let (mut message, mut places, mut at) = (Vec::new(), Vec::new(), 0);
    // limit: rustls takes a record of at most 16 KiB, and a ClientHello that was read before it came here of as much.
    while let Some(head) = records.get(at..at + RECORD_HEAD_BYTES) {
        let (kind, len) = (head[0], usize::from(u16::from_be_bytes([head[3], head[4]])));
        let body = at + RECORD_HEAD_BYTES..at + RECORD_HEAD_BYTES + len;
        at = body.end;
        match records.get(body.clone()) {
            // A client that is asked for another key share sends this before its second ClientHello.
            Some(_) if kind == CHANGE_CIPHER_SPEC => {}
            Some(bytes) if kind == HANDSHAKE && message.len() < MESSAGE_BYTES_MAX => {
                message.extend_from_slice(bytes);
                places.extend(body);
            }
            _ => break,
        }
    }
    if extension(&message, HIDDEN).is_some() {
        return;
    }
    let Some(found) = extension(&message, SERVER_NAME) else { return };
    for (offset, byte) in HIDDEN.to_be_bytes().into_iter().enumerate() {
        if let Some(byte_there) = places.get(found + offset).and_then(|&place| records.get_mut(place)) {
            *byte_there = byte;
        }
    }
}

/// Where the type of an extension is in a ClientHello, which may be cut off behind it.
fn extension(message: &[u8], wanted: u16) -> Option<usize> {
    if message.first() != Some(&CLIENT_HELLO) {
        return None;
    }
    let short = |at: usize| message.get(at).map(|&len| at + 1 + usize::from(len));
    let number = |at: usize| Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]));
    let long = |at: usize| number(at).map(|len| at + 2 + usize::from(len));
    // The session id, the suites and the compression methods; then the length of the extensions.
    let mut at = short(long(short(SESSION_ID_AT)?)?)? + 2;
    loop {
        if number(at)? == wanted {
            return Some(at);
        }
        at = long(at + 2)?;
    }
}

/// Every suite, with hashes that restore the name. Made once for the process.
static SUITES: LazyLock<Vec<(CipherSuite, SupportedCipherSuite)>> = LazyLock::new(|| {
    CipherSuite::ALL.into_iter().map(|suite| (suite, restoring(of_rustls(suite)))).collect()
});

fn restoring(suite: SupportedCipherSuite) -> SupportedCipherSuite {
    let with_hash = |common: &CipherSuiteCommon| CipherSuiteCommon {
        suite: common.suite,
        hash_provider: Box::leak(Box::new(Restoring(common.hash_provider))),
        confidentiality_limit: common.confidentiality_limit,
    };
    match suite {
        SupportedCipherSuite::Tls12(suite) => {
            SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                common: with_hash(&suite.common),
                prf_provider: suite.prf_provider,
                kx: suite.kx,
                sign: suite.sign,
                aead_alg: suite.aead_alg,
            })))
        }
        SupportedCipherSuite::Tls13(suite) => {
            SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
                common: with_hash(&suite.common),
                hkdf_provider: suite.hkdf_provider,
                aead_alg: suite.aead_alg,
                quic: suite.quic,
            })))
        }
    }
}

/// A hash of handshake messages that sees the ClientHello as the client has sent it.
struct Restoring(&'static dyn Hash);

impl Hash for Restoring {
    fn start(&self) -> Box<dyn Context> {
        Box::new(RestoringContext(self.0.start()))
    }

    fn hash(&self, data: &[u8]) -> Output {
        self.0.hash(data)
    }

    fn output_len(&self) -> usize {
        self.0.output_len()
    }

    fn algorithm(&self) -> HashAlgorithm {
        self.0.algorithm()
    }

    fn fips(&self) -> bool {
        self.0.fips()
    }
}

struct RestoringContext(Box<dyn Context>);

impl Context for RestoringContext {
    fn fork_finish(&self) -> Output {
        self.0.fork_finish()
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self(self.0.fork()))
    }

    fn finish(self: Box<Self>) -> Output {
        self.0.finish()
    }

    // invariant: rustls adds a ClientHello with a call of its own, so it begins at the first byte.
    fn update(&mut self, data: &[u8]) {
        let Some(at) = extension(data, HIDDEN) else { return self.0.update(data) };
        self.0.update(&data[..at]);
        self.0.update(&SERVER_NAME.to_be_bytes());
        self.0.update(&data[at + 2..]);
    }
}

const RECORD_HEAD_BYTES: usize = 5;
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
/// Behind the head of the message, the version and the random.
const SESSION_ID_AT: usize = 4 + 2 + 32;
const SERVER_NAME: u16 = 0;
/// Of the range for private use (RFC 8446 §11); a client that uses it itself gets what rustls gives it.
const HIDDEN: u16 = 0xff1d;
const MESSAGE_BYTES_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(extensions: &[u8]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([0, 0, 2, 0x13, 1, 1, 0]);
        body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        body.extend(extensions);
        let len = u8::try_from(body.len()).unwrap();
        [&[CLIENT_HELLO, 0, 0, len][..], &body].concat()
    }

    /// As records of at most so many bytes.
    fn records(message: &[u8], most: usize) -> Vec<u8> {
        let record =
            |part: &[u8]| [&[HANDSHAKE, 3, 1, 0, u8::try_from(part.len()).unwrap()][..], part].concat();
        message.chunks(most).flat_map(record).collect()
    }

    #[test]
    fn a_hidden_name_is_hashed_as_it_was_sent() {
        let message = hello(&[0, 10, 0, 2, 9, 9, 0, 0, 0, 4, 0, 2, 0, 0, 0, 11, 0, 0]);
        let restoring =
            Restoring(of_rustls(CipherSuite::Tls13Aes128GcmSha256).tls13().unwrap().common.hash_provider);
        for most in [1, 2, 7, 200] {
            let mut sent = records(&message, most);
            hide_name(&mut sent);
            let once = sent.clone();
            hide_name(&mut sent);
            assert!(sent == once && sent != records(&message, most), "{most}");
            let hidden: Vec<u8> = sent.chunks(5 + most).flat_map(|record| record[5..].to_vec()).collect();
            assert!(extension(&hidden, SERVER_NAME).is_none() && extension(&hidden, HIDDEN).is_some());
            let mut context = restoring.start();
            context.update(&hidden);
            assert_eq!(context.finish().as_ref(), restoring.hash(&message).as_ref(), "{most}");
        }
    }

    #[test]
    fn any_bytes_are_handled() {
        let message = hello(&[0, 0, 0, 4, 0, 2, 0, 0]);
        let whole = records(&message, 200);
        for end in 0..whole.len() {
            hide_name(&mut whole[..end].to_vec());
            let _ = extension(&message[..end.min(message.len())], HIDDEN);
        }
        for place in 0..whole.len() {
            for byte in [0, 1, 255] {
                let mut damaged = whole.clone();
                damaged[place] = byte;
                hide_name(&mut damaged);
            }
        }
    }
}
