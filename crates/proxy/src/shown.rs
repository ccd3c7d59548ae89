//! Connections whose clients have shown a certificate that may be revoked while they last (MT2).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use model::ListenerName;
use net::{StreamKey, Sys, Worker};
use rustls::pki_types::CertificateDer;
use tls::{Acceptor, ClientRules, Host};

/// Those of one worker.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    // limit: one for each connection, which have their own.
    entries: RefCell<HashMap<u64, Entry>>,
    next: Cell<u64>,
}

#[derive(Debug)]
struct Entry {
    stream: StreamKey,
    listener: ListenerName,
    host: Arc<Host>,
    chain: Vec<CertificateDer<'static>>,
}

/// Has a connection remembered until its drop.
#[derive(Debug)]
pub(crate) struct Remembered {
    shown: Weak<Shown>,
    number: u64,
}

impl Shown {
    pub(crate) fn remember(
        self: &Rc<Self>,
        stream: StreamKey,
        listener: &ListenerName,
        host: &Arc<Host>,
        chain: &[CertificateDer<'static>],
    ) -> Remembered {
        let number = self.next.get();
        self.next.set(number + 1);
        let (listener, host, chain) = (listener.clone(), Arc::clone(host), chain.to_vec());
        self.entries.borrow_mut().insert(number, Entry { stream, listener, host, chain });
        Remembered { shown: Rc::downgrade(self), number }
    }

    /// Cuts the connections of those who are revoked by what holds now; returns the listener of each.
    pub(crate) fn cut_revoked<'a, S: Sys>(
        &self,
        worker: &Worker<S>,
        acceptor: impl Fn(&ListenerName) -> Option<&'a Arc<Acceptor>>,
    ) -> Vec<ListenerName> {
        let entries = self.entries.borrow();
        let is_revoked = |entry: &&Entry| {
            let Some(acceptor) = acceptor(&entry.listener) else { return false };
            // Where other rules have taken the place of those by which it came in, any of the listener's may say so.
            let successor = acceptor.successor(&entry.host).and_then(|host| host.client.as_ref());
            let is_revoked =
                |rules: &ClientRules| rules.auth.closes_revoked && rules.policy.is_revoked(&entry.chain);
            successor.map_or_else(|| acceptor.clients().any(is_revoked), is_revoked)
        };
        let revoked: Vec<_> = entries.values().filter(is_revoked).collect();
        revoked.iter().for_each(|entry| worker.cut(entry.stream));
        revoked.iter().map(|entry| entry.listener.clone()).collect()
    }
}

impl Drop for Remembered {
    fn drop(&mut self) {
        if let Some(shown) = self.shown.upgrade() {
            shown.entries.borrow_mut().remove(&self.number);
        }
    }
}
