//! The value of a stored session.

use bytes::Bytes;

/// A version byte, the target's number and the time of creation, both big-endian: 17 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// `TargetId` of crate `balance`.
    pub target: u64,
    /// Milliseconds since 1970.
    pub created: u64,
}

impl Record {
    pub fn to_bytes(self) -> Bytes {
        let mut bytes = [VERSION; BYTES];
        bytes[1..9].copy_from_slice(&self.target.to_be_bytes());
        bytes[9..].copy_from_slice(&self.created.to_be_bytes());
        Bytes::copy_from_slice(&bytes)
    }

    /// `None`: it is not of this version, or damaged.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let [VERSION, numbers @ ..] = <[u8; BYTES]>::try_from(bytes).ok()? else { return None };
        let (words, _) = numbers.as_chunks::<8>();
        Some(Self {
            target: u64::from_be_bytes(*words.first()?),
            created: u64::from_be_bytes(*words.last()?),
        })
    }
}

const VERSION: u8 = 1;
const BYTES: usize = 17;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_and_all_else_is_garbage() {
        let record = Record { target: 0x0102_0304_0506_0708, created: 9 };
        let bytes = record.to_bytes();
        assert_eq!(&bytes[..], b"\x01\x01\x02\x03\x04\x05\x06\x07\x08\0\0\0\0\0\0\0\x09");
        assert_eq!(Record::parse(&bytes), Some(record));
        for length in (0..64).filter(|&length| length != bytes.len()) {
            assert_eq!(Record::parse(&vec![1; length]), None, "{length} bytes");
        }
        for version in (0..=u8::MAX).filter(|&version| version != 1) {
            let other = [&[version], &bytes[1..]].concat();
            assert_eq!(Record::parse(&other), None, "version {version}");
        }
    }
}
