//! The list of all sessions as a body that is made slice by slice while the client reads.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use balance::session::Cursor;
use bytes::Bytes;
use hyper::body::{Body, Frame};

use super::directory::{Directory, Filter, store_name};
use super::{FilterView, MoreView, SLICE, Unanswered};

/// A walk over all tables. As a body it is JSON lines.
#[derive(Debug)]
pub(crate) struct Listing {
    directory: Directory,
    filter: Filter,
    /// How many lines may still be written before the rest is counted.
    most: u64,
    uncounted: bool,
    more: u64,
    place: Place,
    is_over: bool,
    progress: Arc<AtomicU64>,
}

/// Where a walk is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) table: usize,
    pub(super) shard: usize,
    pub(super) cursor: Option<Cursor>,
}

impl Place {
    /// The next slice, after one that ended with `next`.
    pub(super) fn advance(&mut self, next: Option<Cursor>, shards: usize) {
        self.cursor = next;
        if next.is_none() {
            self.shard += 1;
            if self.shard >= shards {
                (self.table, self.shard) = (self.table + 1, 0);
            }
        }
    }
}

impl Listing {
    /// `progress` is counted up with every slice that is read.
    pub(crate) fn new(
        directory: Directory,
        names: &FilterView,
        progress: Arc<AtomicU64>,
    ) -> Result<Self, Unanswered> {
        let filter = directory.filter(names)?;
        Ok(Self {
            filter,
            directory,
            most: names.most.unwrap_or(u64::MAX),
            uncounted: names.most.is_none(),
            more: 0,
            place: Place::default(),
            is_over: false,
            progress,
        })
    }

    /// The lines of the next slice, perhaps none; `None`: that was all.
    fn slice(&mut self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        let Some((store, table)) = self.directory.tables.get(self.place.table) else {
            let is_first = !std::mem::replace(&mut self.is_over, true);
            if is_first && !self.uncounted {
                write_line(&MoreView { more: self.more }, &mut text);
                return Some(text);
            }
            return None;
        };
        if self.filter.store.as_deref().is_some_and(|name| name != store_name(store.as_ref())) {
            self.place = Place { table: self.place.table + 1, ..Place::default() };
            return Some(text);
        }
        let now_millis = net::monotonic_millis();
        let rows = table.rows(self.place.shard, self.place.cursor, SLICE, now_millis);
        for row in &rows.rows {
            let Some((scope, _)) = self.directory.describe(row, table) else { continue };
            if !self.directory.matches(&self.filter, scope, row) {
                continue;
            }
            if self.most == 0 {
                self.more += 1;
                continue;
            }
            if let Some(view) = self.directory.view(row, (store.as_ref(), table), now_millis) {
                self.most -= 1;
                write_line(&view, &mut text);
            }
        }
        self.place.advance(rows.next, table.shards());
        Some(text)
    }
}

impl Body for Listing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        for _ in 0..EMPTY_SLICES {
            match self.slice() {
                None => return Poll::Ready(None),
                Some(text) if text.is_empty() => {}
                Some(text) => {
                    self.progress.fetch_add(1, Ordering::Relaxed);
                    return Poll::Ready(Some(Ok(Frame::data(Bytes::from(text)))));
                }
            }
        }
        // Others get their turn, where a filter leaves nothing to send.
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

fn write_line(value: &impl serde::Serialize, out: &mut Vec<u8>) {
    // It cannot fail: there are no maps, and a vector takes all.
    if serde_json::to_writer(&mut *out, value).is_ok() {
        out.push(b'\n');
    }
}

/// limit: slices without a line in one turn.
const EMPTY_SLICES: usize = 16;
