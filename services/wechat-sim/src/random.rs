//! Random values in the alphabets of WeChat.

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Returns `N` random bytes.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}

/// Returns `LEN` random characters of `[A-Za-z0-9_-]`.
pub(crate) fn text<const LEN: usize>() -> String {
    bytes::<LEN>().iter().map(|byte| char::from(ALPHABET[usize::from(byte & 63)])).collect()
}

/// Returns a random decimal number of at most ten digits, as WeChat's nonces are.
pub(crate) fn nonce() -> String {
    u32::from_le_bytes(bytes()).to_string()
}
