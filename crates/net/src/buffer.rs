//! Leased buffers, which own memory only while they hold bytes.
//!
//! An empty [`Buffer`] owns no block. It leases one from the pool of its thread when a socket is known to be readable, and
//! returns it when it is empty again. Before a wait, its bytes move into the smallest block that holds them. So an idle
//! connection holds no block, and a stalled one only what its bytes need.

use std::cell::RefCell;

/// Block sizes in bytes.
pub const CLASSES: [usize; 4] = [512, 4 * 1024, 16 * 1024, 64 * 1024];
/// The block size for message heads.
pub const SMALL: usize = CLASSES[1];
/// The block size for message bodies.
pub const LARGE: usize = CLASSES[3];

/// Bytes in a leased block, of which `start..end` are filled.
#[derive(Debug, Default)]
pub struct Buffer {
    block: Option<Box<[u8]>>,
    start: u32,
    end: u32,
}

/// Why a buffer cannot take more bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferFull {
    /// The largest block is full.
    Largest,
    /// The thread has leased as many bytes as it may.
    Budget,
}

impl Buffer {
    pub const fn new() -> Self {
        Self { block: None, start: 0, end: 0 }
    }

    pub fn bytes(&self) -> &[u8] {
        self.block
            .as_deref()
            .and_then(|block| block.get(self.start as usize..self.end as usize))
            .unwrap_or_default()
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let (start, end) = (self.start as usize, self.end as usize);
        self.block.as_deref_mut().and_then(|block| block.get_mut(start..end)).unwrap_or_default()
    }

    pub fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The size of the block; 0 without one.
    pub fn capacity(&self) -> usize {
        self.block.as_ref().map_or(0, |block| block.len())
    }

    /// Removes the first `count` bytes, at most all. If none is left, the block returns to the pool.
    pub fn consume(&mut self, count: usize) {
        self.start += u32::try_from(count).unwrap_or(u32::MAX).min(self.end - self.start);
        if self.start == self.end {
            self.release();
        }
    }

    /// Removes all but the first `count` bytes. If none is left, the block returns to the pool.
    pub fn truncate(&mut self, count: usize) {
        self.end = self.start + u32::try_from(count).unwrap_or(u32::MAX).min(self.end - self.start);
        if self.start == self.end {
            self.release();
        }
    }

    /// Moves the first `count` bytes into a buffer of their own. The smaller part is copied; the larger one keeps the block.
    pub fn split_to(&mut self, count: usize) -> Result<Self, BufferFull> {
        let count = count.min(self.len());
        let mut other = Self::new();
        if self.len() - count < count {
            other.extend(&self.bytes()[count..])?;
            self.truncate(count);
            return Ok(std::mem::replace(self, other));
        }
        other.extend(&self.bytes()[..count])?;
        self.consume(count);
        Ok(other)
    }

    /// The unfilled bytes behind the filled ones, at least one. If the buffer has no block, it leases one of at least
    /// `wanted` bytes; if its block is full, one of the next larger class.
    pub fn spare(&mut self, wanted: usize) -> Result<&mut [u8], BufferFull> {
        if self.end as usize == self.capacity() {
            self.grow(wanted)?;
        }
        let end = self.end as usize;
        self.block.as_deref_mut().and_then(|block| block.get_mut(end..)).ok_or(BufferFull::Largest)
    }

    /// Marks the first `count` bytes of [`Self::spare`] as filled.
    pub fn filled(&mut self, count: usize) {
        let spare = self.capacity() - self.end as usize;
        self.end += u32::try_from(count.min(spare)).unwrap_or(0);
    }

    /// Appends a copy of `bytes`.
    pub fn extend(&mut self, bytes: &[u8]) -> Result<(), BufferFull> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.capacity() - (self.end as usize) < bytes.len() {
            self.move_to(class_for(self.len() + bytes.len()).ok_or(BufferFull::Largest)?)?;
        }
        let end = self.end as usize;
        let spare = self.block.as_deref_mut().and_then(|block| block.get_mut(end..end + bytes.len()));
        spare.ok_or(BufferFull::Largest)?.copy_from_slice(bytes);
        self.filled(bytes.len());
        Ok(())
    }

    /// Moves the bytes into the smallest block that holds them. If none can be leased, they stay. Call it before a wait.
    pub fn shrink(&mut self) {
        if self.is_empty() {
            self.release();
        } else if let Some(class) = class_for(self.len()).filter(|&class| CLASSES[class] < self.capacity()) {
            let _ = self.move_to(class);
        }
    }

    /// Makes at least one byte spare: reuses the consumed bytes of the block, or leases a larger one.
    fn grow(&mut self, wanted: usize) -> Result<(), BufferFull> {
        let len = self.len();
        if self.start > 0 && len < self.capacity() {
            return self.move_to(class_for(self.capacity()).ok_or(BufferFull::Largest)?);
        }
        self.move_to(class_for(wanted.max(len + 1)).ok_or(BufferFull::Largest)?)
    }

    /// Moves the filled bytes to the start of a new block of `class`.
    fn move_to(&mut self, class: usize) -> Result<(), BufferFull> {
        let mut block = POOL.with(|pool| pool.borrow_mut().lease(class))?;
        let bytes = self.bytes();
        let len = bytes.len();
        block[..len].copy_from_slice(bytes);
        self.release();
        (self.block, self.start, self.end) = (Some(block), 0, u32::try_from(len).unwrap_or(0));
        Ok(())
    }

    fn release(&mut self) {
        (self.start, self.end) = (0, 0);
        if let Some(block) = self.block.take() {
            // A thread that is ending may have no pool any more; the block is then freed.
            let _ = POOL.try_with(|pool| pool.borrow_mut().give_back(block));
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.release();
    }
}

/// The blocks of one thread.
struct Pool {
    free: [Vec<Box<[u8]>>; CLASSES.len()],
    leased_bytes: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { free: [const { Vec::new() }; CLASSES.len()], leased_bytes: 0 }) };
}

impl Pool {
    fn lease(&mut self, class: usize) -> Result<Box<[u8]>, BufferFull> {
        if self.leased_bytes + CLASSES[class] > LEASED_BYTES_MAX {
            return Err(BufferFull::Budget);
        }
        self.leased_bytes += CLASSES[class];
        Ok(self.free[class].pop().unwrap_or_else(|| vec![0; CLASSES[class]].into_boxed_slice()))
    }

    fn give_back(&mut self, block: Box<[u8]>) {
        self.leased_bytes = self.leased_bytes.saturating_sub(block.len());
        let Some(class) = CLASSES.iter().position(|&size| size == block.len()) else { return };
        // A burst must not keep its memory for ever.
        if self.free[class].len() < FREE_MAX[class] {
            self.free[class].push(block);
        }
    }
}

fn class_for(len: usize) -> Option<usize> {
    CLASSES.iter().position(|&size| size >= len)
}

/// Bytes that this thread has leased at the moment.
pub(crate) fn leased_bytes() -> usize {
    POOL.with(|pool| pool.borrow().leased_bytes)
}

// limit: bytes leased by one worker. Beyond it a read fails with `OutOfMemory`, and its connection is closed.
const LEASED_BYTES_MAX: usize = 512 * 1024 * 1024;
// limit: bytes in free blocks that the pool of a thread keeps, for each class.
const FREE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// [`FREE_BYTES_MAX`] in blocks.
const FREE_MAX: [usize; CLASSES.len()] = [
    FREE_BYTES_MAX / CLASSES[0],
    FREE_BYTES_MAX / CLASSES[1],
    FREE_BYTES_MAX / CLASSES[2],
    FREE_BYTES_MAX / CLASSES[3],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_buffer_holds_no_block() {
        let before = leased_bytes();
        let mut buffer = Buffer::new();
        assert_eq!(buffer.capacity(), 0);
        buffer.extend(b"").unwrap();
        assert_eq!(buffer.capacity(), 0);
        buffer.extend(b"hello").unwrap();
        assert_eq!((buffer.bytes(), buffer.capacity()), (&b"hello"[..], 512));
        buffer.consume(5);
        assert_eq!((buffer.capacity(), leased_bytes()), (0, before));
    }

    #[test]
    fn a_buffer_grows_class_by_class_up_to_the_largest() {
        let mut buffer = Buffer::new();
        let mut sizes = Vec::new();
        while let Ok(spare) = buffer.spare(SMALL) {
            let count = spare.len();
            spare.fill(7);
            buffer.filled(count);
            sizes.push(buffer.capacity());
        }
        assert_eq!(sizes, [4096, 16 * 1024, 64 * 1024]);
        assert!(buffer.bytes().iter().all(|&b| b == 7));
        assert_eq!(buffer.len(), LARGE);
    }

    #[test]
    fn consumed_bytes_are_reused_before_the_buffer_grows() {
        let mut buffer = Buffer::new();
        let count = buffer.spare(SMALL).unwrap().len();
        buffer.filled(count);
        buffer.consume(count - 3);
        assert!(buffer.spare(SMALL).unwrap().len() >= SMALL - 3);
        assert_eq!((buffer.len(), buffer.capacity()), (3, SMALL));
    }

    #[test]
    fn shrink_moves_the_rest_into_the_smallest_block() {
        let mut buffer = Buffer::new();
        let count = buffer.spare(LARGE).unwrap().len();
        buffer.filled(count);
        buffer.bytes_mut()[LARGE - 2..].copy_from_slice(b"xy");
        buffer.consume(LARGE - 2);
        buffer.shrink();
        assert_eq!((buffer.bytes(), buffer.capacity()), (&b"xy"[..], 512));
    }

    #[test]
    fn split_to_copies_the_smaller_part() {
        for (text, count) in [("headb", 4), ("hbody", 1), ("body", 0), ("head", 4), ("head", 9)] {
            let mut rest = Buffer::new();
            rest.extend(text.as_bytes()).unwrap();
            let front = rest.split_to(count).unwrap();
            let (expected, left) = text.split_at(count.min(text.len()));
            assert_eq!((front.bytes(), rest.bytes()), (expected.as_bytes(), left.as_bytes()));
            assert_eq!(
                front.capacity() + rest.capacity(),
                CLASSES[0] * (1 + usize::from(!expected.is_empty() && !left.is_empty()))
            );
        }
    }
}
