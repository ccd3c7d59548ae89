//! The idle timeouts of a table: a wheel of slots, one for each tick of the near future.
//!
//! A byte only stores its time. When the slot of a connection comes, it has ended or goes into the slot of its new time. So a
//! connection is visited once in its idle timeout, and at least once in a turn of the wheel, however many bytes it moves.

use super::list::{Kind, List, is_linked};
use super::pieces::Pieces;

#[derive(Debug)]
pub(super) struct Wheel {
    slots: Box<[List]>,
    /// The tick whose slot is being emptied. Entries are in slots of later ticks.
    tick: u64,
    /// Entries in all slots.
    timed: u32,
}

/// In milliseconds. A connection ends less than this after its time, and when the table is asked.
pub(super) const TICK: u64 = 128;
/// A turn is 262 seconds. The slots take 16 KiB.
const SLOTS: u64 = 2_048;

impl Wheel {
    pub(super) fn new() -> Self {
        Self { slots: vec![List::EMPTY; SLOTS as usize].into(), tick: 0, timed: 0 }
    }

    /// Puts an entry into the slot of `due`, or the last one before it. It must be in no slot.
    pub(super) fn schedule<T>(&mut self, entries: &mut Pieces<T>, at: u32, due: u64, now: u64) {
        if self.timed == 0 {
            self.tick = self.tick.max(now / TICK);
        }
        let tick = due.div_ceil(TICK).clamp(self.tick + 1, self.tick + SLOTS - 1);
        let slot = tick % SLOTS;
        let Some(entry) = entries.entry_mut(at) else { return };
        entry.slot = slot as u16;
        self.slots[slot as usize].push_last(Kind::Wheel, entries, at);
        self.timed += 1;
    }

    /// Does nothing if the entry is in no slot.
    pub(super) fn unschedule<T>(&mut self, entries: &mut Pieces<T>, at: u32) {
        let Some(slot) = entries.entry(at).map(|entry| entry.slot) else { return };
        if self.slots[usize::from(slot)].unlink(Kind::Wheel, entries, at) {
            self.timed -= 1;
        }
    }

    /// An entry whose slot has come; the caller takes it out. `None`: the wheel stands at the slot of `now`. One step of `left` is
    /// taken for each slot.
    pub(super) fn first(&mut self, now: u64, left: &mut u32) -> Option<u32> {
        let until = now / TICK;
        if self.timed == 0 {
            self.tick = self.tick.max(until);
        }
        // After a long pause every slot has come, and comes once.
        self.tick = self.tick.max(until.saturating_sub(SLOTS));
        loop {
            if let Some(at) = self.slots[(self.tick % SLOTS) as usize].first() {
                return Some(at);
            }
            if self.tick >= until || *left == 0 {
                return None;
            }
            self.tick += 1;
            *left -= 1;
        }
    }

    /// True if the slot of `now` has been emptied.
    pub(super) fn is_at(&self, now: u64) -> bool {
        self.tick >= now / TICK && self.slots[(self.tick % SLOTS) as usize].first().is_none()
    }

    /// Says whether the slots are sound, and hold exactly the entries that have a time.
    pub(super) fn is_sound<T>(&self, entries: &Pieces<T>) -> bool {
        let mut count = 0;
        for (slot, list) in self.slots.iter().enumerate() {
            let Some(places) = list.places(Kind::Wheel, entries) else { return false };
            let is_own = |&at: &u32| entries.entry(at).is_some_and(|entry| usize::from(entry.slot) == slot);
            if !places.iter().all(is_own) {
                return false;
            }
            count += places.len();
        }
        let timed =
            (0..entries.end()).filter(|&at| entries.entry(at).is_some_and(|entry| entry.due().is_some()));
        let are_all_in = timed.clone().all(|at| is_linked(Kind::Wheel, entries, at));
        are_all_in && count == timed.count() && count == self.timed as usize
    }
}
