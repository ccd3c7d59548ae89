//! The neighbours of an entry in a list.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Links {
    pub(super) before: u32,
    pub(super) after: u32,
}

impl Links {
    pub(super) const NONE: Self = Self { before: UNLINKED, after: UNLINKED };
}

/// The end of a list.
pub(super) const END: u32 = u32::MAX;
/// The entry is not in the list.
pub(super) const UNLINKED: u32 = u32::MAX - 1;
