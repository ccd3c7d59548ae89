//! Plans, heads and facts for tests, made from text.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use model::HttpLimits;
use observe::AccessLogs;
use proto::http1::{Progress, RequestHead, ResponseHead};
use tls::{Choice, Files, Identity, Material, TicketKeys};

use crate::arrival::{Arrival, Security};
use crate::decide::{Question, find_source};
use crate::head::{RequestText, ResponseText};
use crate::live::Live;
use crate::snapshot::{ListenerPlan, Snapshot};
use crate::stream::TlsFacts;

/// The files that a config names.
struct InMemory(HashMap<PathBuf, Vec<u8>>);

impl config::Files for InMemory {
    fn read(&self, path: &Path, _: usize) -> io::Result<Vec<u8>> {
        Ok(self.0.get(path).ok_or(io::ErrorKind::NotFound)?.clone())
    }
}

/// Compiles a config that names no files.
pub(crate) fn compile(text: &str) -> Snapshot {
    compile_with(text, &[])
}

/// Compiles a config; `files` are those that it names.
pub(crate) fn compile_with(text: &str, files: &[(&str, &str)]) -> Snapshot {
    let files = InMemory(files.iter().map(|&(path, text)| (path.into(), text.into())).collect());
    let parsed = config::parse(text, "test.toml", &files);
    let config = parsed.unwrap_or_else(|errors| panic!("{text}\n{errors}")).config;
    let read = |path: &Path| config::Files::read(&files, path, 0);
    let mut loaded = Files::new(&read, NOW);
    let material = Material::load(&config, &TicketKeys::new(NOW), &mut loaded);
    let material = material.unwrap_or_else(|| panic!("{loaded:?}"));
    let (live, logs) = (Live::new(1), AccessLogs::start().unwrap());
    Snapshot::compile(&config, &material, 1, &live, &logs, None).unwrap()
}

/// A snapshot of one listener at port 8080 with these keys, and of group `app` with one target at port 9001.
pub(crate) fn listener(keys: &str) -> Snapshot {
    compile(&listener_text(keys))
}

pub(crate) fn listener_text(keys: &str) -> String {
    format!(
        "[target_group.app]\ntargets = ['127.0.0.1:9001']\n\
         [listener.web]\nbind = '127.0.0.1:8080'\n{keys}\n"
    )
}

/// A connection in plain text from `peer`.
pub(crate) fn arrival(peer: &str) -> Arrival {
    let peer = peer.parse().unwrap();
    Arrival {
        peer,
        socket_peer: peer,
        port: 8080,
        is_peer_known: true,
        security: Security::Plain,
        is_http2: false,
    }
}

/// A connection under TLS from `192.0.2.7`, whose handshake asked for `name`.
pub(crate) fn tls_arrival(plan: &ListenerPlan, name: &str, identity: Option<Identity>) -> Arrival {
    let Choice::Host(host) = plan.tls.as_ref().unwrap().acceptor.choose(Some(name), None) else {
        panic!("{name}")
    };
    let (version, suite) = ("TLSv1.3", "TLS_AES_128_GCM_SHA256");
    let facts = TlsFacts {
        protocol: None,
        host: host.clone(),
        has_sent_name: true,
        server_name: None,
        identity,
        version,
        suite,
        watch_guard: None,
    };
    Arrival { security: Security::Tls(Rc::new(facts)), ..arrival("192.0.2.7:4711") }
}

/// A self-signed certificate, which may sign others, with this subject and names: as PEM with its key, and as an identity.
pub(crate) fn certificate(subject: &str, names: &[&str]) -> (String, Identity) {
    let key = rcgen::KeyPair::generate().unwrap();
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, subject);
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    let identity = Identity::of(certificate.der()).unwrap();
    (certificate.pem() + &key.serialize_pem(), identity)
}

/// A question about a request to the first listener.
pub(crate) fn question<'a>(
    snapshot: &'a Snapshot,
    arrival: &'a Arrival,
    request: &'a Request,
) -> Question<'a> {
    let plan = &snapshot.listeners[0];
    let source = find_source(&plan.http.trusted_proxies, arrival, request.text());
    Question { plan, table: &plan.table, arrival, request: request.text(), source, unix_seconds: NOW }
}

/// The head of a request with its bytes.
#[derive(Debug)]
pub(crate) struct Request {
    head: RequestHead,
    bytes: Vec<u8>,
}

impl Request {
    /// From the lines of the head, without the empty line.
    pub(crate) fn new(lines: &str) -> Self {
        let bytes = crlf(&format!("{lines}\n\n")).into_bytes();
        Self::parse(bytes).unwrap_or_else(|error| panic!("{lines}: {error}"))
    }

    /// Fails if these bytes are not exactly one head.
    pub(crate) fn parse(bytes: Vec<u8>) -> Result<Self, String> {
        let mut head = RequestHead::new();
        let progress = head.parse(&bytes, &HttpLimits::default());
        is_all(progress, bytes.len()).map(|()| Self { head, bytes })
    }

    pub(crate) fn text(&self) -> RequestText<'_> {
        RequestText { head: &self.head, bytes: &self.bytes }
    }
}

/// The head of a response with its bytes.
#[derive(Debug)]
pub(crate) struct Response {
    head: ResponseHead,
    bytes: Vec<u8>,
}

impl Response {
    /// From the lines of the head, without the empty line.
    pub(crate) fn new(lines: &str) -> Self {
        let bytes = crlf(&format!("{lines}\n\n")).into_bytes();
        Self::parse(bytes).unwrap_or_else(|error| panic!("{lines}: {error}"))
    }

    /// Fails if these bytes are not exactly one head.
    pub(crate) fn parse(bytes: Vec<u8>) -> Result<Self, String> {
        let mut head = ResponseHead::new();
        let progress = head.parse(&bytes, &HttpLimits::default());
        is_all(progress, bytes.len()).map(|()| Self { head, bytes })
    }

    pub(crate) fn text(&self) -> ResponseText<'_> {
        ResponseText { head: &self.head, bytes: &self.bytes }
    }
}

fn is_all<E: std::fmt::Debug>(progress: Result<Progress, E>, bytes: usize) -> Result<(), String> {
    match progress {
        Ok(Progress::Complete { head_bytes }) if head_bytes == bytes => Ok(()),
        other => Err(format!("{other:?} of {bytes} bytes")),
    }
}

/// The text with CRLF for LF.
pub(crate) fn crlf(text: &str) -> String {
    text.replace('\n', "\r\n")
}

/// The same back, to be compared and shown; a CR or LF of its own is an error.
pub(crate) fn lines(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let shown = text.replace("\r\n", "\n");
    assert!(!shown.contains('\r') && crlf(&shown) == text, "CR or LF alone: {text:?}");
    shown
}

/// The wall time: certificates that are made here are valid then.
pub(crate) const NOW: u64 = 1_790_000_000;
