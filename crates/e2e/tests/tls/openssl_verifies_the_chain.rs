//! Checks with OpenSSL's client: six certificates are served as a chain of five in order, which verifies (CH1,
//! TLS1).

use std::process::{Command, Stdio};

use testkit::{Authority, Balancer, Target, pem};

use crate::https;

/// Standard output and error of `openssl s_client`.
fn s_client(balancer: &Balancer, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("openssl")
        .args(["s_client", "-connect", &balancer.web().to_string(), "-servername", "localhost"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn six_certificates_are_served_as_five_and_verify() {
    let root = Authority::new("Root");
    let upper = root.intermediate("One").intermediate("Two");
    let leaf = upper.intermediate("Three").intermediate("Four").leaf(&[]).issue();
    let shuffled: String = leaf.chain().iter().rev().map(|one| pem("CERTIFICATE", one)).collect();
    let bundle = root.pem() + &shuffled + &leaf.key_pem();
    let target = Target::named("one");
    let balancer =
        Balancer::prepare(https(&target)).file("site.pem", &bundle).file("root.pem", &root.pem()).start();
    let file = balancer.path("root.pem").display().to_string();
    for version in ["-tls1_2", "-tls1_3"] {
        let verify =
            ["-CAfile", &file, "-showcerts", "-verify_return_error", "-verify_hostname", "localhost"];
        let (is_served, text) = s_client(&balancer, &[&verify[..], &[version]].concat());
        assert!(is_served && text.contains("Verify return code: 0 (ok)"), "{version}: {text}");
        let names: Vec<_> = text.lines().filter(|line| line.contains(" s:")).collect();
        let wanted = ["localhost", "Four", "Three", "Two", "One"];
        assert_eq!(names.len(), wanted.len(), "{text}");
        assert!(names.iter().zip(wanted).all(|(line, name)| line.ends_with(name)), "{names:?}");
    }
}

#[test]
fn old_versions_are_refused() {
    let target = Target::named("one");
    let balancer = crate::start(https(&target));
    for version in ["-tls1", "-tls1_1"] {
        let (is_served, text) = s_client(&balancer, &[version, "-cipher", "ALL:@SECLEVEL=0"]);
        assert!(!is_served && text.contains("alert protocol version"), "{version}: {text}");
    }
}
