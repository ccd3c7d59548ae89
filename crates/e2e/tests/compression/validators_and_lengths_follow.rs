//! What the target says about its bytes is not true of compressed ones: length, digests and ranges are removed,
//! the validator becomes weak, and `Vary` names `Accept-Encoding` once (HTTP5, RFC 9110 §8.8.3.3).

use testkit::{Balancer, Client, Target};

use crate::{ask, compressing, html};

#[test]
fn validators_and_lengths_follow() {
    let fields = "ETag: \"x\"\r\nAccept-Ranges: bytes\r\nContent-MD5: abc\r\nDigest: md5=abc\r\n\
                  Content-Digest: sha-256=:abc=:\r\nRepr-Digest: sha-256=:abc=:\r\nLast-Modified: then\r\n\
                  Vary: Origin\r\n";
    let target = Target::http(move |_| html(fields));
    let balancer = Balancer::start(compressing(&target));
    let mut client = Client::connect(balancer.web());
    let response = ask(&mut client, "Accept-Encoding: gzip\r\n");
    for gone in ["content-length", "accept-ranges", "content-md5", "digest", "content-digest", "repr-digest"]
    {
        assert_eq!(response.field(gone), None, "{gone}");
    }
    assert_eq!(response.all("etag"), ["W/\"x\""]);
    assert_eq!(response.all("vary"), ["Origin", "Accept-Encoding"]);
    assert_eq!(response.field("last-modified"), Some("then"));
    assert_eq!(response.all("transfer-encoding"), ["chunked"]);

    let plain = ask(&mut client, "");
    assert_eq!((plain.field("etag"), plain.field("accept-ranges")), (Some("\"x\""), Some("bytes")));
    assert_eq!(plain.all("vary"), ["Origin", "Accept-Encoding"]);
}

#[test]
fn vary_names_the_field_once() {
    for vary in ["Accept-Encoding", "origin, ACCEPT-ENCODING", "*"] {
        let target = Target::http(move |_| html(&format!("Vary: {vary}\r\n")));
        let balancer = Balancer::start(compressing(&target));
        for accepts in ["Accept-Encoding: br\r\n", ""] {
            let response = ask(&mut Client::connect(balancer.web()), accepts);
            assert_eq!(response.all("vary"), [vary]);
        }
    }
}
