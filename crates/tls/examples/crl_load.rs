//! Measures the cost of a long CRL: `cargo run --release -p tls --example crl_load [ENTRIES]`.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement prints and looks at the clock"
)]

use std::error::Error;
use std::time::Instant;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer, KeyIdMethod, KeyPair,
    RevokedCertParams, SerialNumber, date_time_ymd,
};

fn main() -> Result<(), Box<dyn Error>> {
    let entries = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let crl = list(entries)?;
    for (form, bytes) in [("DER", crl.der().to_vec()), ("PEM", crl.pem()?.into_bytes())] {
        let before = resident_kib();
        let start = Instant::now();
        let crls = tls::crl::read(&bytes)?;
        let (time, kib) = (start.elapsed(), resident_kib().saturating_sub(before));
        let start = Instant::now();
        let found = (0..1000u64).filter(|&index| crls[0].contains(&number(index).to_bytes())).count();
        println!(
            "{form}: {} entries, {} MiB in {time:.1?}; resident +{kib} KiB; a look-up takes {:.1?} ({found} found)",
            crls[0].entry_count(),
            bytes.len() >> 20,
            start.elapsed() / 1000,
        );
    }
    println!("peak {} KiB, with the lists' own making", status("VmHWM"));
    Ok(())
}

fn list(entries: u64) -> Result<rcgen::CertificateRevocationList, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    let revoked = (0..entries).map(|index| RevokedCertParams {
        serial_number: number(index),
        revocation_time: date_time_ymd(2026, 1, 1),
        reason_code: None,
        invalidity_date: None,
    });
    CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 11, 1),
        next_update: date_time_ymd(2027, 1, 1),
        crl_number: SerialNumber::from_slice(&[1]),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    }
    .signed_by(&Issuer::from_params(&params, &key))
}

/// Sixteen bytes, in no order.
fn number(index: u64) -> SerialNumber {
    let mixed = index.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    SerialNumber::from_slice(&[&[0x5a], &mixed[..], &index.to_be_bytes()[1..]].concat())
}

fn resident_kib() -> u64 {
    status("VmRSS")
}

/// 0 if the kernel does not report it.
fn status(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}
