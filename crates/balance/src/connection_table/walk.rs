//! Walks over all connections in slices, so that no walk stops the worker for long.
//!
//! A connection never changes its place. So one that is there from the start of a walk to its end is seen exactly once; one
//! that begins or ends meanwhile may be seen or not.

use super::pieces::PIECE;
use super::table::ConnectionTable;
use super::{Cursor, Row};

impl<T> ConnectionTable<T> {
    /// Shows the connections at up to `most` places to `visit`. Begin with `None`; returns where the next slice begins. `None`:
    /// there is no more.
    pub fn walk(
        &self,
        cursor: Option<Cursor>,
        most: u32,
        now: u64,
        mut visit: impl FnMut(Row, &T),
    ) -> Option<Cursor> {
        let mut place = cursor.map_or(0, |cursor| cursor.0);
        for _ in 0..most.max(1) {
            if place >= self.entries.end() {
                return None;
            }
            if self.entries.is_vacant(place) {
                place = (place / PIECE + 1) * PIECE;
                continue;
            }
            if let Some(entry) = self.entries.entry(place) {
                visit(entry.row(place, now), &entry.payload);
            }
            place += 1;
        }
        (place < self.entries.end()).then_some(Cursor(place))
    }
}
