//! What stands in the file of an item. All numbers are big-endian.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `EVKITEM1`: the last one is the version of the format |
//! | 8 | version |
//! | 8 | milliseconds since 1970 at which it expires, or 0 |
//! | 4 | flags |
//! | 4 | bytes of the key |
//! | 4 | bytes of the value |
//! | | key, value |
//! | 16 | the first half of the SHA-256 of all before |

use aws_lc_rs::digest::{SHA256, digest};
use bytes::{Buf, Bytes};

use crate::{Item, Key, VALUE_BYTES_MAX, Version};

pub(super) fn encode(key: &Key, item: &Item) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD_BYTES + key.as_bytes().len() + item.value.len() + CHECKSUM_BYTES);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&item.version.0.to_be_bytes());
    out.extend_from_slice(&item.expires.map_or(0, |expires| expires.max(1)).to_be_bytes());
    out.extend_from_slice(&item.flags.to_be_bytes());
    out.extend_from_slice(&(key.as_bytes().len() as u32).to_be_bytes());
    out.extend_from_slice(&(item.value.len() as u32).to_be_bytes());
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(&item.value);
    let checksum = checksum(&out);
    out.extend_from_slice(&checksum);
    out
}

/// `None`: it is damaged, of another format, or of another key.
pub(super) fn decode(key: &Key, bytes: Vec<u8>) -> Option<Item> {
    let (content, found) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
    if *found != checksum(content) {
        return None;
    }
    let (mut head, rest) = content.split_at_checked(HEAD_BYTES)?;
    if head.get(..MAGIC.len()) != Some(MAGIC) {
        return None;
    }
    head.advance(MAGIC.len());
    let (version, expires, flags) = (head.get_u64(), head.get_u64(), head.get_u32());
    let (key_bytes, value_bytes) = (head.get_u32() as usize, head.get_u32() as usize);
    if rest.get(..key_bytes) != Some(key.as_bytes()) || rest.len() != key_bytes + value_bytes {
        return None;
    }
    let start = HEAD_BYTES + key_bytes;
    let value = Bytes::from(bytes).slice(start..start + value_bytes);
    Some(Item { value, flags, expires: (expires != 0).then_some(expires), version: Version(version) })
}

/// When an item expires, by the first [`HEAD_BYTES`] of its file. `None`: this is not one.
pub(super) fn end(head: &[u8]) -> Option<Option<u64>> {
    let mut rest = head.get(..HEAD_BYTES)?.strip_prefix(MAGIC)?;
    rest.advance(8);
    let expires = rest.get_u64();
    Some((expires != 0).then_some(expires))
}

fn checksum(content: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let whole = digest(&SHA256, content);
    std::array::from_fn(|at| whole.as_ref()[at])
}

const MAGIC: &[u8] = b"EVKITEM1";
const CHECKSUM_BYTES: usize = 16;
pub(super) const HEAD_BYTES: usize = 36;
/// limit: of a file that is read.
pub(super) const FILE_BYTES_MAX: u64 = (HEAD_BYTES + 250 + VALUE_BYTES_MAX + CHECKSUM_BYTES) as u64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            key in "[!-~]{1,250}",
            value in proptest::collection::vec(any::<u8>(), 0..500),
            flags in any::<u32>(),
            expires in proptest::option::of(1..u64::MAX),
            version in any::<u64>(),
            flip in any::<(u16, u8)>(),
            cut in any::<u16>(),
        ) {
            let key = Key::new(key.as_bytes()).unwrap();
            let item = Item { value: value.into(), flags, expires, version: Version(version) };
            let bytes = encode(&key, &item);
            prop_assert_eq!(end(&bytes), Some(expires));
            prop_assert_eq!(decode(&key, bytes.clone()), Some(item));
            prop_assert_eq!(decode(&Key::new(b"another").unwrap(), bytes.clone()), None);
            prop_assert_eq!(decode(&key, bytes[..cut as usize % bytes.len()].to_vec()), None);
            let mut flipped = bytes.clone();
            flipped[flip.0 as usize % bytes.len()] ^= flip.1.max(1);
            prop_assert_eq!(decode(&key, flipped), None);
            let longer = [&bytes[..], b"\0"].concat();
            prop_assert_eq!(decode(&key, longer), None);
        }

        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(decode(&Key::new(b"k").unwrap(), bytes.clone()), None);
            prop_assert_eq!(end(&bytes), None);
        }
    }
}
