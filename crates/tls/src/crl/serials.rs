//! A compact set of serial numbers: a sorted array of twenty bytes each.

use std::fmt;

/// RFC 5280 §4.1.2.2 allows twenty bytes, so every number fits, padded with zeros on the left.
pub(crate) type Serial = [u8; SERIAL_BYTES];

/// Built once and then read-only: 20 MB and twenty steps per lookup for a million numbers.
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

    /// Must be called after the last `push`.
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

/// The content of an INTEGER as a number, without leading zeros: some authorities omit the zero that marks a positive
/// number. `None`: more than twenty bytes.
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
    fn contains_exactly_the_added_numbers() {
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
