//! Parsed heads that are reused, so that their lists of fields are allocated once.

use std::cell::RefCell;
use std::rc::Rc;

use proto::http1::{RequestHead, ResponseHead};

/// The free heads of a worker.
#[expect(clippy::vec_box, reason = "they move in and out as pointers")]
#[derive(Debug, Default)]
pub(crate) struct HeadPool(Rc<RefCell<Vec<Box<Heads>>>>);

/// The parsed heads of one exchange.
#[derive(Debug, Default)]
pub(super) struct Heads {
    pub(super) request: RequestHead,
    pub(super) response: ResponseHead,
}

/// Heads on loan from the pool until the drop.
#[expect(clippy::vec_box, reason = "see `HeadPool`")]
#[derive(Debug)]
pub(super) struct HeadLease {
    heads: Option<Box<Heads>>,
    pool: Rc<RefCell<Vec<Box<Heads>>>>,
}

impl HeadPool {
    pub(super) fn lease(&self) -> HeadLease {
        let heads = self.0.borrow_mut().pop().unwrap_or_default();
        HeadLease { heads: Some(heads), pool: Rc::clone(&self.0) }
    }
}

impl std::ops::Deref for HeadLease {
    type Target = Heads;

    #[expect(clippy::expect_used, reason = "the heads are there until the drop")]
    fn deref(&self) -> &Heads {
        self.heads.as_deref().expect("leased")
    }
}

impl std::ops::DerefMut for HeadLease {
    #[expect(clippy::expect_used, reason = "the heads are there until the drop")]
    fn deref_mut(&mut self) -> &mut Heads {
        self.heads.as_deref_mut().expect("leased")
    }
}

impl Drop for HeadLease {
    fn drop(&mut self) {
        let Some(mut heads) = self.heads.take() else { return };
        let mut pool = self.pool.borrow_mut();
        if pool.len() < POOLED_HEADS_MAX {
            heads.request.clear();
            heads.response.clear();
            pool.push(heads);
        }
    }
}

// limit: free heads that a worker keeps.
const POOLED_HEADS_MAX: usize = 256;
