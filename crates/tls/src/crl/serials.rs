//! A set of serial numbers, as small as it gets: twenty bytes each, sorted.

use std::fmt;

/// RFC 5280 §4.1.2.2 allows twenty bytes, so every number is one of these, filled with zeros on the left.
pub(crate) type Serial = [u8; SERIAL_BYTES];

/// Made once, then only asked: 20 MB for a million numbers, found in twenty steps.
#[derive(Default)]
pub(crate) struct Serials {
    sorted: Vec<Serial>,
}

impl Serials {
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self { sorted: Vec::with_capacity(count) }
    }

    pub(crate) fn push(&mut self, serial: Serial) {
        self.sorted.push(serial);
    }

    /// To be called after the last `push`.
    pub(crate) fn sort(&mut self) {
        self.sorted.sort_unstable();
        self.sorted.dedup();
    }

    pub(crate) fn contains(&self, serial: &Serial) -> bool {
        self.sorted.binary_search(serial).is_ok()
    }

    pub(crate) fn len(&self) -> usize {
        self.sorted.len()
    }
}

impl fmt::Debug for Serials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} serials", self.len())
    }
}

/// The number that an INTEGER's bytes are, without regard to leading zeros: some authorities forget the one that tells a
/// number from a negative one. `None`: more than twenty bytes.
pub(crate) fn serial(integer: &[u8]) -> Option<Serial> {
    let start = integer.iter().position(|&byte| byte != 0).unwrap_or(integer.len());
    let digits = &integer[start..];
    let mut serial = [0; SERIAL_BYTES];
    serial.get_mut(SERIAL_BYTES.checked_sub(digits.len())?..)?.copy_from_slice(digits);
    Some(serial)
}

/// limit: of RFC 5280.
const SERIAL_BYTES: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_put_in_and_nothing_else() {
        let mut serials = Serials::with_capacity(3);
        for number in [&[7][..], &[1, 0], &[7], &[0xff; 20]] {
            serials.push(serial(number).unwrap());
        }
        serials.sort();
        assert_eq!(serials.len(), 3);
        for (number, is_in) in [
            (&[7][..], true),
            (&[0, 7], true),
            (&[1], false),
            (&[1, 0], true),
            (&[0xff; 20], true),
            (&[], false),
        ] {
            assert_eq!(serials.contains(&serial(number).unwrap()), is_in, "{number:?}");
        }
        assert!(serial(&[1; 21]).is_none());
        assert!(serial(&[[0].as_slice(), &[0x80; 20]].concat()).is_some());
    }
}
