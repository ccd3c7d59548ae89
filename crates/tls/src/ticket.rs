//! Tickets, with which a client resumes a session without a full handshake (TLS3).
//!
//! All workers share one ring of keys. A ticket names its key, and is sealed together with what it may be used for: the
//! listener, the host and the policy that were valid when it was made. If one of these has changed, or the key is gone,
//! the ticket is refused and the client does a full handshake. Nothing in a ticket depends on the process: nodes that
//! share the ring accept each other's tickets.

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use rustls::server::ProducesTickets;

/// The keys that seal tickets.
#[derive(Debug)]
pub struct TicketKeys(RwLock<Ring>);

#[derive(Debug)]
struct Ring {
    current: Option<Key>,
    /// Opens tickets that it has sealed; seals no new ones.
    previous: Option<Key>,
    /// In seconds of the caller's clock.
    rotated: u64,
}

#[derive(Debug)]
struct Key {
    id: [u8; ID_BYTES],
    key: RandomizedNonceKey,
}

impl TicketKeys {
    /// Creates the first key. Without a source of randomness no tickets are made.
    pub fn new(now_seconds: u64) -> Arc<Self> {
        let ring = Ring { current: Key::random(), previous: None, rotated: now_seconds };
        Arc::new(Self(RwLock::new(ring)))
    }

    /// Rotates the keys if the current one is old enough. The key before it is removed, and with it every ticket that
    /// is older than [`TICKET_SECONDS`].
    pub fn rotate(&self, now_seconds: u64) {
        let mut ring = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if now_seconds.saturating_sub(ring.rotated) < ROTATE_SECONDS {
            return;
        }
        if let Some(key) = Key::random() {
            ring.rotated = now_seconds;
            ring.previous = ring.current.replace(key);
        }
    }

    /// A ticketer whose tickets only open with the same `binding`.
    pub fn bound_to(self: &Arc<Self>, binding: [u8; 32]) -> Arc<dyn ProducesTickets> {
        Arc::new(Tickets { keys: Arc::clone(self), binding })
    }
}

impl Key {
    fn random() -> Option<Self> {
        let (mut id, mut key) = ([0; ID_BYTES], [0; 32]);
        rand::fill(&mut id).ok()?;
        rand::fill(&mut key).ok()?;
        Some(Self { id, key: RandomizedNonceKey::new(&AES_256_GCM, &key).ok()? })
    }
}

struct Tickets {
    keys: Arc<TicketKeys>,
    binding: [u8; 32],
}

impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tickets")
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    #[expect(clippy::cast_possible_truncation, reason = "twelve hours")]
    fn lifetime(&self) -> u32 {
        TICKET_SECONDS as u32
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let ring = self.keys.0.read().unwrap_or_else(PoisonError::into_inner);
        let Key { id, key } = ring.current.as_ref()?;
        let mut sealed = plain.to_vec();
        let nonce = key.seal_in_place_append_tag(Aad::from(&self.binding), &mut sealed).ok()?;
        Some([&id[..], nonce.as_ref(), &sealed].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (id, rest) = ticket.split_at_checked(ID_BYTES)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        let ring = self.keys.0.read().unwrap_or_else(PoisonError::into_inner);
        let key = ring.current.iter().chain(&ring.previous).find(|key| key.id == id)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut opened = sealed.to_vec();
        let plain = key.key.open_in_place(nonce, Aad::from(&self.binding), &mut opened).ok()?.len();
        opened.truncate(plain);
        Some(opened)
    }
}

const ID_BYTES: usize = 8;
const ROTATE_SECONDS: u64 = 6 * 3600;
/// The longest time for which a ticket can be used.
const TICKET_SECONDS: u64 = 2 * ROTATE_SECONDS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_opens_only_with_its_binding_and_keys() {
        let keys = TicketKeys::new(0);
        let (one, other) = (keys.bound_to([1; 32]), keys.bound_to([2; 32]));
        let ticket = one.encrypt(b"session").unwrap();
        assert_eq!(keys.bound_to([1; 32]).decrypt(&ticket).unwrap(), b"session");
        assert_eq!(other.decrypt(&ticket), None, "another host, or another policy");
        assert_eq!(TicketKeys::new(0).bound_to([1; 32]).decrypt(&ticket), None, "other keys");
    }

    #[test]
    fn a_ticket_outlives_one_rotation() {
        let keys = TicketKeys::new(100);
        let tickets = keys.bound_to([0; 32]);
        let ticket = tickets.encrypt(b"session").unwrap();
        keys.rotate(100 + ROTATE_SECONDS - 1);
        keys.rotate(100 + ROTATE_SECONDS);
        assert!(tickets.decrypt(&ticket).is_some());
        assert_ne!(tickets.encrypt(b"").unwrap()[..ID_BYTES], ticket[..ID_BYTES]);
        keys.rotate(100 + 2 * ROTATE_SECONDS);
        assert_eq!(tickets.decrypt(&ticket), None);
    }

    #[test]
    fn malformed_tickets_are_refused() {
        let tickets = TicketKeys::new(0).bound_to([0; 32]);
        let ticket = tickets.encrypt(b"session").unwrap();
        for cut in 0..ticket.len() {
            assert_eq!(tickets.decrypt(&ticket[..cut]), None);
            let mut forged = ticket.clone();
            forged[cut] ^= 1;
            assert_eq!(tickets.decrypt(&forged), None);
        }
    }
}
