//! Wire formats without I/O: bytes in, messages out, and back. No sockets, no clock.

pub mod client_hello;
pub mod compression;
pub mod cookie;
pub mod http1;
pub mod http2;
pub mod memcached;
pub mod proxy_protocol;
pub mod quic;
pub mod websocket;
