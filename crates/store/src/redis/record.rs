//! How an item stands in a string: format (1 byte), version (8), flags (4), end (8), value. Numbers are big endian.

use bytes::Bytes;

use crate::{Item, Version};

/// The string of an item.
#[derive(Clone, Debug)]
pub(super) struct Record(pub(super) Bytes);

impl Record {
    pub(super) fn new(item: &Item, version: Version) -> Self {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + item.value.len());
        bytes.push(FORMAT);
        bytes.extend(version.0.to_be_bytes());
        bytes.extend(item.flags.to_be_bytes());
        bytes.extend(end(item.expires));
        bytes.extend_from_slice(&item.value);
        Self(bytes.into())
    }
}

/// Reads a string. `None`: it is that of another program, or of another format.
pub(super) fn item(bytes: Vec<u8>) -> Option<Item> {
    if bytes.first() != Some(&FORMAT) || bytes.len() < HEADER_BYTES {
        return None;
    }
    let number = |range: std::ops::Range<usize>| {
        bytes[range].iter().fold(0_u64, |number, &byte| (number << 8) | u64::from(byte))
    };
    let (version, flags, expires) = (number(1..9), number(9..13), number(13..21));
    Some(Item {
        // Of four bytes.
        flags: u32::try_from(flags).unwrap_or(u32::MAX),
        expires: (expires != NEVER).then_some(expires),
        version: Version(version),
        value: Bytes::from(bytes).slice(HEADER_BYTES..),
    })
}

/// The end of an item's life as it stands in a string.
pub(super) fn end(expires: Option<u64>) -> [u8; 8] {
    expires.map_or(NEVER, |expires| expires.min(NEVER - 1)).to_be_bytes()
}

/// After how many milliseconds the server may forget an item; 0: never.
pub(super) fn time_to_live(expires: Option<u64>, now: u64) -> u64 {
    expires.map_or(0, |expires| expires.saturating_sub(now).clamp(1, TIME_TO_LIVE_MAX))
}

pub(super) const FORMAT: u8 = 1;
pub(super) const HEADER_BYTES: usize = 21;
const NEVER: u64 = u64::MAX;
// limit: milliseconds that the server takes without an overflow; a century.
const TIME_TO_LIVE_MAX: u64 = 100 * 365 * 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_back() {
        for (value, flags, expires) in
            [(&b""[..], 0, None), (b"\0\xffx", u32::MAX, Some(0)), (b"v", 7, Some(1_800_000_000_000))]
        {
            let item = Item { value: Bytes::copy_from_slice(value), flags, expires, version: Version(3) };
            let record = Record::new(&item, Version(u64::MAX >> 1));
            assert_eq!(
                super::item(record.0.to_vec()),
                Some(Item { version: Version(u64::MAX >> 1), ..item })
            );
        }
    }

    #[test]
    fn strings_of_others_are_no_items() {
        for bytes in
            [vec![], vec![FORMAT; HEADER_BYTES - 1], vec![7; 100], b"plain text of somewhere else".to_vec()]
        {
            assert_eq!(item(bytes), None);
        }
    }

    #[test]
    fn a_time_to_live_is_one_that_the_server_takes() {
        assert_eq!(time_to_live(None, 5), 0);
        assert_eq!(time_to_live(Some(5), 5), 1);
        assert_eq!(time_to_live(Some(4), 5), 1);
        assert_eq!(time_to_live(Some(1005), 5), 1000);
        assert_eq!(time_to_live(Some(u64::MAX), 5), TIME_TO_LIVE_MAX);
    }
}
