//! Sealing of secrets that are stored: AES-256-GCM under the operator's key, which no store holds.
//!
//! A seal is bound to the place of its secret, so that a stored value cannot be moved to another
//! place. It names its key, so that a key can be replaced while values under the former one are
//! still read.

use crate::entropy;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use std::fmt;

/// Beginning of every sealed value. A secret of a former version never has a colon.
const SEALED_PREFIX: &str = "sealed:";

/// Version of the seal that is written.
const SEAL_VERSION: &str = "1";

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// Hex digits of a key's id.
const KEY_ID_DIGITS: usize = 8;

/// Keys of the operator: the first seals, and each opens what it sealed.
pub struct Keyring {
    keys: Vec<OperatorKey>,
}

struct OperatorKey {
    id: String,
    key: LessSafeKey,
}

/// Reason why a text is no keyring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// There is no key.
    #[error("there is no key in it")]
    Empty,
    /// A line is no key; the first line has number 1.
    #[error("line {0} is no key, which has 43 letters, digits, - and _")]
    Malformed(usize),
}

/// Reason why a sealed value is not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// It was sealed under a key that is not in the keyring.
    #[error("it is sealed under the operator's key {0}, which is not at hand")]
    UnknownKey(String),
    /// It was changed, was moved from another place, or is no sealed value.
    #[error("the seal is broken")]
    Broken,
    /// A newer program sealed it.
    #[error("a newer program sealed it")]
    Newer,
}

/// Returns whether a stored value is sealed.
pub fn is_sealed(stored: &str) -> bool {
    stored.starts_with(SEALED_PREFIX)
}

/// Returns the id of the key that a stored value is sealed under; `None` if it is not sealed.
pub fn key_id(stored: &str) -> Option<&str> {
    stored.strip_prefix(SEALED_PREFIX)?.split(':').nth(1)
}

impl Keyring {
    /// Makes a key, as a line of a keyring.
    pub fn generate_key() -> String {
        entropy::token(KEY_BYTES)
    }

    /// Reads a keyring: a key on each line, the one that seals first. Empty lines and those that
    /// begin with `#` are comments.
    pub fn parse(text: &str) -> Result<Keyring, KeyringError> {
        let lines = (1..).zip(text.lines().map(str::trim));
        let keys = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let keys = keys
            .map(|(number, line)| OperatorKey::parse(line).ok_or(KeyringError::Malformed(number)));
        let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(KeyringError::Empty) } else { Ok(Keyring { keys }) }
    }

    /// Returns the id of the key that seals.
    pub fn current_id(&self) -> &str {
        &self.keys[0].id
    }

    /// Returns the ids of all keys, the one that seals first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| &*key.id)
    }

    /// Returns whether a stored value is sealed under the key that seals now.
    pub fn is_current(&self, stored: &str) -> bool {
        key_id(stored) == Some(self.current_id())
    }

    /// Seals a secret for a place.
    pub fn seal(&self, place: &str, secret: &str) -> String {
        let nonce: [u8; NONCE_LEN] = entropy::bytes();
        let OperatorKey { id, key } = &self.keys[0];
        let mut sealed = secret.as_bytes().to_vec();
        let bound_to = associated_data(SEAL_VERSION, id, place);
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(bound_to),
            &mut sealed,
        )
        .expect("a secret is far smaller than the cipher's limit");
        let sealed = URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat());
        format!("{SEALED_PREFIX}{SEAL_VERSION}:{id}:{sealed}")
    }

    /// Opens a value that was sealed for a place.
    pub fn open(&self, place: &str, stored: &str) -> Result<String, UnsealError> {
        let rest = stored.strip_prefix(SEALED_PREFIX).ok_or(UnsealError::Broken)?;
        let mut parts = rest.splitn(3, ':');
        let [version, id, sealed] = [parts.next(), parts.next(), parts.next()];
        let version = version.unwrap_or_default();
        if version != SEAL_VERSION {
            let is_number = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit());
            return Err(if is_number { UnsealError::Newer } else { UnsealError::Broken });
        }
        let (id, sealed) = id.zip(sealed).ok_or(UnsealError::Broken)?;
        let key = self.keys.iter().find(|key| key.id == id);
        let key = key.ok_or_else(|| UnsealError::UnknownKey(id.to_owned()))?;
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| UnsealError::Broken)?;
        let (nonce, ciphertext) =
            bytes.split_at_mut_checked(NONCE_LEN).ok_or(UnsealError::Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| UnsealError::Broken)?;
        let bound_to = associated_data(version, id, place);
        let opened = key
            .key
            .open_in_place(nonce, Aad::from(bound_to), ciphertext)
            .map_err(|_| UnsealError::Broken)?;
        String::from_utf8(opened.to_vec()).map_err(|_| UnsealError::Broken)
    }
}

impl OperatorKey {
    fn parse(line: &str) -> Option<OperatorKey> {
        let bytes = URL_SAFE_NO_PAD.decode(line).ok().filter(|bytes| bytes.len() == KEY_BYTES)?;
        let named = [b"paihao operator's key", &*bytes].concat();
        let hash = digest(&SHA256, &named);
        let id = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let key = UnboundKey::new(&AES_256_GCM, &bytes).ok()?;
        Some(OperatorKey { id: id[..KEY_ID_DIGITS].to_owned(), key: LessSafeKey::new(key) })
    }
}

/// What a seal is bound to. No part can run into the next: neither version nor id has a line feed.
fn associated_data(version: &str, id: &str, place: &str) -> Vec<u8> {
    format!("{version}\n{id}\n{place}").into_bytes()
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keyring() -> Keyring {
        Keyring::parse(&Keyring::generate_key()).unwrap()
    }

    #[test]
    fn a_keyring_is_a_key_a_line() {
        let [new, old] = [(); 2].map(|()| Keyring::generate_key());
        let both = Keyring::parse(&format!("# made in May\n{new}\r\n\n {old} \n")).unwrap();
        let ids: Vec<_> = both.ids().map(str::to_owned).collect();
        let alone = |key: &str| Keyring::parse(key).unwrap().current_id().to_owned();
        assert_eq!(ids, [alone(&new), alone(&old)]);
        assert_eq!(both.current_id(), ids[0]);
        assert_eq!(Keyring::parse("# nothing\n").unwrap_err(), KeyringError::Empty);
        for bad in ["short", &new[1..], &format!("{new}A"), &format!("{}!", &new[1..])] {
            let text = format!("{old}\n{bad}\n");
            assert_eq!(Keyring::parse(&text).unwrap_err(), KeyringError::Malformed(2), "{bad}");
        }
    }

    #[test]
    fn neither_a_keyring_nor_an_error_prints_a_key() {
        let key = Keyring::generate_key();
        let keyring = Keyring::parse(&key).unwrap();
        let printed = format!("{keyring:?}");
        assert_eq!(printed, format!("[{:?}]", keyring.current_id()));
        let error = Keyring::parse(&format!("{key}x")).unwrap_err();
        assert!(!format!("{error:?} {error}").contains(&key[..8]));
    }

    #[test]
    fn a_replaced_key_still_opens_and_a_missing_one_is_named() {
        let [new, old] = [(); 2].map(|()| Keyring::generate_key());
        let before = Keyring::parse(&old).unwrap();
        let sealed = before.seal("a", "s3cret");
        let both = Keyring::parse(&format!("{new}\n{old}")).unwrap();
        assert_eq!(both.open("a", &sealed).unwrap(), "s3cret");
        assert!(before.is_current(&sealed) && !both.is_current(&sealed));
        let after = Keyring::parse(&new).unwrap();
        let missing = UnsealError::UnknownKey(before.current_id().to_owned());
        assert_eq!(after.open("a", &sealed).unwrap_err(), missing);
        assert_eq!(key_id(&sealed), Some(before.current_id()));
    }

    #[test]
    fn a_value_of_another_form_is_told_from_a_broken_one() {
        let keyring = keyring();
        let sealed = keyring.seal("a", "s3cret");
        let newer = sealed.replacen(":1:", ":2:", 1);
        assert_eq!(keyring.open("a", &newer).unwrap_err(), UnsealError::Newer);
        for broken in ["", "s3cret", "sealed:", "sealed:1", "sealed:1:x", "sealed:x:y:z"] {
            assert!(
                matches!(
                    keyring.open("a", broken).unwrap_err(),
                    UnsealError::Broken | UnsealError::UnknownKey(_)
                ),
                "{broken}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_comes_back_at_its_place_alone(
            secret in ".{0,80}", place in ".{0,40}", other in ".{0,40}",
        ) {
            let keyring = keyring();
            let sealed = keyring.seal(&place, &secret);
            prop_assert!(is_sealed(&sealed));
            prop_assert!(secret.len() < 6 || !sealed.contains(&secret));
            prop_assert_ne!(&keyring.seal(&place, &secret), &sealed);
            prop_assert_eq!(keyring.open(&place, &sealed).unwrap(), secret);
            if other != place {
                prop_assert_eq!(keyring.open(&other, &sealed).unwrap_err(), UnsealError::Broken);
            }
        }

        #[test]
        fn a_changed_value_is_refused(at in any::<prop::sample::Index>(), by in 1u8..64) {
            let keyring = keyring();
            let sealed = keyring.seal("a", "0123456789abcdef");
            const ALPHABET: &[u8] =
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let begin = sealed.rfind(':').unwrap() + 1;
            let at = begin + at.index(sealed.len() - begin);
            let mut changed = sealed.clone().into_bytes();
            let digit = ALPHABET.iter().position(|digit| *digit == changed[at]).unwrap();
            changed[at] = ALPHABET[(digit + usize::from(by)) % ALPHABET.len()];
            let changed = String::from_utf8(changed).unwrap();
            prop_assert_eq!(keyring.open("a", &changed).unwrap_err(), UnsealError::Broken);
        }
    }
}
