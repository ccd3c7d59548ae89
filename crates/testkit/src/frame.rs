//! WebSocket frames (RFC 6455 §5.2). They are implemented here again, so that the product is not tested against
//! itself.

use std::io;

use crate::wire::Wire;

/// One frame, with its payload unmasked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// FIN, the extension bits and the opcode.
    pub first: u8,
    pub is_masked: bool,
    pub payload: Vec<u8>,
}

impl Frame {
    /// An unmasked frame, as a server sends it.
    pub fn from_server(first: u8, payload: impl AsRef<[u8]>) -> Self {
        Self { first, is_masked: false, payload: payload.as_ref().to_vec() }
    }

    /// A masked frame, as a client sends it.
    pub fn from_client(first: u8, payload: impl AsRef<[u8]>) -> Self {
        Self { is_masked: true, ..Self::from_server(first, payload) }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.first];
        let mask_bit = if self.is_masked { 0x80 } else { 0 };
        match self.payload.len() {
            length @ 0..126 => bytes.push(mask_bit | u8::try_from(length).unwrap()),
            length @ 126..65_536 => {
                bytes.push(mask_bit | 126);
                bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            length => {
                bytes.push(mask_bit | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        let mask = if self.is_masked { MASK } else { [0; 4] };
        bytes.extend(mask.iter().take(if self.is_masked { 4 } else { 0 }));
        bytes.extend(self.payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
        bytes
    }

    pub(crate) fn read(wire: &mut Wire) -> io::Result<Self> {
        let [first, second] = some(wire)?;
        let length = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes(some(wire)?)),
            127 => u64::from_be_bytes(some(wire)?),
            short => short.into(),
        };
        let is_masked = second & 0x80 != 0;
        let mask: [u8; 4] = if is_masked { some(wire)? } else { [0; 4] };
        let mut payload = Vec::new();
        wire.exactly(usize::try_from(length).unwrap(), &mut payload)?;
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
        Ok(Self { first, is_masked, payload })
    }
}

fn some<const N: usize>(wire: &mut Wire) -> io::Result<[u8; N]> {
    let mut bytes = Vec::new();
    wire.exactly(N, &mut bytes)?;
    Ok(bytes.try_into().unwrap())
}

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_match_the_examples_of_the_rfc() {
        // RFC 6455 §5.7.
        assert_eq!(Frame::from_server(0x81, "Hello").bytes(), b"\x81\x05Hello");
        assert_eq!(
            Frame::from_client(0x81, "Hello").bytes(),
            [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]
        );
        let head = |length: usize| Frame::from_server(0x82, vec![0; length]).bytes()[..10].to_vec();
        assert_eq!(head(256)[..4], [0x82, 126, 1, 0]);
        assert_eq!(head(65_536), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
