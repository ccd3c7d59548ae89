//! Where a table keeps its entries: at places that never change, in pieces of equal size.
//!
//! A connection's place is a part of its name, so entries do not move. A piece is given back when its last entry goes, but
//! for one, so that a connection that comes and goes does not allocate each time.

use std::fmt;

use super::entry::Entry;

pub(super) struct Pieces<T> {
    pieces: Vec<Piece<T>>,
    /// Pieces with free places. One without may be left among them.
    roomy: Vec<u32>,
    /// Pieces without memory, which are used when no other has room.
    bare: Vec<u32>,
    /// An empty piece that has memory.
    spare: Option<u32>,
    len: u32,
}

/// Places for 64 entries.
struct Piece<T> {
    /// Empty: the piece has no memory.
    entries: Vec<Option<Entry<T>>>,
    /// A bit for each place that is taken.
    taken: u64,
    is_roomy: bool,
}

pub(super) const PIECE: u32 = u64::BITS;

impl<T> Default for Pieces<T> {
    fn default() -> Self {
        Self { pieces: Vec::new(), roomy: Vec::new(), bare: Vec::new(), spare: None, len: 0 }
    }
}

impl<T> Pieces<T> {
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// One more than the highest place that may be taken.
    pub(super) fn end(&self) -> u32 {
        self.pieces.len() as u32 * PIECE
    }

    pub(super) fn entry(&self, place: u32) -> Option<&Entry<T>> {
        self.pieces.get((place / PIECE) as usize)?.entries.get((place % PIECE) as usize)?.as_ref()
    }

    pub(super) fn entry_mut(&mut self, place: u32) -> Option<&mut Entry<T>> {
        self.pieces.get_mut((place / PIECE) as usize)?.entries.get_mut((place % PIECE) as usize)?.as_mut()
    }

    /// True if no place of this place's piece is taken.
    pub(super) fn is_vacant(&self, place: u32) -> bool {
        self.pieces.get((place / PIECE) as usize).is_none_or(|piece| piece.taken == 0)
    }

    /// Returns the entry's place.
    pub(super) fn insert(&mut self, entry: Entry<T>) -> u32 {
        let number = self.roomy_piece();
        let piece = &mut self.pieces[number as usize];
        if piece.entries.is_empty() {
            piece.entries.resize_with(PIECE as usize, || None);
        }
        if self.spare == Some(number) {
            self.spare = None;
        }
        let at = piece.taken.trailing_ones();
        piece.entries[at as usize] = Some(entry);
        piece.taken |= 1 << at;
        self.len += 1;
        number * PIECE + at
    }

    /// A piece with a free place.
    fn roomy_piece(&mut self) -> u32 {
        while let Some(&number) = self.roomy.last() {
            let piece = &mut self.pieces[number as usize];
            if piece.taken != u64::MAX && !piece.entries.is_empty() {
                return number;
            }
            self.roomy.pop();
            piece.is_roomy = false;
            if piece.entries.is_empty() {
                self.bare.push(number);
            }
        }
        let number = self.bare.pop().unwrap_or_else(|| {
            self.pieces.push(Piece { entries: Vec::new(), taken: 0, is_roomy: false });
            self.pieces.len() as u32 - 1
        });
        self.pieces[number as usize].is_roomy = true;
        self.roomy.push(number);
        number
    }

    pub(super) fn remove(&mut self, place: u32) -> Option<Entry<T>> {
        let number = place / PIECE;
        let piece = self.pieces.get_mut(number as usize)?;
        let entry = piece.entries.get_mut((place % PIECE) as usize)?.take()?;
        piece.taken &= !(1 << (place % PIECE));
        self.len -= 1;
        if !std::mem::replace(&mut piece.is_roomy, true) {
            self.roomy.push(number);
        }
        if piece.taken == 0 {
            match self.spare {
                Some(_) => piece.entries = Vec::new(),
                None => self.spare = Some(number),
            }
        }
        if self.len == 0 && self.pieces.len() > 1 {
            *self = Self::default();
        }
        Some(entry)
    }

    /// In bytes.
    pub(super) fn memory(&self) -> usize {
        let of_entries: usize = self.pieces.iter().map(|piece| piece.entries.capacity()).sum();
        of_entries * size_of::<Option<Entry<T>>>()
            + self.pieces.capacity() * size_of::<Piece<T>>()
            + (self.roomy.capacity() + self.bare.capacity()) * size_of::<u32>()
    }
}

impl<T> fmt::Debug for Pieces<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces").field("len", &self.len).finish_non_exhaustive()
    }
}
