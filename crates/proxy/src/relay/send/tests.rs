//! Heads and data arrive whole, however the socket cuts them.

use std::rc::Rc;
use std::time::Duration;

use net::sim::{End, Peer, for_seeds};

use super::*;
use crate::relay::tests::{buffer, receives};

#[test]
fn a_head_and_its_data_arrive_whole_and_in_order() {
    for_seeds(200, |sim| {
        let (world, mut rng) = (sim.clone(), sim.rng());
        let head_len = if rng.one_in(20) { LARGE + rng.size(3_000) } else { rng.size(3_000) };
        let data_len = rng.size(3_000);
        let (head, data) = (rng.bytes(head_len), rng.bytes(data_len));
        let (sent, script) = ([&head[..], &data].concat(), receives(&mut rng));
        let mut peer = Peer::default();
        sim.run(|worker| {
            let (stream, other) = world.stream(&worker, script).unwrap();
            peer = other;
            async move {
                let mut data = buffer(&data);
                send(&Stream::plain(stream), &head, &mut data).await.unwrap();
                assert!(data.is_empty());
            }
        })
        .unwrap();
        assert!(peer.report().received == sent);
        assert_eq!(peer.report().end, Some(End::Finished));
    });
}

#[test]
fn what_the_socket_did_not_take_at_once_is_returned() {
    for_seeds(100, |sim| {
        let (world, mut rng) = (sim.clone(), sim.rng());
        let (head_len, data_len) = (rng.size(6_000), rng.size(6_000));
        let (head, data) = (rng.bytes(head_len), rng.bytes(data_len));
        let sent = [&head[..], &data].concat();
        let script = receives(&mut rng);
        let mut peer = Peer::default();
        let left = sim
            .run(|worker| {
                let (stream, other) = world.stream(&worker, script).unwrap();
                peer = other;
                async move {
                    let mut data = buffer(&data);
                    let rest = send_now(&Stream::plain(stream), &head, &mut data).unwrap();
                    [&rest[..], data.bytes()].concat()
                }
            })
            .unwrap();
        assert!([&peer.report().received[..], &left].concat() == sent);
    });
}

#[test]
fn the_scratch_buffer_is_free_while_its_bytes_wait() {
    for_seeds(100, |sim| {
        let (world, mut rng) = (sim.clone(), sim.rng());
        let message = rng.bytes(9_000);
        let script = receives(&mut rng);
        let (mut peer, sent) = (Peer::default(), message.clone());
        sim.run(|worker| {
            let (stream, other) = world.stream(&worker, script).unwrap();
            peer = other;
            async move {
                let scratch = Rc::new(RefCell::new(b"of another".to_vec()));
                let (other, other_worker) = (Rc::clone(&scratch), worker.clone());
                worker.spawn(async move {
                    for _ in 0..50 {
                        other.borrow_mut().fill(b'x');
                        other_worker.yield_now().await;
                    }
                });
                let write = |out: &mut Vec<u8>| out.extend_from_slice(&message);
                send_scratch(&scratch, &Stream::plain(stream), write).await.unwrap();
                worker.sleep(Duration::from_secs(1)).await;
            }
        })
        .unwrap();
        assert!(peer.report().received == sent);
    });
}

#[test]
fn only_a_little_data_moves_behind_the_head() {
    for (len, moves) in [(0, true), (1, true), (COALESCED_BYTES_MAX, true), (COALESCED_BYTES_MAX + 1, false)]
    {
        let (mut head, mut data) = (b"head".to_vec(), buffer(&vec![b'd'; len]));
        coalesce(&mut head, &mut data);
        assert_eq!((head.len(), data.len()), if moves { (4 + len, 0) } else { (4, len) }, "{len}");
    }
}
