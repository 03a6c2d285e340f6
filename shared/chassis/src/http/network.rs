//! Networks of clients: the owner of an IPv6 network has all of its addresses.

use std::net::{IpAddr, Ipv6Addr};

/// Bits of the networks that are counted as one client of connections: what a household gets.
pub const CLIENT_NETWORK_BITS: u32 = 56;

/// Network of an IPv6 address, by the length of its prefix; an IPv4 address is one by itself.
pub fn network(address: IpAddr, ipv6_bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - ipv6_bits.min(128)).unwrap_or(0);
            Ipv6Addr::from(u128::from(address) & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_the_leading_bits_and_nothing_else() {
        let network = |text: &str, bits| network(text.parse().unwrap(), bits).to_string();
        let address = "2001:db8:aa:bbcc:1:2:3:4";
        for (bits, expected) in [
            (64, "2001:db8:aa:bbcc::"),
            (56, "2001:db8:aa:bb00::"),
            (48, "2001:db8:aa::"),
            (128, address),
            (0, "::"),
        ] {
            assert_eq!(network(address, bits), expected, "/{bits}");
            assert_eq!(network("203.0.113.9", bits), "203.0.113.9");
        }
    }
}
