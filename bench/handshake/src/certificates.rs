//! Certificates like those of public authorities: a leaf and one intermediate, all ECDSA P-256.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, Error, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

use crate::Outcome;
use crate::client::host;

/// Writes `0.pem` and so on. Each file holds the leaf for the host with that number, the intermediate and the
/// leaf's key.
pub(crate) fn write(directory: &Path, count: usize) -> Outcome {
    let intermediate = intermediate().map_err(|error| error.to_string())?;
    for number in 0..count {
        let text = bundle(&intermediate, number).map_err(|error| error.to_string())?;
        let path = directory.join(format!("{number}.pem"));
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn intermediate() -> Result<CertifiedIssuer<'static, KeyPair>, Error> {
    let root = CertifiedIssuer::self_signed(authority("Bench Root")?, KeyPair::generate()?)?;
    CertifiedIssuer::signed_by(authority("Bench Intermediate")?, KeyPair::generate()?, &root)
}

fn authority(name: &str) -> Result<CertificateParams, Error> {
    let mut params = named(Vec::new(), name)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn bundle(issuer: &CertifiedIssuer<'static, KeyPair>, number: usize) -> Result<String, Error> {
    let mut params = named(vec![host(number)], &host(number))?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let leaf = params.signed_by(&key, issuer)?;
    Ok([leaf.pem(), issuer.pem(), key.serialize_pem()].concat())
}

fn named(hosts: Vec<String>, name: &str) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    (params.not_before, params.not_after) = (date_time_ymd(2025, 1, 1), date_time_ymd(2045, 1, 1));
    Ok(params)
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    use super::*;

    #[test]
    fn a_bundle_is_leaf_intermediate_and_key() {
        let intermediate = intermediate().unwrap();
        let text = bundle(&intermediate, 17).unwrap();
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<_, _>>().unwrap();
        assert_eq!(chain.len(), 2);
        assert_eq!(chain[1], *intermediate.der());
        let name = host(17).into_bytes();
        assert!(chain[0].windows(name.len()).any(|window| window == name));
        PrivateKeyDer::from_pem_slice(text.as_bytes()).unwrap();
    }
}
