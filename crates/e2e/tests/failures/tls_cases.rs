//! TLS failures, with clients and with targets.

use model::Failure;
use testkit::{Authority, Target, TlsServer, ok};

use crate::case::Case;

pub(crate) fn case(failure: Failure) -> Option<Case> {
    Some(match failure {
        Failure::PlainHttp => {
            let site = Authority::new("Root").leaf(&["a.example"]).issue();
            Case::sends("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
                .with(|config| config.https(&["site.pem"]))
                .file("site.pem", site.pem())
        }
        Failure::Misdirected => misdirected(),
        Failure::ClientCertificateDenied => denied(),
        Failure::TargetTlsVerify => verified_with(&Authority::new("Other root")),
        Failure::TargetTls => {
            let mut case = Case::target(Target::script(|mut connection| {
                connection.read()?;
                connection.send("HTTP/1.1 400 This is not TLS\r\n\r\n")
            }));
            case.config = case.config.group("protocol = \"https\"").group("tls = { verify = false }");
            case
        }
        _ => return None,
    })
}

/// The handshake is for one host, and the request for another that has its own certificate.
fn misdirected() -> Case {
    let root = Authority::new("Root");
    let [one, other] = ["one.example", "other.example"].map(|name| root.leaf(&[name]).issue());
    Case::new(Target::named("never"), |balancer, _| {
        let mut client = balancer.tls_client("web").sni("one.example").connect();
        client.send("GET / HTTP/1.1\r\nHost: other.example\r\n\r\n");
        Some(client.response())
    })
    .with(|config| config.https(&["one.pem", "other.pem"]))
    .file("one.pem", one.pem())
    .file("other.pem", other.pem())
}

/// The client has a valid certificate that is not on the list.
fn denied() -> Case {
    let root = Authority::new("Root");
    let (site, bob) = (root.leaf(&[]).issue(), root.client("bob").issue());
    let auth = "client_auth = { mode = \"required\", ca = \"ca.pem\", allow = [\"subject=CN=alice\"] }";
    Case::new(Target::named("never"), move |balancer, _| {
        let mut client = balancer.tls_client("web").certificate(&bob).connect();
        Some(client.get("/"))
    })
    .with(|config| config.https(&["site.pem"]).listener(auth))
    .file("site.pem", site.pem())
    .file("ca.pem", root.pem())
}

/// The target's certificate is from another authority.
fn verified_with(authority: &Authority) -> Case {
    let server = TlsServer::new(&Authority::new("Root").leaf(&[]).issue());
    Case::target(Target::https(&server, |_| ok("never")))
        .with(|config| config.group("protocol = \"https\"").group("tls = { ca = \"ca.pem\" }"))
        .file("ca.pem", authority.pem())
}
