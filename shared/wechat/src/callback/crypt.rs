//! Encryption of messages in compatible and secure mode: AES-256-CBC, padded to 32 bytes and bound
//! to the account's appid.
//!
//! The plaintext holds 16 random bytes, the length of the message (four bytes, big-endian), the
//! message, the appid, and 1 to 32 bytes of padding, each of which holds the number of padding
//! bytes.

use crate::secret::AppId;
use aes::Aes256;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use cbc::cipher::array::Array;
use cbc::cipher::consts::U16;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use std::fmt;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeGreater};

/// Base64 of keys and messages. A key of 43 characters has two bits too many; consoles and people
/// set them arbitrarily, and a strict decoder refuses such keys.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Block size of the cipher.
const CIPHER_BLOCK_BYTES: usize = 16;
/// Block size of the padding: twice the cipher's, so that stock unpadders refuse half of all
/// messages.
const PADDING_BLOCK_BYTES: usize = 32;
/// Length of the random bytes and the message length.
const HEADER_BYTES: usize = 20;

/// Key decoded from the EncodingAESKey of WeChat's console. Prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct AesKey([u8; 32]);

/// Error for a text that is not an EncodingAESKey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an EncodingAESKey has 43 letters and digits")]
pub struct InvalidAesKey;

/// Error for a message that cannot be decrypted. It gives no reason: an attacker who sends altered
/// messages could use it as an oracle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it cannot be deciphered")]
pub struct DecryptError;

impl AesKey {
    /// Parses the 43 characters that the console shows as EncodingAESKey.
    pub fn parse(text: &str) -> Result<Self, InvalidAesKey> {
        if text.len() != 43 {
            return Err(InvalidAesKey);
        }
        let bytes = BASE64.decode(text).map_err(|_| InvalidAesKey)?;
        bytes.try_into().map(AesKey).map_err(|_| InvalidAesKey)
    }

    fn iv(&self) -> [u8; CIPHER_BLOCK_BYTES] {
        *self.0.first_chunk().expect("a key is longer than a block")
    }
}

impl fmt::Debug for AesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesKey(***)")
    }
}

/// Encrypts a message for an account, with 16 random bytes that must not be reused. Returns the
/// text of an `Encrypt` element.
pub fn encrypt(key: &AesKey, app: &AppId, random: [u8; 16], message: &[u8]) -> String {
    let length = u32::try_from(message.len()).expect("a reply is far below 4 GiB");
    let inside = HEADER_BYTES + message.len() + app.0.len();
    let padding = PADDING_BLOCK_BYTES - inside % PADDING_BLOCK_BYTES;
    let mut text = Vec::with_capacity(inside + padding);
    text.extend_from_slice(&random);
    text.extend_from_slice(&length.to_be_bytes());
    text.extend_from_slice(message);
    text.extend_from_slice(app.0.as_bytes());
    text.resize(inside + padding, padding as u8);
    let (blocks, _) = Array::<u8, U16>::slice_as_chunks_mut(&mut text);
    cbc::Encryptor::<Aes256>::new(&key.0.into(), &key.iv().into()).encrypt_blocks(blocks);
    BASE64.encode(text)
}

/// Decrypts the text of an `Encrypt` element for this account. Every fault (base64, padding,
/// length, another account's appid) gives the same error.
///
/// Decryption does not authenticate the sender: check the signature over the text first.
pub fn decrypt(key: &AesKey, app: &AppId, encrypted: &str) -> Result<Vec<u8>, DecryptError> {
    let mut text = BASE64.decode(encrypted).map_err(|_| DecryptError)?;
    let (blocks, remainder) = Array::<u8, U16>::slice_as_chunks_mut(&mut text);
    let is_multiple = remainder.is_empty()
        && blocks.len().is_multiple_of(PADDING_BLOCK_BYTES / CIPHER_BLOCK_BYTES);
    if blocks.is_empty() || !is_multiple {
        return Err(DecryptError);
    }
    cbc::Decryptor::<Aes256>::new(&key.0.into(), &key.iv().into()).decrypt_blocks(blocks);
    let (is_valid, message) = validate_plaintext(&text, app);
    if !bool::from(is_valid) {
        return Err(DecryptError);
    }
    text.truncate(message.1);
    text.drain(..message.0);
    Ok(text)
}

/// Checks the plaintext and locates the message in it. It examines everything regardless of faults,
/// in constant time; the range is within bounds only if the check passes.
fn validate_plaintext(text: &[u8], app: &AppId) -> (Choice, (usize, usize)) {
    let last = text.len() - 1;
    let padding = text[last];
    let mut is_valid = !padding.ct_eq(&0) & !padding.ct_gt(&(PADDING_BLOCK_BYTES as u8));
    for (back, byte) in text.iter().rev().take(PADDING_BLOCK_BYTES).enumerate() {
        let is_padding = padding.ct_gt(&(back as u8));
        is_valid &= byte.ct_eq(&padding) | !is_padding;
    }
    // Clamped, so that no index below exceeds the text.
    let padding = u8::conditional_select(&1, &padding, is_valid);
    let end = text.len() - usize::from(padding);
    let declared = [text[16], text[17], text[18], text[19]];
    let length = u64::from(u32::from_be_bytes(declared));
    let app = app.0.as_bytes();
    let message_end = length + (HEADER_BYTES + app.len()) as u64;
    is_valid &= message_end.ct_eq(&(end as u64));
    let tail = end.saturating_sub(app.len());
    is_valid &= text[tail..end].ct_eq(app);
    (is_valid, (HEADER_BYTES, tail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(text: &str) -> AesKey {
        AesKey::parse(text).unwrap()
    }

    fn app(text: &str) -> AppId {
        AppId(text.to_owned())
    }

    /// Encrypts bytes as they are, without random bytes, length or padding.
    fn raw(key: &AesKey, mut text: Vec<u8>) -> String {
        let (blocks, _) = Array::<u8, U16>::slice_as_chunks_mut(&mut text);
        cbc::Encryptor::<Aes256>::new(&key.0.into(), &key.iv().into()).encrypt_blocks(blocks);
        BASE64.encode(text)
    }

    fn text(message: &[u8], app: &str, length: usize, padding: &[u8]) -> Vec<u8> {
        let header = [b"0123456789abcdef".as_slice(), &(length as u32).to_be_bytes()].concat();
        [&header, message, app.as_bytes(), padding].concat()
    }

    #[test]
    fn keys_of_43_characters_are_read_however_their_last_bits_stand() {
        let sample = key("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG");
        let expected = "69b71d79f8218a39259a7a29aabb2dbafc31cb3d35db7e39ebbf3d0010831051";
        assert_eq!(hex::encode(sample.0), expected);
        assert_eq!(key("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFE").0, sample.0);
        assert_eq!(key(&"A".repeat(43)).0, [0; 32]);
        for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".chars() {
            assert!(AesKey::parse(&format!("{}{last}", "A".repeat(42))).is_ok(), "{last}");
        }
        for text in ["", &"A".repeat(42), &"A".repeat(44), &"-".repeat(43), &"号".repeat(43)] {
            assert_eq!(AesKey::parse(text).err(), Some(InvalidAesKey));
        }
        let padded = format!("{}=", "A".repeat(42));
        assert_eq!(AesKey::parse(&padded).err(), Some(InvalidAesKey), "31 bytes and a sign");
        assert_eq!(format!("{sample:?}"), "AesKey(***)");
    }

    #[test]
    fn padding_of_another_length_or_kind_is_refused() {
        let key = key(&"A".repeat(43));
        let app = app("wx1");
        let open = |text: Vec<u8>| decrypt(&key, &app, &raw(&key, text));
        let fill = |padding: usize| "m".repeat(32 + 32 - (HEADER_BYTES + 3 + padding) % 32);
        let with = |padding: &[u8]| {
            let message = fill(padding.len());
            open(text(message.as_bytes(), "wx1", message.len(), padding)).map(|m| m.len())
        };
        for padding in 1..=32_u8 {
            assert!(with(&vec![padding; usize::from(padding)]).is_ok(), "{padding}");
        }
        for (count, padding_byte) in
            [(33, 33), (200, 200), (1, 0), (32, 0), (32, 33), (32, 255), (4, 3)]
        {
            assert_eq!(
                with(&vec![padding_byte; count]),
                Err(DecryptError),
                "{count} of {padding_byte}"
            );
        }
        for broken in 0..7 {
            let mut padding = vec![7; 7];
            padding[broken] = 6;
            assert_eq!(with(&padding), Err(DecryptError), "the one at {broken}");
        }
    }

    #[test]
    fn lengths_and_owners_that_do_not_fit_are_refused() {
        let key = key(&"A".repeat(43));
        let app = app("wx1");
        let open = |text: Vec<u8>| decrypt(&key, &app, &raw(&key, text));
        let padding = [4; 4];
        assert_eq!(open(text(b"hello", "wx1", 5, &padding)), Ok(b"hello".to_vec()));
        for length in [0, 4, 6, 8, 9, 12, 13, 1 << 20, u32::MAX as usize] {
            let sealed = text(b"hello", "wx1", length, &padding);
            assert_eq!(open(sealed), Err(DecryptError), "{length}");
        }
        for other in ["wx2", "Wx1", "w1x"] {
            assert_eq!(open(text(b"hello", other, 5, &padding)), Err(DecryptError), "{other}");
        }
        // A longer appid that ends like ours, and one that begins like it.
        assert_eq!(open(text(b"hello", "awx1", 5, &[3; 3])), Err(DecryptError));
        assert_eq!(open(text(b"hello", "wx11", 5, &[3; 3])), Err(DecryptError));
        assert_eq!(open(text(b"", "", 0, &[12; 12])), Err(DecryptError));
        // Correct except for the padding, which is to 16 bytes.
        assert_eq!(open(text(b"hello, it is late.", "wx1", 18, &[7; 7])), Err(DecryptError));
        // Only padding, in place of the header.
        assert_eq!(open(vec![32; 32]), Err(DecryptError));
        for short in 0..=2 {
            assert_eq!(open(vec![16; 16 * short]), Err(DecryptError), "{short} blocks");
        }
        for base64 in ["", "A", "AAAA", "!!!!", "====", &"A".repeat(43)] {
            assert_eq!(decrypt(&key, &app, base64), Err(DecryptError), "{base64}");
        }
    }

    proptest! {
        #[test]
        fn an_encrypted_message_is_decrypted_with_its_key_only(
            message in proptest::collection::vec(any::<u8>(), 0..200),
            random in any::<[u8; 16]>(),
            flipped in 0..43_usize,
        ) {
            let aes_key = key("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG");
            let id = app("wx2c2769f8efd9abc2");
            let sealed = encrypt(&aes_key, &id, random, &message);
            prop_assert_eq!(decrypt(&aes_key, &id, &sealed), Ok(message.clone()));
            prop_assert!(BASE64.decode(&sealed).unwrap().len().is_multiple_of(32));
            prop_assert_eq!(decrypt(&aes_key, &app("wx2c2769f8efd9abc3"), &sealed), Err(DecryptError));
            let other: String = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq"
                .chars().enumerate().map(|(at, c)| if at == flipped { '0' } else { c }).collect();
            prop_assert_eq!(decrypt(&key(&other), &id, &sealed), Err(DecryptError));
        }

        #[test]
        fn every_length_of_padding_comes_up(random in any::<[u8; 16]>(), extra in 0..3_usize) {
            let aes_key = key(&"Z".repeat(43));
            let id = app("wxba5fad812f8e6fb9");
            for length in 0..32 {
                let message = vec![b'm'; length + 32 * extra];
                let sealed = encrypt(&aes_key, &id, random, &message);
                let expected = (HEADER_BYTES + message.len() + 18) / 32 * 32 + 32;
                prop_assert_eq!(BASE64.decode(&sealed).unwrap().len(), expected);
                prop_assert_eq!(decrypt(&aes_key, &id, &sealed), Ok(message));
            }
        }

        #[test]
        fn nothing_that_can_be_sent_makes_it_panic(text in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let aes_key = key(&"Z".repeat(43));
            let id = app("wx1");
            prop_assert!(decrypt(&aes_key, &id, &text).is_err());
            prop_assert!(decrypt(&aes_key, &id, &BASE64.encode(bytes)).is_err());
        }
    }
}
