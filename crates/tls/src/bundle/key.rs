//! The private key of a bundle.

use std::sync::Arc;

use rustls::SignatureAlgorithm;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;

use super::KeyKind;
use super::certificate::RSA_BITS_MIN;
use super::der;
use super::problem::{Code, Part, Problem, Problems};
use super::sections::Sections;

/// A key that rustls can sign with.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) der: PrivateKeyDer<'static>,
    pub(super) signing: Arc<dyn SigningKey>,
    pub(super) kind: KeyKind,
    /// SubjectPublicKeyInfo.
    pub(super) public: Vec<u8>,
}

impl Key {
    /// The single key in the file of the key and the file of the chain. The same key may occur several times.
    pub(super) fn read(
        in_chain_file: Vec<PrivateKeyDer<'static>>,
        key_file: Option<&[u8]>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let mut found = Vec::new();
        let mut is_explained = problems.has_any(EXPLAINS_NO_KEY);
        if let Some(key_file) = key_file {
            let before = problems.len();
            let sections = Sections::read(key_file, Part::Key, problems);
            is_explained = problems.len() > before;
            found.extend(sections.keys.into_iter().map(|key| (key, Part::Key)));
        }
        found.extend(in_chain_file.into_iter().map(|key| (key, Part::Chain)));
        if found.is_empty() && !is_explained {
            let part = if key_file.is_some() { Part::Key } else { Part::Chain };
            problems.push(Problem::of_file(Code::NoKey, part, "the file has no private key"));
        }
        let loaded = found.into_iter().filter_map(|(key, part)| match Self::load(key) {
            Ok(key) => Some(key),
            Err((code, message)) => {
                problems.push(Problem::of_file(code, part, message));
                None
            }
        });
        let mut keys: Vec<Self> = Vec::new();
        for key in loaded {
            if keys.iter().all(|other| other.public != key.public) {
                keys.push(key);
            }
        }
        if keys.len() > 1 {
            let part = if key_file.is_some() { Part::Key } else { Part::Chain };
            let message = format!("there are {} different private keys", keys.len());
            problems.push(Problem::of_file(Code::SeveralKeys, part, message));
            return None;
        }
        keys.pop()
    }

    fn load(der: PrivateKeyDer<'static>) -> Result<Self, (Code, String)> {
        let unsupported = |what: &str| (Code::UnsupportedKey, format!("the private key {what}"));
        let Ok(signing) = any_supported_type(&der) else {
            return Err(match der::rsa_key_bits(der.secret_der()) {
                Some(bits) if bits < RSA_BITS_MIN => {
                    (Code::WeakKey, format!("the private key is RSA with {bits} bits"))
                }
                _ => unsupported("is broken or of a kind that cannot be served"),
            });
        };
        let kind = match signing.algorithm() {
            SignatureAlgorithm::RSA => KeyKind::Rsa,
            SignatureAlgorithm::ECDSA => KeyKind::Ecdsa,
            SignatureAlgorithm::ED25519 => KeyKind::Ed25519,
            _ => return Err(unsupported("is of a kind that cannot be served")),
        };
        let Some(public) = signing.public_key() else { return Err(unsupported("has no public key")) };
        let public = public.to_vec();
        Ok(Self { der, signing, kind, public })
    }
}

/// Problems that already explain why no key was found.
const EXPLAINS_NO_KEY: &[Code] = &[
    Code::TooLarge,
    Code::NotPem,
    Code::IsDer,
    Code::IsPkcs7,
    Code::IsPfx,
    Code::EncryptedKey,
    Code::UnsupportedKey,
    Code::SeveralKeys,
];
