//! MAC of records in the cache that decide logins: whoever can write into the cache, and does not
//! have the deployment's secret, logs in as nobody.
//!
//! The MAC is the first member of the record. It covers the record's key too, so that one is not
//! put in the place of another. A program of before the MAC ignores it.

use async_trait::async_trait;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use paihao_cache::Unavailable;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Beginning of a record with a MAC.
const PREFIX: &[u8] = b"{\"mac\":\"";

/// Hex digits of a MAC.
const MAC_DIGITS: usize = 64;

/// Key of the MACs.
pub(crate) struct RecordMac {
    key: [u8; 32],
    /// True if a record without a MAC is refused; older programs write none.
    is_required: bool,
}

/// Source of the key, which follows from the deployment's secret.
#[async_trait]
pub(crate) trait RecordMacs: Send + Sync {
    /// Returns the key, once the secret is known.
    async fn current(&self) -> Result<RecordMac, Unavailable>;
}

impl RecordMac {
    pub(crate) fn new(key: [u8; 32], is_required: bool) -> RecordMac {
        RecordMac { key, is_required }
    }

    /// Adds the MAC to a record, which is a JSON object with members.
    pub(crate) fn sign(&self, cache_key: &str, record: &[u8]) -> Bytes {
        let mac = self.mac(cache_key, record);
        [PREFIX, mac.as_bytes(), b"\",", &record[1..]].concat().into()
    }

    /// Returns whether a record is one of the deployment's own.
    pub(crate) fn accepts(&self, cache_key: &str, stored: &[u8]) -> bool {
        match split(stored) {
            Some((mac, record)) => self.mac(cache_key, &record).as_bytes().ct_eq(mac).into(),
            None => !self.is_required,
        }
    }

    fn mac(&self, cache_key: &str, record: &[u8]) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(&(cache_key.len() as u64).to_be_bytes());
        mac.update(cache_key.as_bytes());
        mac.update(record);
        hex::encode(mac.finalize().into_bytes())
    }
}

/// Splits a record with a MAC into both.
fn split(stored: &[u8]) -> Option<(&[u8], Vec<u8>)> {
    let (mac, rest) = stored.strip_prefix(PREFIX)?.split_at_checked(MAC_DIGITS)?;
    Some((mac, [b"{", rest.strip_prefix(b"\",")?].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_accepted_under_its_key_unchanged() {
        let mac = RecordMac::new([7; 32], true);
        let record = br#"{"v":1,"a":"b"}"#;
        let stored = mac.sign("session/1", record);
        assert!(mac.accepts("session/1", &stored));
        let read: serde_json::Value = serde_json::from_slice(&stored).unwrap();
        assert_eq!((&read["v"], &read["a"]), (&1.into(), &"b".into()));
        assert!(!mac.accepts("session/2", &stored), "another record");
        assert!(!RecordMac::new([8; 32], true).accepts("session/1", &stored), "another secret");
        for index in 0..stored.len() {
            let mut changed = stored.to_vec();
            changed[index] ^= 1;
            assert!(!mac.accepts("session/1", &changed), "{index}");
        }
        for bare in [&record[..], b"", b"{", b"{\"mac\":\"\"}"] {
            assert!(!mac.accepts("session/1", bare));
        }
    }

    #[test]
    fn while_older_programs_run_a_record_needs_no_mac_but_not_a_wrong_one() {
        let mac = RecordMac::new([7; 32], false);
        let stored = mac.sign("session/1", br#"{"v":1}"#);
        assert!(mac.accepts("session/1", &stored) && mac.accepts("session/1", br#"{"v":1}"#));
        assert!(!mac.accepts("session/2", &stored));
    }
}
