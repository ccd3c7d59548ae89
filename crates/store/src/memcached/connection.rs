//! One connection to one server, run by a task of its own. Callers queue commands; answers come in their order, so a
//! caller that goes away disturbs nothing: its answer is read and dropped.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use model::MemcachedAddress;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::wire::{Answer, Command, Expected, Protocol};
use crate::StoreError;

/// A command, and where its answer is awaited.
pub(super) type Request = (Command, oneshot::Sender<Result<Answer, StoreError>>);

/// How it ended. No caller waits for it any more.
#[derive(Debug)]
pub(super) enum End {
    /// All senders are gone, or the server has closed it while nothing was due.
    Closed,
    /// The server is to be left alone for a moment.
    Failed(StoreError),
}

pub(super) struct Connection<S> {
    stream: S,
    protocol: Protocol,
    /// The time in which something must come while an answer is due.
    patience: Duration,
    out: BytesMut,
    input: BytesMut,
    due: VecDeque<(Expected, oneshot::Sender<Result<Answer, StoreError>>)>,
}

/// What a connection needs to write and read.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Connects and learns what the server speaks, unless `protocol` says it.
pub(super) async fn open(
    address: &MemcachedAddress,
    protocol: Option<Protocol>,
    patience: Duration,
) -> Result<Connection<Box<dyn Stream>>, StoreError> {
    let connect = async {
        let mut stream = connect(address).await.map_err(|error| away(&error))?;
        let spoken = ask_protocol(&mut stream).await?;
        Ok(Connection {
            stream,
            protocol: protocol.unwrap_or(spoken),
            patience,
            out: BytesMut::new(),
            input: BytesMut::new(),
            due: VecDeque::new(),
        })
    };
    timeout(patience, connect).await.unwrap_or(Err(StoreError::Late))
}

async fn connect(address: &MemcachedAddress) -> io::Result<Box<dyn Stream>> {
    match address {
        MemcachedAddress::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        MemcachedAddress::Tcp { host, port } => {
            let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            for address in lookup_host((host.as_str(), *port)).await? {
                match TcpStream::connect(address).await {
                    Ok(stream) => {
                        stream.set_nodelay(true)?;
                        return Ok(Box::new(stream));
                    }
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
    }
}

/// A server that does not know meta commands says `ERROR`.
async fn ask_protocol(stream: &mut Box<dyn Stream>) -> Result<Protocol, StoreError> {
    stream.write_all(b"mn\r\n").await.map_err(|error| away(&error))?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\n") {
        // limit: the longer one of the two answers.
        if answer.len() > b"ERROR\r\n".len() {
            break;
        }
        answer.push(stream.read_u8().await.map_err(|error| away(&error))?);
    }
    match answer.as_slice() {
        b"MN\r\n" => Ok(Protocol::Meta),
        b"ERROR\r\n" => Ok(Protocol::Text),
        _ => Err(StoreError::Garbage("it does not speak memcached's protocol".to_owned())),
    }
}

impl<S: Stream> Connection<S> {
    /// Runs until the end, and tells the waiting callers why.
    pub(super) async fn run(mut self, requests: &mut mpsc::Receiver<Request>) -> End {
        let error = match self.serve(requests).await {
            Ok(()) => StoreError::Away("the server closed the connection".to_owned()),
            Err(error) => error,
        };
        let is_harmless = self.due.is_empty() && matches!(error, StoreError::Away(_));
        for (_, reply) in self.due.drain(..) {
            let _ = reply.send(Err(error.clone()));
        }
        if is_harmless { End::Closed } else { End::Failed(error) }
    }

    async fn serve(&mut self, requests: &mut mpsc::Receiver<Request>) -> Result<(), StoreError> {
        let mut deadline = Instant::now() + self.patience;
        let (mut reader, mut writer) = tokio::io::split(&mut self.stream);
        // All senders are gone: what is due is still answered.
        let mut is_last = false;
        loop {
            if is_last && self.due.is_empty() {
                return Ok(());
            }
            let may_take = !is_last && self.due.len() < DUE_MAX && self.out.len() < OUT_BYTES_MAX;
            let is_due = !self.due.is_empty();
            tokio::select! {
                request = requests.recv(), if may_take => {
                    let Some(request) = request else {
                        is_last = true;
                        continue;
                    };
                    if !is_due {
                        deadline = Instant::now() + self.patience;
                    }
                    queue(request, self.protocol, &mut self.out, &mut self.due);
                    while self.due.len() < DUE_MAX && self.out.len() < OUT_BYTES_MAX
                        && let Ok(request) = requests.try_recv()
                    {
                        queue(request, self.protocol, &mut self.out, &mut self.due);
                    }
                }
                // cancel-safe: what has been written has left the buffer.
                written = writer.write(&self.out), if !self.out.is_empty() => {
                    match written.map_err(|error| away(&error))? {
                        0 => return Ok(()),
                        written => self.out.advance(written),
                    }
                    // A large value may take its time. Later commands do not give a server that hangs more of it.
                    if self.due.len() == 1 {
                        deadline = Instant::now() + self.patience;
                    }
                }
                // cancel-safe: what has been read is in the buffer. It is also read when nothing is due, to learn that
                // the server has closed the connection.
                read = reader.read_buf(&mut self.input) => {
                    if read.map_err(|error| away(&error))? == 0 {
                        return Ok(());
                    }
                    deadline = Instant::now() + self.patience;
                    answer(&mut self.input, &mut self.due)?;
                }
                () = sleep_until(deadline), if is_due => return Err(StoreError::Late),
            }
        }
    }
}

fn queue(
    (command, reply): Request,
    protocol: Protocol,
    out: &mut BytesMut,
    due: &mut VecDeque<(Expected, oneshot::Sender<Result<Answer, StoreError>>)>,
) {
    if reply.is_closed() {
        // The caller has gone before the command was sent.
        return;
    }
    let mut bytes = Vec::new();
    let expected = command.write(protocol, &mut bytes);
    out.extend_from_slice(&bytes);
    due.push_back((expected, reply));
}

fn answer(
    input: &mut BytesMut,
    due: &mut VecDeque<(Expected, oneshot::Sender<Result<Answer, StoreError>>)>,
) -> Result<(), StoreError> {
    while let Some((expected, _)) = due.front() {
        let Some(answer) = expected.read(input)? else { return Ok(()) };
        if let Some((_, reply)) = due.pop_front() {
            let _ = reply.send(Ok(answer));
        }
    }
    if input.is_empty() { Ok(()) } else { Err(unasked()) }
}

fn unasked() -> StoreError {
    StoreError::Garbage("it said something that it was not asked".to_owned())
}

fn away(error: &io::Error) -> StoreError {
    StoreError::Away(error.to_string())
}

/// limit: answers that are due on one connection.
const DUE_MAX: usize = 1_024;
/// limit: from so many bytes on commands wait until some have been written.
const OUT_BYTES_MAX: usize = 256 * 1_024;
