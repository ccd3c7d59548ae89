//! Among the cipher suites that both sides support, our order decides (TLS1).

use testkit::Target;

use crate::{https, start};

#[test]
fn our_order_decides() {
    let target = Target::named("one");
    // The client would prefer AES-256.
    for (listener, suite) in [
        ("", "TLS_AES_128_GCM_SHA256"),
        (
            "tls = { cipher_suites = [\"TLS_CHACHA20_POLY1305_SHA256\", \"TLS_AES_256_GCM_SHA384\"] }",
            "TLS_CHACHA20_POLY1305_SHA256",
        ),
    ] {
        let balancer = start(https(&target).listener(listener));
        let client = balancer.tls_client("web");
        assert_eq!(client.connect().handshake().suite, suite);
        let client = client.suites(&["TLS13_AES_256_GCM"]);
        assert_eq!(client.connect().handshake().suite, "TLS_AES_256_GCM_SHA384");
    }
}
