//! The served certificates and CRLs, for status, metrics and `evenkeel certificates`.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::ListenerName;
use observe::{Exposition, Kind, Timestamp};
use tls::{Acceptor, CertificateInfo, ClientPolicy};

use super::{Control, Serving, State};
use crate::prepared::seconds;
use crate::view::{CertificateView, CertificatesView, ListenerTlsView, SwapView};

impl Control {
    /// The certificates of all listeners, in the order of the config.
    pub fn certificates(&self) -> Vec<CertificateView> {
        let now = seconds((self.wall)());
        let serving = Arc::clone(&self.state().serving);
        served(&serving).map(|(listener, info)| view(listener, info, now)).collect()
    }

    pub(super) fn certificates_view(&self, state: &State) -> CertificatesView {
        let now = seconds((self.wall)());
        let soonest = served(&state.serving).map(|(_, info)| info.not_after).min();
        CertificatesView {
            served: served(&state.serving).count(),
            soonest_not_after: soonest.map(rfc3339),
            soonest_days_left: soonest.map(|end| days_left(end, now)),
            expired: expired(&state.serving, now),
            swaps: state.swaps.done,
            swaps_failed: state.swaps.failed,
            failed_swap: state
                .swaps
                .failure
                .as_ref()
                .map(|failure| SwapView { at: rfc3339(seconds(failure.at)), error: failure.error.clone() }),
        }
    }
}

/// `None`: without TLS.
pub(super) fn listener_tls(serving: &Serving, name: &ListenerName) -> Option<ListenerTlsView> {
    let acceptor = serving.material.acceptors.get(name)?;
    let lists = Lists::of(acceptor);
    Some(ListenerTlsView {
        certificates: acceptor.certificates().len(),
        soonest_not_after: soonest(acceptor).map(rfc3339),
        crl_entries: lists.map(|lists| lists.entries),
        crl_next_update: lists.and_then(|lists| lists.next_update).map(rfc3339),
    })
}

pub(super) fn render(page: &mut Exposition, state: &State, now: u64) {
    let acceptors: Vec<_> = acceptors(&state.serving).collect();
    let mut family =
        page.family("evenkeel_listener_certificates", "Certificates that are served.", Kind::Gauge);
    for (name, acceptor) in &acceptors {
        family.sample(&[("listener", name.as_str())], acceptor.certificates().len() as u64);
    }
    let help = "Of these certificates, those that have expired.";
    let mut family = page.family("evenkeel_listener_certificates_expired", help, Kind::Gauge);
    for (name, acceptor) in &acceptors {
        let ended = acceptor.certificates().iter().filter(|info| info.has_ended(now)).count();
        family.sample(&[("listener", name.as_str())], ended as u64);
    }
    let help = "The earliest expiry of these certificates, in seconds since 1970.";
    let mut family =
        page.family("evenkeel_listener_certificate_soonest_not_after_seconds", help, Kind::Gauge);
    for (name, acceptor) in &acceptors {
        let Some(end) = soonest(acceptor) else { continue };
        family.sample(&[("listener", name.as_str())], end);
    }
    render_each(page, &state.serving);
    render_lists(page, &acceptors);
    let help = "Attempts to serve changed certificate files, by result.";
    let mut family = page.family("evenkeel_certificate_swaps_total", help, Kind::Counter);
    for (result, count) in [("done", state.swaps.done), ("failed", state.swaps.failed)] {
        family.sample(&[("result", result)], count);
    }
}

/// Renders the certificates that expire first, up to a limit.
fn render_each(page: &mut Exposition, serving: &Serving) {
    let each = served(serving).map(|(listener, info)| {
        (info.not_after, listener.as_str(), info.path.to_string_lossy().into_owned(), info.subject.as_str())
    });
    // A file can be listed twice, with different keys.
    let each: BTreeSet<_> = each.collect();
    let mut labels_seen = BTreeSet::new();
    let help = "The earliest expiry in a certificate's chain, in seconds since 1970; for the 1,000 that expire first.";
    let mut family = page.family("evenkeel_certificate_not_after_seconds", help, Kind::Gauge);
    for (end, listener, path, subject) in each.iter().take(CERTIFICATE_SERIES_MAX) {
        if labels_seen.insert((listener, path, subject)) {
            family.sample(&[("listener", *listener), ("path", path.as_str()), ("subject", *subject)], *end);
        }
    }
}

fn render_lists(page: &mut Exposition, acceptors: &[(&ListenerName, &Acceptor)]) {
    let lists: Vec<_> =
        acceptors.iter().filter_map(|(name, acceptor)| Some((name.as_str(), Lists::of(acceptor)?))).collect();
    let help = "Revoked certificates in the CRLs of a listener.";
    let mut family = page.family("evenkeel_crl_entries", help, Kind::Gauge);
    for (listener, lists) in &lists {
        family.sample(&[("listener", *listener)], lists.entries as u64);
    }
    let help = "The earliest nextUpdate of these CRLs, in seconds since 1970.";
    let mut family = page.family("evenkeel_crl_next_update_seconds", help, Kind::Gauge);
    for (listener, lists) in &lists {
        let Some(next_update) = lists.next_update else { continue };
        family.sample(&[("listener", *listener)], next_update);
    }
}

/// The CRLs of a listener.
#[derive(Clone, Copy, Debug)]
struct Lists {
    entries: usize,
    next_update: Option<u64>,
}

impl Lists {
    /// `None` if the listener has none.
    fn of(acceptor: &Acceptor) -> Option<Self> {
        // Hosts can share a policy; its lists count once.
        let mut policies: Vec<&Arc<ClientPolicy>> = Vec::new();
        for rules in acceptor.clients().filter(|rules| rules.policy.crl_count() > 0) {
            if !policies.iter().any(|known| Arc::ptr_eq(known, &rules.policy)) {
                policies.push(&rules.policy);
            }
        }
        (!policies.is_empty()).then(|| Self {
            entries: policies.iter().map(|policy| policy.crl_entry_count()).sum(),
            next_update: policies.iter().filter_map(|policy| policy.crl_next_update()).min(),
        })
    }
}

fn acceptors(serving: &Serving) -> impl Iterator<Item = (&ListenerName, &Acceptor)> {
    serving.config.listeners.iter().filter_map(|listener| {
        let acceptor = serving.material.acceptors.get(&listener.name)?;
        Some((&listener.name, &**acceptor))
    })
}

fn served(serving: &Serving) -> impl Iterator<Item = (&ListenerName, &CertificateInfo)> {
    acceptors(serving)
        .flat_map(|(name, acceptor)| acceptor.certificates().iter().map(move |info| (name, &**info)))
}

/// A line for each expired certificate, CA and CRL in a file.
pub(super) fn expired(serving: &Serving, now: u64) -> Vec<String> {
    let line = |ended: tls::Ended| {
        format!("{}: {} ended at {}", ended.path.display(), ended.what, rfc3339(ended.not_after))
    };
    let lines: BTreeSet<_> = serving.material.ended(now).into_iter().map(line).collect();
    lines.into_iter().take(EXPIRED_SHOWN_MAX).collect()
}

/// A line for each served certificate that ends within [`SOON_SECONDS`].
pub(super) fn expiring(serving: &Serving, now: u64) -> Vec<String> {
    let is_soon = |info: &&CertificateInfo| (now..now + SOON_SECONDS).contains(&info.not_after);
    let infos = served(serving).map(|(_, info)| info).filter(is_soon);
    let line = |info: &CertificateInfo| {
        format!("{}: {} ends at {}", info.path.display(), info.subject, rfc3339(info.not_after))
    };
    let lines: BTreeSet<_> = infos.map(line).collect();
    lines.into_iter().take(EXPIRED_SHOWN_MAX).collect()
}

fn soonest(acceptor: &Acceptor) -> Option<u64> {
    acceptor.certificates().iter().map(|info| info.not_after).min()
}

fn view(listener: &ListenerName, info: &CertificateInfo, now: u64) -> CertificateView {
    CertificateView {
        listener: listener.to_string(),
        names: info.names.clone(),
        subject: info.subject.clone(),
        issuer: info.issuer.clone(),
        serial: info.serial.clone(),
        fingerprint: info.fingerprint.clone(),
        path: info.path.display().to_string(),
        not_after: rfc3339(info.not_after),
        not_after_seconds: info.not_after,
        days_left: days_left(info.not_after, now),
    }
}

/// Whole days; negative after the expiry.
fn days_left(end: u64, now: u64) -> i64 {
    let seconds =
        i64::try_from(end).unwrap_or(i64::MAX).saturating_sub(i64::try_from(now).unwrap_or(i64::MAX));
    seconds.div_euclid(86_400)
}

fn rfc3339(seconds: u64) -> String {
    let mut text = Vec::new();
    Timestamp::new().write_seconds(seconds, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// As `evenkeel certificates` takes it.
const SOON_SECONDS: u64 = 14 * 86_400;
// limit: expired files in a status and in the log.
const EXPIRED_SHOWN_MAX: usize = 100;
// limit: metric series with a path and a subject.
const CERTIFICATE_SERIES_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_whole_and_negative_after_the_expiry() {
        for (end, now, days) in
            [(86_400, 0, 1), (86_399, 0, 0), (5, 5, 0), (5, 6, -1), (0, 86_400, -1), (0, 86_401, -2)]
        {
            assert_eq!(days_left(end, now), days, "{end} {now}");
        }
    }
}
