//! Address ranges.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address range in CIDR form (RFC 4632, RFC 4291 §2.3). An IPv4-mapped IPv6 address equals its IPv4 form.
/// An IPv6 range contains no IPv4 address, however short its prefix is: `::/0` is all of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cidr {
    /// The first address as 128 bits; IPv4 in its mapped form, so that one comparison serves both families.
    base: u128,
    mask: u128,
}

/// Why a text is not a [`Cidr`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidCidr {
    Address,
    PrefixLength,
    /// Bits after the prefix are set (`10.0.0.1/8`): most likely a typing error.
    HostBits,
}

impl Cidr {
    pub fn contains(&self, address: IpAddr) -> bool {
        let wide = widen(address);
        wide & self.mask == self.base && is_v4(wide) == self.is_v4()
    }

    /// Whether this is an IPv4 range.
    pub fn is_v4(&self) -> bool {
        self.prefix_length() >= V4_PREFIX && is_v4(self.base)
    }

    /// The first and the last address as 128 bits, IPv4 in its mapped form.
    pub fn bounds(&self) -> (u128, u128) {
        (self.base, self.base | !self.mask)
    }

    /// The prefix length in the 128-bit form, also for IPv4.
    pub fn prefix_length(&self) -> u32 {
        self.mask.leading_ones()
    }
}

impl FromStr for Cidr {
    type Err = InvalidCidr;

    fn from_str(text: &str) -> Result<Self, InvalidCidr> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| InvalidCidr::Address)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
                text.parse::<u32>().ok().filter(|&n| n <= width).ok_or(InvalidCidr::PrefixLength)?
            }
            Some(_) => return Err(InvalidCidr::PrefixLength),
            None => width,
        };
        let mask = u128::MAX.checked_shl(width - length).unwrap_or(0);
        // An IPv4 range contains only mapped addresses, however short its prefix is.
        let mask = if width == 32 { mask | (u128::MAX << 32) } else { mask };
        let base = widen(address);
        if base & !mask != 0 {
            return Err(InvalidCidr::HostBits);
        }
        Ok(Self { base, mask })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Ipv6Addr::from(self.base);
        let length = self.prefix_length();
        match address.to_ipv4_mapped() {
            Some(v4) if length >= V4_PREFIX => write!(f, "{v4}/{}", length - V4_PREFIX),
            _ => write!(f, "{address}/{length}"),
        }
    }
}

fn widen(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => widen_v4(v4),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn widen_v4(address: Ipv4Addr) -> u128 {
    u128::from(address.to_ipv6_mapped())
}

/// Whether these 128 bits are an IPv4 address in its mapped form.
fn is_v4(wide: u128) -> bool {
    wide >> 32 == 0xffff
}

/// The prefix length of `::ffff:0:0/96`, the range of all IPv4-mapped addresses.
const V4_PREFIX: u32 = 96;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contains_addresses_with_its_prefix() {
        for (cidr, address, expected) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("0.0.0.0/0", "255.1.2.3", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("::/0", "2001:db8::1", true),
            ("::/0", "10.1.1.1", false),
            ("::/0", "::ffff:10.1.1.1", false),
            ("::/64", "::1", true),
            ("::ffff:10.0.0.0/104", "10.1.1.1", true),
            ("::ffff:0:0/96", "10.1.1.1", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
        ] {
            let parsed: Cidr = cidr.parse().unwrap();
            assert_eq!(parsed.contains(address.parse().unwrap()), expected, "{cidr} {address}");
        }
    }

    #[test]
    fn invalid_ranges_are_refused() {
        for (text, error) in [
            ("10.0.0.1/8", InvalidCidr::HostBits),
            ("10.0.0.0/33", InvalidCidr::PrefixLength),
            ("10.0.0.0/", InvalidCidr::PrefixLength),
            ("10.0.0.0/+8", InvalidCidr::PrefixLength),
            ("ten/8", InvalidCidr::Address),
            ("::1/129", InvalidCidr::PrefixLength),
        ] {
            assert_eq!(text.parse::<Cidr>(), Err(error), "{text}");
        }
    }

    #[test]
    fn prints_the_text_that_was_parsed() {
        for text in ["10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0", "192.0.2.7/32"] {
            assert_eq!(text.parse::<Cidr>().unwrap().to_string(), text);
        }
    }
}
