//! One connection of an application.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use proto::memcached::{Command, Parser, Reply, Step};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;

use super::figures::{self, GatewayFigures};
use super::shelf::Shelf;
use super::socket::Stream;

/// Executes commands one after the other, so that a client that does not read its replies sends no more of them.
pub(super) struct Connection {
    pub(super) shelf: Arc<Shelf>,
    pub(super) figures: Arc<GatewayFigures>,
    pub(super) item_bytes_max: usize,
    parser: Parser,
    input: BytesMut,
    pub(super) out: BytesMut,
}

/// Whether it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goes {
    On,
    Away,
}

impl Connection {
    pub(super) fn new(shelf: Arc<Shelf>, figures: Arc<GatewayFigures>, item_bytes_max: usize) -> Self {
        let parser = Parser::new(item_bytes_max);
        let (input, out) = (BytesMut::new(), BytesMut::new());
        Self { shelf, figures, item_bytes_max, parser, input, out }
    }

    pub(super) async fn serve(mut self, mut stream: Box<dyn Stream>, mut stopping: watch::Receiver<bool>) {
        self.figures.accepted.fetch_add(1, Ordering::Relaxed);
        self.figures.open.fetch_add(1, Ordering::Relaxed);
        // Errors are not reported: the client disconnected.
        let _ = self.exchange(&mut *stream, &mut stopping).await;
        self.figures.open.fetch_sub(1, Ordering::Relaxed);
    }

    async fn exchange(
        &mut self,
        stream: &mut dyn Stream,
        stopping: &mut watch::Receiver<bool>,
    ) -> io::Result<()> {
        loop {
            self.input.reserve(READ_BYTES.max(self.parser.wanted().saturating_sub(self.input.len())));
            let read = tokio::select! {
                read = timeout(IDLE_TIMEOUT, stream.read_buf(&mut self.input)) => read,
                // A half command is the client's to send again.
                () = stopped(stopping) => return Ok(()),
            };
            let read = read.unwrap_or(Ok(0))?;
            if read == 0 {
                return Ok(());
            }
            self.figures.bytes_in.fetch_add(read as u64, Ordering::Relaxed);
            let goes = self.commands(stream).await?;
            self.flush(stream).await?;
            if goes == Goes::Away {
                return stream.shutdown().await;
            }
            if self.input.is_empty() && self.input.capacity() > KEPT_BYTES {
                self.input = BytesMut::new();
            }
        }
    }

    /// Executes what is complete.
    async fn commands(&mut self, stream: &mut dyn Stream) -> io::Result<Goes> {
        loop {
            match self.parser.next(&mut self.input) {
                Step::Wait => return Ok(Goes::On),
                Step::Do(Command::Quit(form)) => {
                    Reply(&mut self.out).quit(form);
                    return Ok(Goes::Away);
                }
                Step::Do(command) => self.execute(command, stream).await?,
                Step::Refuse(reply) => {
                    self.figures.count(figures::Command::Other, figures::Result::Refused);
                    self.out.extend_from_slice(&reply);
                }
                Step::TooLarge { key, reply } => {
                    self.figures.count(figures::Command::Store, figures::Result::Refused);
                    let _ = self.shelf.delete(&key, 0).await;
                    self.out.extend_from_slice(&reply);
                }
                Step::Close(reply) => {
                    self.out.extend_from_slice(&reply);
                    return Ok(Goes::Away);
                }
            }
            if self.out.len() >= OUT_BYTES_MAX {
                self.flush(stream).await?;
            }
        }
    }

    pub(super) async fn flush(&mut self, stream: &mut dyn Stream) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let late = |_| io::Error::from(io::ErrorKind::TimedOut);
        timeout(WRITE_TIMEOUT, stream.write_all(&self.out)).await.map_err(late)??;
        self.figures.bytes_out.fetch_add(self.out.len() as u64, Ordering::Relaxed);
        if self.out.capacity() > KEPT_BYTES {
            self.out = BytesMut::new();
        } else {
            self.out.clear();
        }
        Ok(())
    }
}

/// Waits until the gateway is to stop.
pub(super) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// limit: bytes of replies that are collected before they are sent; the last reply may exceed it.
pub(super) const OUT_BYTES_MAX: usize = 64 * 1024;
const READ_BYTES: usize = 16 * 1024;
/// limit: bytes of buffers that an idle connection keeps.
const KEPT_BYTES: usize = 128 * 1024;
/// Connections of applications are often idle for long, but not for ever.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);
/// How long a client may not read its replies.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
