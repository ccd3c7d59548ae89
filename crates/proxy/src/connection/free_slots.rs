//! The request slots of a worker that are free; see `request_slot`.

use std::any::Any;
use std::cell::RefCell;

/// Free slots. Their type names the connection that they serve, and a connection names its worker, which holds the free
/// slots: `Any` is where this circle of types ends.
#[derive(Debug, Default)]
pub(crate) struct FreeSlots(RefCell<Vec<Box<dyn Any>>>);

impl FreeSlots {
    pub(super) fn take<T: 'static>(&self) -> Option<Box<T>> {
        let slot = self.0.borrow_mut().pop()?;
        slot.downcast().ok()
    }

    pub(super) fn give_back<T: 'static>(&self, slot: Box<T>) {
        let mut slots = self.0.borrow_mut();
        if slots.len() < SLOTS_MAX {
            slots.push(slot);
        }
    }
}

// limit: free slots kept by a worker, about 1 MiB.
const SLOTS_MAX: usize = 256;
