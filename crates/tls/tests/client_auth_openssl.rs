//! CAs, CRLs and subjects as made and printed by OpenSSL.

#![allow(clippy::unwrap_used)]

mod authority;

use std::fs;
use std::path::Path;
use std::process::Command;

use authority::{Authority, Setup};
use rcgen::{DistinguishedName, DnType};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tls::Identity;

fn openssl(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// `openssl ca` makes CRLs of version 1 unless configured otherwise.
#[test]
fn crls_made_by_openssl_are_accepted() {
    let workshop = tempfile::tempdir().unwrap();
    let path = workshop.path();
    let run = |line: &str| openssl(path, &line.split_whitespace().collect::<Vec<_>>());
    run("req -x509 -newkey rsa:2048 -nodes -subj /O=Example/CN=root -days 400 -keyout ca.key -out ca.pem");
    // Without extensions OpenSSL makes certificates of version 1, which are refused in every handshake.
    fs::write(path.join("leaf"), "basicConstraints=CA:FALSE\n").unwrap();
    for (name, serial) in [("alice", "0x8f01"), ("bob", "2")] {
        run(&format!("req -new -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"));
        run(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -set_serial {serial} -days 300 -extfile leaf -out {name}.pem"
        ));
    }
    fs::write(path.join("index"), "").unwrap();
    fs::write(path.join("crlnumber"), "01\n").unwrap();
    for (version, more) in [(1, ""), (2, "crlnumber=crlnumber\ncrl_extensions=extensions\n")] {
        let settings = format!(
            "[ca]\ndefault_ca=own\n[own]\ndatabase=index\ndefault_md=sha256\n{more}[extensions]\nauthorityKeyIdentifier=keyid\n"
        );
        fs::write(path.join("settings"), settings).unwrap();
        if version == 1 {
            run("ca -config settings -cert ca.pem -keyfile ca.key -revoke alice.pem");
        }
        run("ca -config settings -cert ca.pem -keyfile ca.key -gencrl -crldays 30 -out list.pem");
        run("crl -in list.pem -outform DER -out list.der");
        for list in ["list.pem", "list.der"] {
            let setup = Setup::new(&[]).ca(fs::read(path.join("ca.pem")).unwrap());
            let policy = setup.crl(fs::read(path.join(list)).unwrap()).policy();
            assert_eq!(policy.crl_entry_count(), 1, "version {version}, {list}");
            for (name, is_revoked) in [("alice", true), ("bob", false)] {
                let certificate = CertificateDer::from_pem_file(path.join(format!("{name}.pem"))).unwrap();
                assert_eq!(policy.is_revoked(&[certificate]), is_revoked, "{name}");
            }
        }
    }
}

/// The output of `-nameopt RFC2253` can be copied into `allow`.
#[test]
fn subjects_equal_those_that_openssl_prints() {
    let workshop = tempfile::tempdir().unwrap();
    let root = Authority::root("root");
    let names =
        ["alice", "Lučić, Ana", r#"a+b;c<d>e"f\g"#, "#1", "a=b/c", "two  spaces", "line\nend\u{7f}", "日本"];
    for common in names {
        let client = root.client_with("x", 1, |params| {
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::CountryName, "GB");
            params.distinguished_name.push(DnType::OrganizationalUnitName, "Build, Test");
            params.distinguished_name.push(DnType::CommonName, common);
        });
        fs::write(workshop.path().join("x.pem"), client.certificate.pem()).unwrap();
        let line = ["x509", "-in", "x.pem", "-noout", "-subject", "-nameopt", "RFC2253"];
        let printed = openssl(workshop.path(), &line);
        let printed = printed.trim_end_matches('\n').strip_prefix("subject=").unwrap().to_owned();
        assert_eq!(Identity::of(&client.der()).unwrap().subject, printed);
    }
}
