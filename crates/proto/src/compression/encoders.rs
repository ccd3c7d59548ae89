//! The encoders of one worker: a limit on those in use, and a cache of idle ones.

use model::ContentCoding;

use super::Encoder;

/// Lends encoders up to a memory limit.
#[derive(Debug)]
pub struct Encoders {
    idle: Vec<Encoder>,
    lent_bytes: usize,
    bytes_max: usize,
}

impl Encoders {
    /// `bytes_max` limits the encoders that are lent at the same time.
    pub fn new(bytes_max: usize) -> Self {
        Self { idle: Vec::new(), lent_bytes: 0, bytes_max }
    }

    /// Lends an encoder at the start of a stream of `length` bytes, if that is known. `None`: the memory limit would be
    /// exceeded, or there is no memory.
    pub fn lend(&mut self, coding: ContentCoding, level: u8, length: Option<u64>) -> Option<Encoder> {
        let bytes = Encoder::state_bytes_max(coding, level);
        if self.lent_bytes + bytes > self.bytes_max {
            return None;
        }
        let is_wanted = |encoder: &Encoder| encoder.coding() == coding && encoder.level() == level;
        let waiting = self.idle.iter().rposition(is_wanted).map(|place| self.idle.swap_remove(place));
        let renewed = waiting.and_then(|mut encoder| encoder.renew(length).then_some(encoder));
        let encoder = match renewed {
            Some(encoder) => encoder,
            None => Encoder::new(coding, level, length).ok()?,
        };
        self.lent_bytes += bytes;
        Some(encoder)
    }

    /// Takes an encoder back, wherever its stream stopped. One that is not sound is dropped.
    pub fn give_back(&mut self, encoder: Encoder, is_sound: bool) {
        let bytes = Encoder::state_bytes_max(encoder.coding(), encoder.level());
        self.lent_bytes = self.lent_bytes.saturating_sub(bytes);
        if is_sound && encoder.coding() != ContentCoding::Br && self.idle.len() < IDLE_MAX {
            self.idle.push(encoder);
        }
    }
}

// limit: idle encoders that are kept; at most about 10 MiB.
const IDLE_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use model::ContentCoding::{Br, Gzip, Zstd};

    use super::*;
    use crate::compression::Op;

    #[test]
    fn memory_is_lent_up_to_the_limit() {
        let one = Encoder::state_bytes_max(Gzip, 2);
        let mut encoders = Encoders::new(3 * one);
        let mut lent: Vec<_> = std::iter::from_fn(|| encoders.lend(Gzip, 2, None)).collect();
        assert_eq!(lent.len(), 3);
        encoders.give_back(lent.pop().unwrap(), true);
        assert!(encoders.lend(Zstd, 1, None).is_none(), "larger than what is left");
        lent.push(encoders.lend(Gzip, 2, None).unwrap());
        lent.into_iter().for_each(|encoder| encoders.give_back(encoder, true));
        assert_eq!(encoders.lent_bytes, 0);
    }

    #[test]
    fn idle_encoders_are_limited_too() {
        let mut encoders = Encoders::new(usize::MAX);
        let lent: Vec<_> = (0..20).filter_map(|_| encoders.lend(Gzip, 2, None)).collect();
        lent.into_iter().for_each(|encoder| encoders.give_back(encoder, true));
        assert_eq!(encoders.idle.len(), IDLE_MAX);
    }

    #[test]
    fn an_unsound_encoder_is_not_lent_again() {
        let mut encoders = Encoders::new(usize::MAX);
        let encoder = encoders.lend(Gzip, 2, None).unwrap();
        encoders.give_back(encoder, false);
        assert_eq!((encoders.idle.len(), encoders.lent_bytes), (0, 0));
    }

    #[test]
    fn a_reused_encoder_leaks_nothing_of_the_last_stream() {
        let mut encoders = Encoders::new(usize::MAX);
        for coding in [Zstd, Br, Gzip] {
            let mut streams = Vec::new();
            for _ in 0..2 {
                let mut encoder = encoders.lend(coding, 2, Some(9)).unwrap();
                let mut out = [0; 256];
                let step = encoder.step(Op::Finish, b"the whole", &mut out).unwrap();
                assert!(step.is_done);
                streams.push(out[..step.written].to_vec());
                encoders.give_back(encoder, true);
                // The other one is abandoned in the middle of a stream.
                let mut encoder = encoders.lend(coding, 2, None).unwrap();
                encoder.step(Op::Push, b"something else", &mut out).unwrap();
                encoders.give_back(encoder, true);
            }
            assert_eq!(streams[0], streams[1], "{coding:?}");
        }
    }

    #[test]
    fn an_encoder_is_used_for_its_own_level_only() {
        let mut encoders = Encoders::new(usize::MAX);
        let encoder = encoders.lend(Gzip, 2, None).unwrap();
        encoders.give_back(encoder, true);
        assert_eq!(encoders.lend(Gzip, 9, None).unwrap().level(), 9);
        assert_eq!(encoders.idle.len(), 1);
        assert_eq!(encoders.lend(Gzip, 2, None).unwrap().level(), 2);
        assert_eq!(encoders.idle.len(), 0);
    }
}
