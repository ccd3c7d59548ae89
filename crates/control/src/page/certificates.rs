//! Certificates as text, with the time until they expire.

use super::table::table;
use crate::view::{CertificateView, CertificatesView, ListenerView};

/// A line for each certificate, those that expire first at the top.
pub fn certificate_table(certificates: &[CertificateView]) -> String {
    let mut sorted: Vec<_> = certificates.iter().collect();
    sorted.sort_by_key(|certificate| certificate.not_after_seconds);
    let row = |certificate: &&CertificateView| {
        vec![
            certificate.listener.clone(),
            names(&certificate.names),
            certificate.days_left.to_string(),
            certificate.not_after.clone(),
            certificate.subject.clone(),
            certificate.issuer.clone(),
            certificate.path.clone(),
            certificate.fingerprint.clone(),
            urgency(certificate).to_owned(),
        ]
    };
    let head =
        ["LISTENER", "NAMES", "DAYS", "NOT AFTER", "SUBJECT", "ISSUER", "FILE", "FINGERPRINT (SHA-256)", ""];
    table(&head, &sorted.iter().map(row).collect::<Vec<_>>())
}

fn urgency(certificate: &CertificateView) -> &'static str {
    match certificate.days_left {
        ..0 => "EXPIRED",
        _ if !certificate.is_fine() => "RENEW",
        _ => "",
    }
}

fn names(names: &[String]) -> String {
    let shown = names.iter().take(NAMES_SHOWN_MAX).map(String::as_str).collect::<Vec<_>>().join(" ");
    match names.len().saturating_sub(NAMES_SHOWN_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A summary of all certificates; empty if there are none.
pub(super) fn summary(certificates: &CertificatesView) -> String {
    let mut text = String::new();
    if let (Some(days), Some(end)) = (certificates.soonest_days_left, &certificates.soonest_not_after) {
        let noun = if certificates.served == 1 { "certificate" } else { "certificates" };
        let when = if days < 0 {
            format!("ONE EXPIRED at {end}")
        } else {
            format!("the first expires in {days} {} ({end})", if days == 1 { "day" } else { "days" })
        };
        text += &format!("{} {noun}: {when}\n", certificates.served);
    }
    for expired in &certificates.expired {
        text += &format!("EXPIRED: {expired}\n");
    }
    if let Some(failed) = &certificates.failed_swap {
        text += &format!(
            "LAST SWAP OF CERTIFICATES FAILED: {}; for these files what was served before is still in use\n",
            failed.at
        );
        text.extend(
            failed.error.trim_end().lines().map(|line| format!("  {line}").trim_end().to_owned() + "\n"),
        );
    }
    text
}

/// A table of the listeners with TLS.
pub(super) fn of_listeners(listeners: &[ListenerView]) -> String {
    let none = || "-".to_owned();
    let row = |listener: &ListenerView| {
        let tls = listener.tls.as_ref()?;
        Some(vec![
            listener.name.clone(),
            tls.certificates.to_string(),
            tls.soonest_not_after.clone().unwrap_or_else(none),
            tls.crl_entries.map_or_else(none, |entries| entries.to_string()),
            tls.crl_next_update.clone().unwrap_or_else(none),
        ])
    };
    let rows: Vec<_> = listeners.iter().filter_map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let head = ["LISTENER", "CERTIFICATES", "FIRST ENDS", "REVOKED", "CRL DUE"];
    format!("\n{}", table(&head, &rows))
}

// limit: names in a line; the JSON has all.
const NAMES_SHOWN_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{ListenerTlsView, SwapView};

    fn certificate(days_left: i64, names: &[&str]) -> CertificateView {
        CertificateView {
            listener: "web".into(),
            names: names.iter().map(ToString::to_string).collect(),
            subject: "CN=a".into(),
            issuer: "CN=CA".into(),
            fingerprint: "00ff".into(),
            path: "/etc/a.pem".into(),
            not_after: "2026-03-01T00:00:00Z".into(),
            not_after_seconds: u64::try_from(days_left + 100).unwrap(),
            days_left,
            ..CertificateView::default()
        }
    }

    #[test]
    fn certificates_that_expire_first_are_at_the_top() {
        let all =
            [certificate(90, &["a.example"]), certificate(13, &["b", "c", "d", "e"]), certificate(-1, &[])];
        let table = certificate_table(&all);
        let lines: Vec<_> = table.lines().collect();
        assert!(
            lines[1].ends_with("EXPIRED") && lines[2].ends_with("RENEW") && lines[3].ends_with("00ff"),
            "{table}"
        );
        assert!(
            lines[2].contains("b c d and 1 more    13  2026-03-01T00:00:00Z  CN=a     CN=CA   /etc/a.pem"),
            "{table}"
        );
        assert_eq!(all.each_ref().map(CertificateView::is_fine), [true, false, false]);
        assert!(certificate(14, &[]).is_fine());
    }

    #[test]
    fn the_summary_shows_problems_in_capitals() {
        assert_eq!(summary(&CertificatesView::default()), "");
        let fine = CertificatesView {
            served: 2,
            soonest_not_after: Some("2026-03-01T00:00:00Z".into()),
            soonest_days_left: Some(59),
            ..CertificatesView::default()
        };
        assert_eq!(summary(&fine), "2 certificates: the first expires in 59 days (2026-03-01T00:00:00Z)\n");
        let swap = SwapView { at: "2026-01-01T00:00:00Z".into(), error: "error: x\n --> f:1:1\n".into() };
        let wrong =
            CertificatesView { served: 1, soonest_days_left: Some(-1), failed_swap: Some(swap), ..fine };
        let expected = "\
1 certificate: ONE EXPIRED at 2026-03-01T00:00:00Z
LAST SWAP OF CERTIFICATES FAILED: 2026-01-01T00:00:00Z; for these files what was served before is still in use
  error: x
   --> f:1:1
";
        assert_eq!(summary(&wrong), expected);
    }

    #[test]
    fn listeners_with_tls_have_a_table() {
        let plain = ListenerView { name: "plain".into(), ..ListenerView::default() };
        assert_eq!(of_listeners(std::slice::from_ref(&plain)), "");
        let tls = ListenerTlsView {
            certificates: 2,
            soonest_not_after: Some("2026-03-01T00:00:00Z".into()),
            crl_entries: Some(7),
            crl_next_update: None,
        };
        let web = ListenerView { name: "web".into(), tls: Some(tls), ..ListenerView::default() };
        let expected = "
LISTENER  CERTIFICATES  FIRST ENDS            REVOKED  CRL DUE
web                  2  2026-03-01T00:00:00Z        7  -
";
        assert_eq!(of_listeners(&[plain, web]), expected);
    }
}
