//! An HTTP/2 client that sends given frames over any [`Client`].

use std::io::{self, ErrorKind};

use crate::client::Client;
use crate::hpack;
use crate::http2_frame::Http2Frame;
use crate::stream::alert;
use crate::wire::is_end;

#[derive(Debug)]
pub struct RawHttp2 {
    client: Client,
}

impl RawHttp2 {
    /// Sends the preface and SETTINGS without values.
    #[track_caller]
    pub fn start(client: Client) -> Self {
        Self::start_with(client, &[])
    }

    /// Sends the preface and SETTINGS with these values.
    #[track_caller]
    pub fn start_with(client: Client, settings: &[(u16, u32)]) -> Self {
        let mut raw = Self { client };
        raw.client.send([PREFACE, &Http2Frame::settings(settings).bytes()].concat());
        raw
    }

    /// Does not send a preface or SETTINGS.
    pub fn bare(client: Client) -> Self {
        Self { client }
    }

    #[track_caller]
    pub fn send(&mut self, frame: &Http2Frame) {
        self.try_send(frame).expect("send");
    }

    /// Sends, but does not panic: a balancer that ended the connection may have closed it.
    pub fn try_send(&mut self, frame: &Http2Frame) -> io::Result<()> {
        self.client.try_send(frame.bytes())
    }

    /// Sends bytes, such as many frames at once.
    pub fn try_send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.client.try_send(bytes)
    }

    /// Sends a `GET`.
    #[track_caller]
    pub fn get(&mut self, stream: u32, path: &str) {
        self.send(&Http2Frame::request(stream, hpack::request("GET", path, &[])));
    }

    /// Reads the next frame of any kind.
    pub fn try_frame(&mut self) -> io::Result<Http2Frame> {
        let head = self.client.try_read_exactly(9)?;
        let (length, mut frame) = Http2Frame::from_head(&head);
        frame.payload = self.client.try_read_exactly(length)?;
        Ok(frame)
    }

    /// Reads the next frame of this kind. Meanwhile it acknowledges SETTINGS and PINGs, as the protocol
    /// requires.
    #[track_caller]
    pub fn frame(&mut self, kind: u8) -> Http2Frame {
        self.frame_where(|frame| frame.kind == kind)
            .unwrap_or_else(|error| panic!("no frame {kind}: {error}"))
    }

    /// Like [`Self::frame`], for frames for which `wanted` is true.
    pub fn frame_where(&mut self, wanted: impl Fn(&Http2Frame) -> bool) -> io::Result<Http2Frame> {
        loop {
            let frame = self.try_frame()?;
            match frame.kind {
                Http2Frame::SETTINGS if !frame.is_ack() => self.try_send(&Http2Frame::settings_ack())?,
                Http2Frame::PING if !frame.is_ack() => {
                    self.try_send(&Http2Frame { flags: Http2Frame::ACK, ..frame.clone() })?;
                }
                _ => {}
            }
            if wanted(&frame) {
                return Ok(frame);
            }
        }
    }

    /// The status of the response on this stream.
    #[track_caller]
    pub fn status(&mut self, stream: u32) -> u16 {
        let answers = |frame: &Http2Frame| frame.kind == Http2Frame::HEADERS && frame.stream == stream;
        let frame = self.frame_where(answers).expect("a response");
        hpack::status(&frame.payload).unwrap_or_else(|| panic!("no status in {:x?}", frame.payload))
    }

    /// The error code with which this stream is reset.
    #[track_caller]
    pub fn reset_code(&mut self, stream: u32) -> u32 {
        let resets = |frame: &Http2Frame| frame.kind == Http2Frame::RST_STREAM && frame.stream == stream;
        self.frame_where(resets).expect("a reset").code().unwrap()
    }

    /// Reads until the connection's end. Returns the code of the last GOAWAY; `None` if there was none.
    #[track_caller]
    pub fn goaway(&mut self) -> Option<u32> {
        let mut code = None;
        loop {
            match self.try_frame() {
                Ok(frame) if frame.kind == Http2Frame::GOAWAY => code = frame.code(),
                Ok(_) => {}
                Err(error) if is_end(&error) || alert(&error).is_some() => return code,
                Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("the connection stays open"),
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The underlying connection.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// RFC 9113 §3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
