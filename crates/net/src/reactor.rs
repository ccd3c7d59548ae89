//! The reactor: the readiness and the deadlines of a worker's sockets.
//!
//! A source starts as readable, writable and unregistered. The first wait on it registers it; epoll then reports its
//! current state, so no event is missed. A readiness flag is cleared only by EAGAIN or by a transfer shorter than asked
//! for. After the peer's FIN the read flag stays set until the stream was read to its end. Deadlines are columns of tick
//! numbers, which are scanned as a whole: setting one is a store, and a scan of 10,000 takes microseconds.

use std::task::Waker;
use std::time::Duration;

use crate::sys::{Event, Fd};

/// A deadline as a tick of 100 ms on the monotonic clock; 0 is "no deadline".
///
/// It fires 0–200 ms late, never early: it is rounded up to a tick, and deadlines are swept once a tick. A write deadline
/// that was restarted by a partial write is rounded up twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticks(pub(crate) u32);

impl Ticks {
    pub const NEVER: Self = Self(0);
    pub(crate) const NANOS: u64 = 100_000_000;

    /// The first tick that is at least `wait` after `now` (nanoseconds).
    pub(crate) fn after(now: u64, wait: Duration) -> Self {
        let nanos = now.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
        Self(u32::try_from(nanos.div_ceil(Self::NANOS)).unwrap_or(u32::MAX).max(1))
    }
}

/// The two directions of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// The slot and generation of a source. Events carry it, so that an event of a closed source is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SourceId {
    pub(crate) slot: u32,
    generation: u32,
}

impl SourceId {
    pub(crate) fn token(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    #[expect(clippy::cast_possible_truncation, reason = "takes the token apart again")]
    fn from_token(token: u64) -> Self {
        Self { slot: token as u32, generation: (token >> 32) as u32 }
    }
}

#[derive(Default)]
struct Source {
    fd: Fd,
    generation: u32,
    flags: u16,
    /// When the peer's FIN or reset was seen: milliseconds of the worker's clock, without the high bits.
    closed_millis: u32,
    wakers: [Option<Waker>; 2],
}

const REGISTERED: u16 = 1;
const READABLE: u16 = 1 << 1;
const WRITABLE: u16 = 1 << 2;
const READ_CLOSED: u16 = 1 << 3;
const GONE: u16 = 1 << 4;
const READ_LATE: u16 = 1 << 5;
const WRITE_LATE: u16 = 1 << 6;
const OPEN: u16 = 1 << 7;
/// The connection waits for its next request, with nothing in flight, and may be closed at any time.
const IDLE: u16 = 1 << 8;

/// All sources of one worker. No method wakes or drops a waker, which is foreign code: the caller gets the waker and wakes
/// or drops it after it has released its borrow of the reactor.
#[derive(Default)]
pub(crate) struct Reactor {
    sources: Vec<Source>,
    free: Vec<u32>,
    /// By slot, one column for each direction.
    deadlines: [Vec<u32>; 2],
    /// By slot: the length of the write timeout in ticks, with which a partial write restarts the deadline.
    write_timeouts: Vec<u32>,
    /// By slot: the tick beyond which no partial write moves the deadline; 0: there is none.
    write_limits: Vec<u32>,
    /// A lower bound of all deadlines; 0: there is none.
    earliest: u32,
    unregistered: usize,
}

/// Whether a transfer may be tried in one direction of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Ready,
    NotReady,
    /// The deadline has passed, or the wait was roused.
    Late,
}

/// The readiness of one source; see [`Reactor::readiness`].
#[cfg(any(test, feature = "sim"))]
pub(crate) struct Readiness {
    pub(crate) fd: Fd,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

impl Reactor {
    /// Adds a source; `fd` -1 is a timer.
    pub(crate) fn insert(&mut self, fd: Fd) -> SourceId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.sources.push(Source::default());
            self.deadlines.iter_mut().for_each(|column| column.push(0));
            self.write_timeouts.push(0);
            self.write_limits.push(0);
            u32::try_from(self.sources.len() - 1).unwrap_or(u32::MAX)
        });
        let source = &mut self.sources[slot as usize];
        source.fd = fd;
        // A timer has no descriptor and is never registered.
        let registered = if fd < 0 { REGISTERED } else { 0 };
        self.unregistered += usize::from(registered == 0);
        source.flags = OPEN | READABLE | WRITABLE | registered;
        SourceId { slot, generation: source.generation }
    }

    /// Removes a source. The caller drops the wakers after its borrow.
    pub(crate) fn remove(&mut self, id: SourceId) -> [Option<Waker>; 2] {
        let source = &mut self.sources[id.slot as usize];
        source.generation = source.generation.wrapping_add(1) & TOKEN_GENERATION_MASK;
        self.unregistered -= usize::from(source.flags & REGISTERED == 0);
        source.flags = 0;
        let wakers = std::mem::take(&mut source.wakers);
        self.deadlines.iter_mut().for_each(|column| column[id.slot as usize] = 0);
        self.free.push(id.slot);
        wakers
    }

    pub(crate) fn state(&mut self, id: SourceId, direction: Direction) -> State {
        let source = &mut self.sources[id.slot as usize];
        let (ready, late) = flags_of(direction);
        if source.flags & late != 0 {
            State::Late
        } else if source.flags & ready != 0 {
            State::Ready
        } else {
            State::NotReady
        }
    }

    /// Clears readiness after a transfer that moved less than asked for.
    pub(crate) fn drained(&mut self, id: SourceId, direction: Direction) {
        let source = &mut self.sources[id.slot as usize];
        // After the peer's FIN no further edge comes, so reads must go on to the end of the stream.
        let keep = direction == Direction::Read && source.flags & (READ_CLOSED | GONE) != 0;
        if !keep {
            source.flags &= !flags_of(direction).0;
        }
    }

    /// Clears readiness after EAGAIN.
    pub(crate) fn blocked(&mut self, id: SourceId, direction: Direction) {
        self.sources[id.slot as usize].flags &= !flags_of(direction).0;
    }

    /// Whether nothing unread is known to have arrived: no bytes, no FIN, no reset.
    pub(crate) fn is_quiet(&self, id: SourceId) -> bool {
        self.sources[id.slot as usize].flags & (READABLE | READ_CLOSED | GONE) == 0
    }

    pub(crate) fn set_idle(&mut self, id: SourceId, idle: bool) {
        let flags = &mut self.sources[id.slot as usize].flags;
        *flags = if idle { *flags | IDLE } else { *flags & !IDLE };
    }

    /// Makes every idle source late, and takes the wakers of their reads for the caller to wake.
    pub(crate) fn rouse_idle(&mut self, woken: &mut Vec<Waker>) {
        for source in self.sources.iter_mut().filter(|source| source.flags & (OPEN | IDLE) == OPEN | IDLE) {
            source.flags |= READ_LATE;
            woken.extend(source.wakers[Direction::Read as usize].take());
        }
    }

    /// Makes a source late if it is open and idle, and takes the waker of its read for the caller to wake.
    pub(crate) fn rouse(&mut self, id: SourceId) -> Option<Waker> {
        let source = self.sources.get_mut(id.slot as usize)?;
        if source.generation != id.generation || source.flags & (OPEN | IDLE) != OPEN | IDLE {
            return None;
        }
        source.flags |= READ_LATE;
        source.wakers[Direction::Read as usize].take()
    }

    /// The descriptor of a source, if it is still open.
    pub(crate) fn descriptor(&self, id: SourceId) -> Option<Fd> {
        let source = self.sources.get(id.slot as usize)?;
        (source.generation == id.generation && source.flags & OPEN != 0).then_some(source.fd)
    }

    pub(crate) fn is_gone(&self, id: SourceId) -> bool {
        self.sources[id.slot as usize].flags & GONE != 0
    }

    /// How long ago the peer's FIN or reset was seen, in milliseconds.
    pub(crate) fn closed_for_millis(&self, id: SourceId, now: u64) -> Option<u64> {
        let source = &self.sources[id.slot as usize];
        let is_closed = source.flags & (READ_CLOSED | GONE) != 0;
        is_closed.then(|| u64::from(low_millis(now).wrapping_sub(source.closed_millis)))
    }

    /// Notes that a registration has failed, so that the next [`Self::park`] asks for it again.
    pub(crate) fn not_registered(&mut self, id: SourceId) {
        let source = &mut self.sources[id.slot as usize];
        self.unregistered += usize::from(source.flags & REGISTERED != 0);
        source.flags &= !REGISTERED;
    }

    pub(crate) fn is_read_closed(&self, id: SourceId) -> bool {
        self.sources[id.slot as usize].flags & (READ_CLOSED | GONE) != 0
    }

    /// Stores the waker of a wait. The caller drops the waker that it replaces after its borrow, and if the result is
    /// `true`, registers the source.
    pub(crate) fn park(&mut self, id: SourceId, direction: Direction, waker: Waker) -> (Option<Waker>, bool) {
        let source = &mut self.sources[id.slot as usize];
        let register = source.flags & REGISTERED == 0;
        self.unregistered -= usize::from(register);
        source.flags |= REGISTERED;
        (source.wakers[direction as usize].replace(waker), register)
    }

    /// Stores the waker of a wait for reading, as [`Self::park`], but leaves the source unregistered.
    pub(crate) fn park_unregistered(&mut self, id: SourceId, waker: Waker) -> Option<Waker> {
        self.sources[id.slot as usize].wakers[Direction::Read as usize].replace(waker)
    }

    pub(crate) fn set_deadline(&mut self, id: SourceId, direction: Direction, deadline: Ticks) {
        self.sources[id.slot as usize].flags &= !flags_of(direction).1;
        self.deadlines[direction as usize][id.slot as usize] = deadline.0;
        if deadline.0 != 0 && (self.earliest == 0 || deadline.0 < self.earliest) {
            self.earliest = deadline.0;
        }
    }

    /// Sets the deadline for writing. A partial write restarts it for the rest; see [`Self::wrote`].
    pub(crate) fn set_write_deadline(&mut self, id: SourceId, deadline: Ticks, now: u64) {
        self.set_deadline(id, Direction::Write, deadline);
        self.write_timeouts[id.slot as usize] = deadline.0.saturating_sub(tick_of(now));
        self.write_limits[id.slot as usize] = 0;
    }

    /// Limits how far partial writes move the deadline that is set, until the next is set.
    pub(crate) fn limit_writes(&mut self, id: SourceId, limit: Ticks) {
        let slot = id.slot as usize;
        let deadline = self.deadlines[Direction::Write as usize][slot];
        if deadline != 0 {
            self.set_deadline(id, Direction::Write, Ticks(deadline.min(limit.0)));
            self.write_limits[slot] = limit.0;
        }
    }

    /// Restarts the write deadline, if one is set, because bytes were written.
    pub(crate) fn wrote(&mut self, id: SourceId, now: u64) {
        let slot = id.slot as usize;
        if self.deadlines[Direction::Write as usize][slot] != 0 {
            // From the next tick, not the current one: a deadline is never early.
            let deadline = tick_of(now).saturating_add(1).saturating_add(self.write_timeouts[slot]);
            let limit = self.write_limits[slot];
            self.set_deadline(
                id,
                Direction::Write,
                Ticks(if limit == 0 { deadline } else { deadline.min(limit) }),
            );
        }
    }

    pub(crate) fn has_read_deadline(&self, id: SourceId) -> bool {
        self.deadlines[Direction::Read as usize][id.slot as usize] != 0
    }

    /// Clears the late state of the read direction, so that waits continue.
    pub(crate) fn forget_late(&mut self, id: SourceId) {
        self.sources[id.slot as usize].flags &= !READ_LATE;
    }

    /// The tick of the next sweep, if a deadline is set.
    pub(crate) fn next_deadline(&self) -> Option<u32> {
        (self.earliest != 0).then_some(self.earliest)
    }

    /// Notes an event, and takes the wakers that it wakes for the caller to wake.
    pub(crate) fn event(&mut self, event: &Event, now: u64, woken: &mut Vec<Waker>) {
        let id = SourceId::from_token(event.token);
        let Some(source) = self.sources.get_mut(id.slot as usize) else { return };
        if source.generation != id.generation || source.flags & OPEN == 0 {
            return;
        }
        let reads = event.readable || event.read_closed || event.gone;
        let writes = event.writable || event.gone;
        if (event.read_closed || event.gone) && source.flags & (READ_CLOSED | GONE) == 0 {
            source.closed_millis = low_millis(now);
        }
        source.flags |= if reads { READABLE } else { 0 }
            | if writes { WRITABLE } else { 0 }
            | if event.read_closed { READ_CLOSED } else { 0 }
            | if event.gone { GONE } else { 0 };
        if reads {
            woken.extend(source.wakers[Direction::Read as usize].take());
        }
        if writes {
            woken.extend(source.wakers[Direction::Write as usize].take());
        }
    }

    /// Marks the directions whose deadline has passed at tick `now` as late, and takes their wakers for the caller to wake.
    /// Returns how many deadlines fired.
    pub(crate) fn sweep(&mut self, now: u32, woken: &mut Vec<Waker>) -> u64 {
        if self.earliest == 0 || now < self.earliest {
            return 0;
        }
        let (mut fired, mut earliest) = (0, u32::MAX);
        for direction in [Direction::Read, Direction::Write] {
            for (slot, deadline) in self.deadlines[direction as usize].iter_mut().enumerate() {
                if *deadline == 0 {
                    continue;
                }
                if *deadline > now {
                    earliest = earliest.min(*deadline);
                    continue;
                }
                *deadline = 0;
                fired += 1;
                let source = &mut self.sources[slot];
                source.flags |= flags_of(direction).1;
                woken.extend(source.wakers[direction as usize].take());
            }
        }
        self.earliest = if earliest == u32::MAX { 0 } else { earliest };
        fired
    }

    /// Takes all sources that are not registered yet, and marks them as registered.
    pub(crate) fn take_unregistered(&mut self, into: &mut Vec<(Fd, SourceId)>) {
        for (slot, source) in self.sources.iter_mut().enumerate() {
            if source.flags & (OPEN | REGISTERED) == OPEN {
                source.flags |= REGISTERED;
                let slot = u32::try_from(slot).unwrap_or(u32::MAX);
                into.push((source.fd, SourceId { slot, generation: source.generation }));
            }
        }
        self.unregistered = 0;
    }

    /// The readiness of all sources as the worker knows it, for the simulator to compare with its world.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn readiness(&self) -> impl Iterator<Item = Readiness> + '_ {
        self.sources.iter().filter(|source| source.flags & OPEN != 0 && source.fd >= 0).map(|source| {
            Readiness {
                fd: source.fd,
                readable: source.flags & READABLE != 0,
                writable: source.flags & WRITABLE != 0,
            }
        })
    }

    pub(crate) fn has_unregistered(&self) -> bool {
        self.unregistered > 0
    }

    /// How many sources are open.
    pub(crate) fn open(&self) -> usize {
        self.sources.len() - self.free.len()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "only short differences are computed")]
fn low_millis(nanos: u64) -> u32 {
    (nanos / 1_000_000) as u32
}

/// The tick that contains this time.
fn tick_of(nanos: u64) -> u32 {
    u32::try_from(nanos / Ticks::NANOS).unwrap_or(u32::MAX)
}

fn flags_of(direction: Direction) -> (u16, u16) {
    match direction {
        Direction::Read => (READABLE, READ_LATE),
        Direction::Write => (WRITABLE, WRITE_LATE),
    }
}

/// A token with a higher generation names no source (the bell's token is `u64::MAX`).
const TOKEN_GENERATION_MASK: u32 = 0x7fff_ffff;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn parked(reactor: &mut Reactor, id: SourceId, direction: Direction) -> Arc<Count> {
        let count = Arc::new(Count::default());
        drop(reactor.park(id, direction, Arc::clone(&count).into()));
        count
    }

    fn tell(reactor: &mut Reactor, event: Event) {
        let mut woken = Vec::new();
        reactor.event(&event, 0, &mut woken);
        woken.into_iter().for_each(Waker::wake);
    }

    fn sweep(reactor: &mut Reactor, now: u32) -> u64 {
        let mut woken = Vec::new();
        let fired = reactor.sweep(now, &mut woken);
        woken.into_iter().for_each(Waker::wake);
        fired
    }

    fn wakes(count: &Arc<Count>) -> usize {
        count.0.load(Ordering::Relaxed)
    }

    #[test]
    fn a_source_starts_ready_and_unregistered_and_registers_once() {
        let mut reactor = Reactor::default();
        let id = reactor.insert(3);
        assert!(reactor.has_unregistered());
        for direction in [Direction::Read, Direction::Write] {
            assert_eq!(reactor.state(id, direction), State::Ready);
        }
        assert!(reactor.park(id, Direction::Write, Waker::noop().clone()).1);
        assert!(!reactor.park(id, Direction::Read, Waker::noop().clone()).1);
        assert!(!reactor.has_unregistered());
    }

    #[test]
    fn only_an_idle_source_is_roused_and_no_other_in_its_slot() {
        let mut reactor = Reactor::default();
        let old = reactor.insert(3);
        assert!(reactor.rouse(old).is_none(), "busy");
        reactor.set_idle(old, true);
        drop(parked(&mut reactor, old, Direction::Read));
        assert!(reactor.rouse(old).is_some());
        assert_eq!(reactor.state(old, Direction::Read), State::Late);
        drop(reactor.remove(old));
        let new = reactor.insert(3);
        reactor.set_idle(new, true);
        assert!(reactor.rouse(old).is_none());
        assert_eq!(reactor.state(new, Direction::Read), State::Ready);
    }

    #[test]
    fn an_event_of_a_closed_source_does_not_reach_the_next_source_in_its_slot() {
        let mut reactor = Reactor::default();
        let old = reactor.insert(3);
        drop(reactor.remove(old));
        tell(&mut reactor, Event { token: old.token(), gone: true, ..Event::default() });
        let new = reactor.insert(4);
        assert_eq!(new.slot, old.slot);
        assert_ne!(new.token(), old.token());
        let waits = parked(&mut reactor, new, Direction::Read);
        tell(&mut reactor, Event { token: old.token(), readable: true, gone: true, ..Event::default() });
        assert_eq!((wakes(&waits), reactor.is_gone(new)), (0, false));
        tell(&mut reactor, Event { token: new.token(), readable: true, ..Event::default() });
        assert_eq!(wakes(&waits), 1);
        // A slot that was never used and the bell's token name no source.
        tell(&mut reactor, Event { token: 99, readable: true, ..Event::default() });
        tell(&mut reactor, Event { token: u64::MAX, readable: true, ..Event::default() });
    }

    #[test]
    fn an_event_wakes_only_its_direction() {
        let all = Event::default();
        let cases = [
            (Event { readable: true, ..all }, (1, 0)),
            (Event { writable: true, ..all }, (0, 1)),
            (Event { read_closed: true, ..all }, (1, 0)),
            (Event { gone: true, ..all }, (1, 1)),
            (Event { readable: true, writable: true, ..all }, (1, 1)),
        ];
        for (event, expected) in cases {
            let mut reactor = Reactor::default();
            let id = reactor.insert(3);
            let reads = parked(&mut reactor, id, Direction::Read);
            let writes = parked(&mut reactor, id, Direction::Write);
            tell(&mut reactor, Event { token: id.token(), ..event });
            assert_eq!((wakes(&reads), wakes(&writes)), expected, "{event:?}");
            tell(&mut reactor, Event { token: id.token(), ..event });
            assert_eq!((wakes(&reads), wakes(&writes)), expected, "a waker is woken once");
        }
    }

    #[test]
    fn a_short_read_clears_readiness_unless_the_peer_has_sent_fin() {
        let mut reactor = Reactor::default();
        let id = reactor.insert(3);
        reactor.drained(id, Direction::Read);
        assert_eq!(reactor.state(id, Direction::Read), State::NotReady);
        assert_eq!(reactor.state(id, Direction::Write), State::Ready);
        tell(
            &mut reactor,
            Event { token: id.token(), readable: true, read_closed: true, ..Event::default() },
        );
        // No further edge will come, so the flag stays and the reader sees the end of the stream.
        reactor.drained(id, Direction::Read);
        assert_eq!(reactor.state(id, Direction::Read), State::Ready);
        reactor.drained(id, Direction::Write);
        assert_eq!(reactor.state(id, Direction::Write), State::NotReady);
        // EAGAIN clears it even then.
        reactor.blocked(id, Direction::Read);
        assert_eq!(reactor.state(id, Direction::Read), State::NotReady);
        assert!(reactor.is_read_closed(id) && !reactor.is_gone(id));
    }

    #[test]
    fn the_two_directions_have_deadlines_of_their_own() {
        let mut reactor = Reactor::default();
        let (a, b) = (reactor.insert(3), reactor.insert(4));
        let reads = parked(&mut reactor, a, Direction::Read);
        let writes = parked(&mut reactor, b, Direction::Write);
        reactor.set_deadline(a, Direction::Read, Ticks(10));
        reactor.set_deadline(b, Direction::Write, Ticks(20));
        assert_eq!(reactor.next_deadline(), Some(10));
        assert_eq!((sweep(&mut reactor, 9), wakes(&reads)), (0, 0));
        assert_eq!((sweep(&mut reactor, 10), wakes(&reads), wakes(&writes)), (1, 1, 0));
        assert_eq!(reactor.state(a, Direction::Read), State::Late);
        assert_eq!(reactor.state(a, Direction::Write), State::Ready);
        assert_eq!(reactor.next_deadline(), Some(20));
        assert_eq!((sweep(&mut reactor, 35), wakes(&writes)), (1, 1));
        assert_eq!(reactor.next_deadline(), None);
    }

    #[test]
    fn a_deadline_can_be_moved_or_cleared_and_ends_with_its_source() {
        let mut reactor = Reactor::default();
        let (a, b, c) = (reactor.insert(3), reactor.insert(4), reactor.insert(5));
        for id in [a, b, c] {
            reactor.set_deadline(id, Direction::Read, Ticks(10));
        }
        reactor.set_deadline(a, Direction::Read, Ticks(30));
        reactor.set_deadline(b, Direction::Read, Ticks::NEVER);
        drop(reactor.remove(c));
        // The sweep still runs at the old tick and fires nothing; then the next deadline is known.
        assert_eq!((sweep(&mut reactor, 10), reactor.next_deadline()), (0, Some(30)));
        let next = reactor.insert(6);
        assert_eq!(next.slot, c.slot);
        assert_eq!(sweep(&mut reactor, 40), 1);
        assert_eq!(reactor.state(next, Direction::Read), State::Ready);
        reactor.set_deadline(a, Direction::Read, Ticks(50));
        assert_ne!(reactor.state(a, Direction::Read), State::Late, "a new deadline clears the late state");
    }

    #[test]
    fn a_partial_write_restarts_the_write_deadline() {
        let seconds = |n: u64| n * 1_000_000_000;
        let mut reactor = Reactor::default();
        let id = reactor.insert(3);
        reactor.wrote(id, 0);
        assert_eq!(reactor.next_deadline(), None, "no deadline is set, so none is restarted");
        let timeout = Duration::from_secs(2);
        reactor.set_write_deadline(id, Ticks::after(seconds(1), timeout), seconds(1));
        for now in [2, 3, 5] {
            reactor.wrote(id, seconds(now) + 99_999_999);
            let due = (seconds(now) + 99_999_999 + seconds(2)).div_ceil(Ticks::NANOS);
            assert_eq!(sweep(&mut reactor, u32::try_from(due).unwrap() - 1), 0, "{now}");
        }
        assert_eq!((sweep(&mut reactor, 71), reactor.state(id, Direction::Write)), (1, State::Late));
        reactor.wrote(id, seconds(8));
        assert_eq!(reactor.next_deadline(), None, "a deadline that has fired is not restarted");
    }

    #[test]
    fn partial_writes_move_the_deadline_up_to_its_limit() {
        let seconds = |n: u64| n * 1_000_000_000;
        let mut reactor = Reactor::default();
        let id = reactor.insert(3);
        reactor.set_write_deadline(id, Ticks(20), 0);
        reactor.limit_writes(id, Ticks(50));
        for now in [1, 2, 3, 4] {
            assert_eq!(sweep(&mut reactor, u32::try_from(now * 10).unwrap()), 0, "{now}");
            reactor.wrote(id, seconds(now));
        }
        assert_eq!((sweep(&mut reactor, 49), sweep(&mut reactor, 50)), (0, 1));
        // The next deadline has no limit, and a limit may be earlier than the deadline.
        reactor.set_write_deadline(id, Ticks(70), seconds(5));
        reactor.wrote(id, seconds(6));
        assert_eq!((sweep(&mut reactor, 80), sweep(&mut reactor, 81)), (0, 1));
        reactor.set_write_deadline(id, Ticks(200), seconds(9));
        reactor.limit_writes(id, Ticks(100));
        assert_eq!((sweep(&mut reactor, 99), sweep(&mut reactor, 100)), (0, 1));
    }

    #[test]
    fn a_deadline_is_rounded_up_to_a_tick() {
        let millis = |n: u64| n * 1_000_000;
        for (now, wait, tick) in
            [(0, 0, 1), (0, 100, 1), (1, 99, 1), (1, 100, 2), (50, 100, 2), (100, 100, 2)]
        {
            assert_eq!(Ticks::after(millis(now), Duration::from_millis(wait)), Ticks(tick), "{now} {wait}");
        }
        assert_eq!(Ticks::after(u64::MAX, Duration::MAX), Ticks(u32::MAX));
    }

    #[test]
    fn an_unregistered_source_is_taken_once() {
        let mut reactor = Reactor::default();
        let (a, b, timer) = (reactor.insert(3), reactor.insert(4), reactor.insert(-1));
        drop(reactor.park(a, Direction::Read, Waker::noop().clone()));
        let mut unregistered = Vec::new();
        reactor.take_unregistered(&mut unregistered);
        assert_eq!(unregistered, [(4, b)]);
        reactor.take_unregistered(&mut unregistered);
        assert_eq!((unregistered.len(), reactor.has_unregistered()), (1, false));
        for id in [a, b, timer] {
            drop(reactor.remove(id));
        }
        assert_eq!((reactor.open(), reactor.has_unregistered()), (0, false));
    }

    #[test]
    fn only_idle_sources_are_roused() {
        let mut reactor = Reactor::default();
        let (idle, busy) = (reactor.insert(3), reactor.insert(4));
        reactor.set_idle(idle, true);
        reactor.set_idle(busy, true);
        reactor.set_idle(busy, false);
        let waits = parked(&mut reactor, idle, Direction::Read);
        let mut woken = Vec::new();
        reactor.rouse_idle(&mut woken);
        woken.into_iter().for_each(Waker::wake);
        assert_eq!((wakes(&waits), reactor.state(idle, Direction::Read)), (1, State::Late));
        assert_eq!(reactor.state(busy, Direction::Read), State::Ready);
    }
}
