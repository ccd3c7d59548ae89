//! UDP flows: datagrams are looked up by their addresses, and flows that have had a reply are safe from a flood.

use super::list::{Kind, List};
use super::pieces::Pieces;
use super::table::ConnectionTable;
use super::{ConnectionId, Ended, Ends, ListenerNumber, Opening, Protocol, State};

/// What a datagram of a client belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datagram {
    Flow(ConnectionId),
    /// A flow is to be opened for it.
    Unknown,
}

/// A flow that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened<T> {
    pub id: ConnectionId,
    /// It had to make room.
    pub evicted: Option<Ended<T>>,
}

/// All flows have had a reply, so none can make room. Contains the payload of the flow that was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full<T>(pub T);

impl<T> ConnectionTable<T> {
    /// A datagram of `bytes` has come from a client. It counts for its flow, if there is one.
    pub fn datagram(&mut self, ends: Ends, bytes: u64, now: u64) -> Datagram {
        let Some(place) = self.find_flow(ends) else { return Datagram::Unknown };
        let Some(entry) = self.entries.entry_mut(place) else { return Datagram::Unknown };
        entry.bytes_in += bytes;
        entry.touch(now);
        Datagram::Flow(ConnectionId { place, number: entry.number })
    }

    /// Whether a flow can be opened, if need be in the place of another one that has had no reply. Ask before a target is
    /// chosen for it.
    pub fn has_room(&self) -> bool {
        self.limits.unanswered > 0 && (self.flows() < self.limits.flows as usize || self.unanswered > 0)
    }

    /// Opens the flow of a datagram of `bytes` for which [`Self::datagram`] found none. Protocol and state are those of a flow,
    /// whatever `opening` says.
    pub fn open_flow(&mut self, opening: Opening<T>, bytes: u64, now: u64) -> Result<Opened<T>, Full<T>> {
        if !self.has_room() {
            self.counts.refused += 1;
            return Err(Full(opening.payload));
        }
        let is_full = self.flows() >= self.limits.flows as usize || self.unanswered >= self.limits.unanswered;
        let evicted = is_full.then(|| self.evict_for(opening.listener, now)).flatten();
        // A second flow with these ends would hide the first one.
        let replaced = self.find_flow(opening.ends).and_then(|place| self.take(place, now));
        let listener = opening.listener;
        let opening = Opening { protocol: Protocol::Udp, state: State::Unanswered, ..opening };
        let id = self.insert(opening, now);
        self.index(id.place);
        self.join_unanswered(listener, id.place);
        if let Some(entry) = self.find_mut(id) {
            entry.bytes_in = bytes;
        }
        Ok(Opened { id, evicted: evicted.or(replaced) })
    }

    /// A datagram of `bytes` has come from the target of a flow: returns where it goes. `None`: the flow is gone.
    pub fn reply(&mut self, id: ConnectionId, bytes: u64, now: u64) -> Option<Ends> {
        let entry = self.find_mut(id).filter(|entry| entry.is_flow())?;
        entry.bytes_out += bytes;
        entry.touch(now);
        let ends = entry.ends();
        if entry.state == State::Unanswered {
            self.leave_unanswered(id.place);
            if let Some(entry) = self.find_mut(id) {
                entry.state = State::Answered;
            }
        }
        Some(ends)
    }

    /// Ends the oldest flow of a listener that has had no reply, for example because the listener is at its limit.
    pub fn evict_unanswered(&mut self, listener: ListenerNumber, now: u64) -> Option<Ended<T>> {
        let place = self.listeners.get(listener.0 as usize)?.unanswered_flows.first()?;
        self.counts.evicted += 1;
        self.take(place, now)
    }

    /// Makes room for a flow of this listener: the listener with the most unanswered flows loses its oldest one, so a flood
    /// at one listener costs flows of that listener.
    fn evict_for(&mut self, listener: ListenerNumber, now: u64) -> Option<Ended<T>> {
        let own = u64::from(self.of(listener).unanswered);
        let has_its_share =
            own > 0 && own * u64::from(self.unanswered_listeners) >= u64::from(self.unanswered);
        let from = if has_its_share {
            listener
        } else {
            let most = self.listeners.iter().enumerate().max_by_key(|(_, of)| of.unanswered);
            ListenerNumber(most.map_or(0, |(number, _)| number as u32))
        };
        self.evict_unanswered(from, now)
    }

    fn join_unanswered(&mut self, listener: ListenerNumber, place: u32) {
        let is_first = self.change_unanswered(listener, |count, list, entries| {
            list.push_last(Kind::Unanswered, entries, place);
            *count += 1;
            *count == 1
        });
        self.unanswered += 1;
        self.unanswered_listeners += u32::from(is_first);
    }

    /// Does nothing if the flow has had a reply.
    pub(super) fn leave_unanswered(&mut self, place: u32) {
        let Some(listener) = self.entries.entry(place).map(|entry| entry.listener) else { return };
        let mut is_linked = false;
        let is_last = self.change_unanswered(listener, |count, list, entries| {
            is_linked = list.unlink(Kind::Unanswered, entries, place);
            *count -= u32::from(is_linked);
            is_linked && *count == 0
        });
        self.unanswered -= u32::from(is_linked);
        self.unanswered_listeners -= u32::from(is_last);
    }

    fn change_unanswered<R>(
        &mut self,
        listener: ListenerNumber,
        change: impl FnOnce(&mut u32, &mut List, &mut Pieces<T>) -> R,
    ) -> R {
        self.of(listener);
        let of = &mut self.listeners[listener.0 as usize];
        change(&mut of.unanswered, &mut of.unanswered_flows, &mut self.entries)
    }
}
