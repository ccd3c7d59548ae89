//! Announced closes of connections in use, step by step; the rest is in `sim_connection_limit.rs`.

#[expect(dead_code, reason = "the simulation uses the rest")]
#[path = "limits/cells.rs"]
mod cells;

use balance::connection_limit::{Ask, IdleBoard, PermitPool, PermitState, Pools, Scope, WaitingAccept};
use cells::SimCells;
use model::ConnectionLimits;

fn limited(max: u32) -> ConnectionLimits {
    ConnectionLimits { max: Some(max), ..ConnectionLimits::default() }
}

/// True if the accept is blocked; no connection is idle.
fn is_blocked(waiting: &mut WaitingAccept, pool: &PermitPool<SimCells>) -> bool {
    let board = IdleBoard::new(1);
    matches!(waiting.ask(pool, 0, || vec![Box::new(Member(&board))]), Ask::Blocked)
}

struct Member<'a>(&'a IdleBoard<SimCells>);

impl AsRef<IdleBoard<SimCells>> for Member<'_> {
    fn as_ref(&self) -> &IdleBoard<SimCells> {
        self.0
    }
}

#[test]
fn a_close_that_let_no_accept_in_is_announced_again() {
    let (listener, others) = (PermitPool::default(), [PermitPool::default(), PermitPool::default()]);
    let pools = Pools([&listener, &others[0], &others[1]]);
    listener.configure(&limited(3));
    let mut permits = [PermitState::default(); 3];
    permits.iter().for_each(|_| pools.take().unwrap());
    listener.configure(&limited(1));
    let mut waiting = WaitingAccept::begin(&listener, Scope::Listener);
    for closing in [0, 1] {
        assert!(is_blocked(&mut waiting, &listener));
        assert!(permits[closing].announce_close(&pools));
        assert!(is_blocked(&mut waiting, &listener));
        assert!(!permits[2].announce_close(&pools), "one for one that waits");
        let _ = permits[closing].end(&pools);
        assert_eq!(listener.open() as usize, 2 - closing);
    }
    assert!(is_blocked(&mut waiting, &listener));
    assert!(permits[2].announce_close(&pools));
    let _ = permits[2].end(&pools);
    pools.take().unwrap();
    let _ = waiting.end(&listener);
    assert!(!PermitState::default().announce_close(&pools), "no accept waits");
}

#[test]
fn nothing_is_left_of_a_close_that_another_permit_made_needless() {
    let (listener, others) = (PermitPool::default(), [PermitPool::default(), PermitPool::default()]);
    let pools = Pools([&listener, &others[0], &others[1]]);
    listener.configure(&limited(2));
    let mut permits = [PermitState::default(); 2];
    permits.iter().for_each(|_| pools.take().unwrap());
    let mut waiting = [(); 2].map(|()| WaitingAccept::begin(&listener, Scope::Listener));
    assert!(waiting.iter_mut().all(|waiting| is_blocked(waiting, &listener)));
    assert!(permits.iter_mut().all(|permit| permit.announce_close(&pools)));
    waiting.iter_mut().for_each(|waiting| assert!(!waiting.end(&listener)));
    let mut next = WaitingAccept::begin(&listener, Scope::Listener);
    assert!(is_blocked(&mut next, &listener));
    assert!(PermitState::default().announce_close(&pools), "those of before do not count");
}
