//! Shared code of the simulated tests: combinators of two futures, a copy loop, scripts.
#![allow(dead_code, unreachable_pub, reason = "each test file uses only some of it")]

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use net::sim::{Act, Rng, Sim};
use net::{Buffer, Sys, TcpStream};

/// The output of the first of two futures that is ready.
#[derive(Debug, PartialEq, Eq)]
pub enum First<A, B> {
    A(A),
    B(B),
}

/// Waits for the first of two futures; the other is dropped.
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

/// Waits for two futures.
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

/// Copies up to the end of the stream, then half-closes `to`.
pub async fn copy<S: Sys>(from: &TcpStream<S>, to: &TcpStream<S>, wanted: usize) -> io::Result<u64> {
    let (mut buffer, mut total) = (Buffer::new(), 0);
    loop {
        let count = from.fill(&mut buffer, wanted).await?;
        if count == 0 {
            to.shutdown_write()?;
            return Ok(total);
        }
        total += count as u64;
        to.write_all(&mut buffer, &mut Buffer::new()).await?;
    }
}

/// The script of a client that sends `message` in pieces, with pauses, and then FIN.
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

/// A random buffer size, mostly small, so that a stream takes several reads.
pub fn buffer_size(sim: &Sim) -> usize {
    [1, 512, 4096, net::LARGE][sim.rng().size(4)]
}
