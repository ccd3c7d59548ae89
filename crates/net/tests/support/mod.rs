//! What the simulated scenarios share: two futures at once, and the loops that a proxy is made of.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use net::sim::{Act, Rng, Sim};
use net::{Buffer, Sys, TcpStream};

/// Which of two futures was done first.
#[derive(Debug, PartialEq, Eq)]
pub enum First<A, B> {
    A(A),
    B(B),
}

pub async fn first<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> First<A, B> {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(|context| {
        if let Poll::Ready(a) = a.as_mut().poll(context) {
            return Poll::Ready(First::A(a));
        }
        b.as_mut().poll(context).map(First::B)
    })
    .await
}

pub async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut done_a, mut done_b) = (None, None);
    poll_fn(|context| {
        if done_a.is_none()
            && let Poll::Ready(a) = a.as_mut().poll(context)
        {
            done_a = Some(a);
        }
        if done_b.is_none()
            && let Poll::Ready(b) = b.as_mut().poll(context)
        {
            done_b = Some(b);
        }
        match (done_a.take(), done_b.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (done_a, done_b) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

/// Copies to the end of the stream, and passes the end on.
pub async fn copy<S: Sys>(from: &TcpStream<S>, to: &TcpStream<S>, room: usize) -> io::Result<u64> {
    let (mut buffer, mut total) = (Buffer::new(), 0);
    loop {
        let count = from.fill(&mut buffer, room).await?;
        if count == 0 {
            to.shutdown_write()?;
            return Ok(total);
        }
        total += count as u64;
        to.write_all(&mut buffer, &mut Buffer::new()).await?;
    }
}

/// A client's script that sends `message` in pieces with pauses, and FIN at the end.
pub fn sends(rng: &mut Rng, message: &[u8]) -> Vec<Act> {
    let mut acts = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rng.up_to(rest.len()));
        acts.push(Act::Send(piece.to_vec()));
        if rng.one_in(2) {
            acts.push(Act::Pause(std::time::Duration::from_micros(rng.below(5_000))));
        }
        rest = after;
    }
    acts
}

/// A size for buffers: mostly small, so that streams take several turns.
pub fn room(sim: &Sim) -> usize {
    [1, 512, 4096, net::LARGE][sim.rng().size(4)]
}
