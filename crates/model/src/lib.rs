//! The data types of Evenkeel: the checked configuration, and the failures of a request.
//!
//! Nothing here reads a clock, a file or a socket, and nothing here knows the text an operator wrote: crate
//! `config` turns text into these types and is the only place where they are built from outside. A value of
//! one of these types is therefore already in range and is not checked again.

mod access;
mod admin;
mod cidr;
mod compression;
mod config;
mod connection_end;
mod connections;
mod failure;
mod health;
mod http;
mod limits;
mod listener;
mod name;
mod origin;
mod pattern;
mod persistence;
mod rule;
mod session_store;
mod status;
mod tcp;
mod tls;
mod websocket;

pub use access::{AccessEntry, AccessList, AccessLists, Verdict};
pub use admin::{Admin, AdminToken};
pub use cidr::{Cidr, InvalidCidr};
pub use compression::{Compression, CompressionLevels, ContentCoding};
pub use config::{
    Algorithm, Config, HashKey, ProxyVersion, Target, TargetGroup, TargetKeepalive, TargetTimeouts,
};
pub use connection_end::ConnectionEnd;
pub use connections::{ClientPrefix, ConnectionLimits, LoadBalancer, TcpKeepalive, WhenFull};
pub use failure::{Failure, LogLevel, Outcome, Phase, Retry, Side};
pub use health::{CheckKind, HealthCheck};
pub use http::{ClientAbort, EncodedSlash, ErrorPage, ForwardedHeaders, HttpService, HttpSettings, MinRate};
pub use limits::{HttpLimits, Limits};
pub use listener::{AccessLog, Listener, ListenerSettings, LogFormat, LogPath, Service};
pub use name::{
    ListenerName, LoadBalancerName, SessionGatewayName, SessionStoreName, TargetGroupName, TargetKey,
};
pub use origin::{InvalidOrigin, Origin, OriginPattern};
pub use pattern::{HostPattern, PathPattern, ValuePattern};
pub use persistence::{
    CookieAttributes, CookieMode, CookiePersistence, KeySource, Persistence, SameSite, SecretKeys,
    SourceFrom, SourceIpPersistence,
};
pub use rule::{
    Action, Conditions, FieldCondition, FieldEdits, FixedResponse, NamedCondition, PathRewrite, Redirect,
    Rule, TemplatePiece, WeightedGroup,
};
pub use session_store::{
    GatewayAddress, MemcachedAddress, MemcachedServer, SecretUrl, SessionGateway, SessionStore, SqlDialect,
    StoreKind,
};
pub use status::{StatusSet, status_phrase};
pub use tcp::{TcpService, TcpSettings};
pub use tls::{
    CertificateEntry, CertificateFiles, CipherSuite, ClientAuth, ExpiredCrl, Http2, IdentityHeaders,
    IdentityPattern, ListenerTls, Place, TargetProtocol, TargetTls, TlsVersion,
};
pub use websocket::WebSocket;
