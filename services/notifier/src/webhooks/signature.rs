//! Signature of webhook messages: an HMAC over the time and the body.

use hmac::{Hmac, KeyInit, Mac};
use paihao_chassis::config::SecretText;
use sha2::Sha256;
use std::fmt::Write;

/// Header with the signature.
pub const SIGNATURE_HEADER: &str = "Paihao-Signature";

/// Returns the header value `t=SECONDS,v1=HEX`, with one `v1` per secret: the HMAC-SHA256 of the
/// time in decimal, a dot and the body.
pub fn sign(secrets: &[SecretText], unix_seconds: i64, body: &[u8]) -> String {
    let mut header = format!("t={unix_seconds}");
    for secret in secrets {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
            .expect("HMAC takes keys of any length");
        mac.update(unix_seconds.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        let _ = write!(header, ",v1={}", hex::encode(mac.finalize().into_bytes()));
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the example in docs/guide/webhooks.md.
    #[test]
    fn the_documented_example_is_what_is_sent() {
        let documented = include_str!("../../../../docs/guide/webhooks.md");
        let after = |name: &str| {
            let line = documented.lines().rev().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("docs/guide/webhooks.md has no line {name}")).trim()
        };
        let secret = SecretText::new(after("secret:"));
        let header = after("Paihao-Signature:");
        let t = header.strip_prefix("t=").unwrap().split(',').next().unwrap().parse().unwrap();
        assert_eq!(sign(&[secret], t, after("body:").as_bytes()), header);
    }

    #[test]
    fn while_a_secret_changes_both_sign() {
        let [new, former] = ["new", "former"].map(SecretText::new);
        let both = sign(&[new.clone(), former.clone()], 7, b"{}");
        let signature_with = |secret| sign(&[secret], 7, b"{}").replace("t=7,", "");
        assert_eq!(both, format!("t=7,{},{}", signature_with(new), signature_with(former)));
    }
}
