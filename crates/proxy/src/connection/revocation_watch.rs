//! Open connections whose client certificate may be revoked while they last (MT2).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use model::ListenerName;
use net::{StreamKey, Sys, Worker};
use rustls::pki_types::CertificateDer;
use tls::{Acceptor, ClientRules, Host};

/// The connections that one worker watches.
#[derive(Debug, Default)]
pub(crate) struct RevocationWatch {
    // limit: one entry for each open connection; those are limited.
    entries: RefCell<HashMap<u64, Entry>>,
    next: Cell<u64>,
}

#[derive(Debug)]
struct Entry {
    stream: StreamKey,
    listener: ListenerName,
    host: Arc<Host>,
    chain: Vec<CertificateDer<'static>>,
    is_cut: Rc<Cell<bool>>,
}

/// Keeps a connection watched until it is dropped.
#[derive(Debug)]
pub(crate) struct WatchGuard {
    revocation_watch: Weak<RevocationWatch>,
    number: u64,
    is_cut: Rc<Cell<bool>>,
}

impl WatchGuard {
    /// Whether the connection was closed because its client's certificate is revoked.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut.get()
    }
}

impl RevocationWatch {
    /// Watches a connection. `chain` is the client's certificate and those above it.
    pub(crate) fn watch(
        self: &Rc<Self>,
        stream: StreamKey,
        listener: &ListenerName,
        host: &Arc<Host>,
        chain: &[CertificateDer<'static>],
    ) -> WatchGuard {
        let number = self.next.get();
        self.next.set(number + 1);
        let is_cut = Rc::default();
        let (listener, host, chain) = (listener.clone(), Arc::clone(host), chain.to_vec());
        self.entries
            .borrow_mut()
            .insert(number, Entry { stream, listener, host, chain, is_cut: Rc::clone(&is_cut) });
        WatchGuard { revocation_watch: Rc::downgrade(self), number, is_cut }
    }

    /// Closes the connections whose certificates are revoked by the current policy; returns the listener of each.
    pub(crate) fn cut_revoked<'a, S: Sys>(
        &self,
        worker: &Worker<S>,
        acceptor: impl Fn(&ListenerName) -> Option<&'a Arc<Acceptor>>,
    ) -> Vec<ListenerName> {
        let entries = self.entries.borrow();
        let is_revoked = |entry: &&Entry| {
            let Some(acceptor) = acceptor(&entry.listener) else { return false };
            // If the host's rules were replaced since the handshake, a revocation by any of the listener's rules counts.
            let successor = acceptor.successor(&entry.host).and_then(|host| host.client.as_ref());
            let is_revoked =
                |rules: &ClientRules| rules.auth.closes_revoked && rules.policy.is_revoked(&entry.chain);
            successor.map_or_else(|| acceptor.clients().any(is_revoked), is_revoked)
        };
        let revoked: Vec<_> = entries.values().filter(is_revoked).collect();
        for entry in &revoked {
            entry.is_cut.set(true);
            worker.cut(entry.stream);
        }
        revoked.iter().map(|entry| entry.listener.clone()).collect()
    }
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        if let Some(revocation_watch) = self.revocation_watch.upgrade() {
            revocation_watch.entries.borrow_mut().remove(&self.number);
        }
    }
}
