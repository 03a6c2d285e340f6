//! Link to one ticket: unguessable, and given to the ticket's holder only.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Secret of a ticket's link: 128 random bits, stored and sent as 32 lower-case hexadecimal digits.
/// Debug output hides it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TicketKey(pub [u8; 16]);

/// Target of a link, without the site: `20780-17-…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TicketLink {
    /// Business day on which the link was created, in days since 1970-01-01.
    pub day: i32,
    /// Serial of the ticket in its business day.
    pub ticket: u32,
    /// Secret of the link.
    pub key: TicketKey,
}

impl TicketLink {
    /// Returns the path of the ticket's page.
    pub fn path(&self, site: &str) -> String {
        format!("/t/{site}/{}", self.id())
    }

    /// Returns the segment for paths: `20780-17-0123…`.
    pub fn id(&self) -> String {
        format!("{}-{}-{}", self.day, self.ticket, self.key.to_hex())
    }

    /// Parses the segment that [`TicketLink::id`] returns; `None` for any other text.
    pub fn parse(id: &str) -> Option<TicketLink> {
        let mut parts = id.splitn(3, '-');
        let day = parts.next()?;
        let ticket = parts.next()?;
        let key = parts.next()?;
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(day) || !plain(ticket) {
            return None;
        }
        let day = day.parse().ok()?;
        let ticket = ticket.parse().ok()?;
        Some(TicketLink { day, ticket, key: TicketKey::from_hex(key)? })
    }
}

impl TicketKey {
    fn to_hex(self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }

    fn from_hex(hex: &str) -> Option<TicketKey> {
        let plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if hex.len() != 32 || !hex.bytes().all(plain) {
            return None;
        }
        u128::from_str_radix(hex, 16).ok().map(|bits| TicketKey(bits.to_be_bytes()))
    }
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKey(..)")
    }
}

impl Serialize for TicketKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for TicketKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hex = String::deserialize(deserializer)?;
        TicketKey::from_hex(&hex).ok_or_else(|| D::Error::custom("a ticket's key is 32 digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_reads_back_and_nothing_else_does() {
        let key = TicketKey([7; 16]);
        let link = TicketLink { day: 20_780, ticket: 17, key };
        let id = link.id();
        assert_eq!(id, format!("20780-17-{}", "07".repeat(16)));
        assert_eq!(link.path("hall"), format!("/t/hall/{id}"));
        assert_eq!(TicketLink::parse(&id), Some(link));
        assert!(!format!("{link:?}").contains("0707"));
        let hex = "07".repeat(16);
        for text in [
            String::new(),
            "20780-17".to_owned(),
            format!("20780-17-{}", &hex[1..]),
            format!("20780-17-{hex}0"),
            format!("20780-17-{}", hex.replace('7', "F")),
            format!("+20780-17-{hex}"),
            format!("20780--17-{hex}"),
            format!("20780-17-+{}", &hex[1..]),
            format!("99999999999-17-{hex}"),
        ] {
            assert_eq!(TicketLink::parse(&text), None, "{text}");
        }
    }
}
