//! Signatures of WeChat: SHA-1 over the sorted parts.

use sha1::{Digest, Sha1};

/// Signature of a push: the lower-case hexadecimal SHA-1 of token, timestamp and nonce, sorted as
/// bytes and joined.
pub fn signature(token: &str, timestamp: &str, nonce: &str) -> String {
    sha1_of_sorted([token, timestamp, nonce])
}

/// Signature of a sealed push, which covers the sealed text too.
pub fn msg_signature(token: &str, timestamp: &str, nonce: &str, encrypt: &str) -> String {
    sha1_of_sorted([token, timestamp, nonce, encrypt])
}

fn sha1_of_sorted<const N: usize>(mut parts: [&str; N]) -> String {
    parts.sort_unstable();
    hex::encode(Sha1::digest(parts.concat()))
}

#[cfg(test)]
mod tests {
    use super::{msg_signature, signature};

    #[test]
    fn four_parts_agree_with_the_published_example() {
        let signed = msg_signature("RMNlACHlV5ThzfRlVS4D4", "timestamp", "nonce", "encrypt");
        assert_eq!(signed, "8edac0945683c119ee71c9f6256d76c48aa08a96");
    }

    #[test]
    fn agrees_with_the_published_examples() {
        for (token, timestamp, nonce, expected) in [
            ("AAAAA", "1714036504", "1514711492", "f464b24fc39322e44b38aa78f5edd27bd1441696"),
            ("AAAAA", "1714037059", "486452656", "899cf89e464efb63f54ddac96b0a0a235f53aa78"),
            ("AAAAA", "1714112445", "415670741", "6c5c811b55cc85e0e1b54100749188c20beb3f5d"),
            ("spamtest", "1409735669", "1320562132", "16120ec1b8dbb870f510d87ce6bc2463eae6ca1a"),
            ("test", "1410685589", "test", "f21891de399b4e33a1a93c9a7b8a8fffb5a443ff"),
        ] {
            assert_eq!(signature(token, timestamp, nonce), expected);
        }
    }
}
