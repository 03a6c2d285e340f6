//! Signature of webhook messages by [Standard Webhooks](https://www.standardwebhooks.com) 1.0:
//! an HMAC over the id, the time and the body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use paihao_chassis::config::SecretText;
use sha2::Sha256;

/// Header with the id of the message, the same at each attempt.
pub const ID_HEADER: &str = "webhook-id";

/// Header with the time of the attempt, in Unix seconds.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";

/// Header with the signatures.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// Prefix of a secret whose rest is the key in base64.
const ENCODED_PREFIX: &str = "whsec_";

/// Returns the header value `v1,BASE64`, with one per secret and a space between two: the
/// HMAC-SHA256 of the id, a dot, the time in decimal, a dot and the body.
pub fn sign(secrets: &[SecretText], id: &str, unix_seconds: i64, body: &[u8]) -> String {
    let signatures = secrets.iter().map(|secret| {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&key(secret)).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{unix_seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

/// Key of a secret: what is encoded behind the prefix, else the text itself.
fn key(secret: &SecretText) -> Vec<u8> {
    let text = secret.expose();
    let encoded = text.strip_prefix(ENCODED_PREFIX).and_then(|it| STANDARD.decode(it).ok());
    encoded.unwrap_or_else(|| text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vector of the libraries of Standard Webhooks.
    #[test]
    fn the_vector_of_the_standard_is_signed_alike() {
        let secret = SecretText::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signature = sign(&[secret], id, 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_a_secret_changes_both_sign_and_one_without_the_prefix_is_the_key() {
        let [new, former] = ["new", "whsec_bmV3"].map(SecretText::new);
        let both = sign(&[new.clone(), former], "1-0", 7, b"{}");
        let one = sign(&[new], "1-0", 7, b"{}");
        assert_eq!(both, format!("{one} {one}"), "bmV3 is the base64 of new");
    }
}
