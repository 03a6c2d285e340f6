//! Secrets in stored forms, and the places to which their seals are bound.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Secret as it stands in a log: sealed under the operator's key, or in the clear, as former
/// versions stored it. Prints as `***`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoredSecret(String);

impl StoredSecret {
    /// Wraps a secret as it is stored.
    pub fn new(stored: impl Into<String>) -> StoredSecret {
        StoredSecret(stored.into())
    }

    /// Returns whether it is sealed. A secret of a former version never has a colon.
    pub fn is_sealed(&self) -> bool {
        self.0.starts_with("sealed:")
    }

    /// Returns the stored text.
    pub fn as_stored(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StoredSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredSecret(***)")
    }
}

/// Returns the place of the deployment's secret.
pub fn deployment_secret_place() -> String {
    length_prefixed(&["staff", "deployment", "secret"])
}

/// Returns the place of the private key of a signing key.
pub fn signing_key_place(kid: &str) -> String {
    length_prefixed(&["staff", "signing-key", kid])
}

/// Returns the place of a secret of an account.
pub fn account_secret_place(account: &str, field: &str) -> String {
    length_prefixed(&["account", account, field])
}

/// Joins the parts of a place, each with its length, so that none runs into the next.
fn length_prefixed(parts: &[&str]) -> String {
    parts.iter().map(|part| format!("{}:{part}", part.len())).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_different_where_a_part_is() {
        let places = [
            deployment_secret_place(),
            signing_key_place("secret"),
            signing_key_place("a"),
            account_secret_place("a", "secret"),
            account_secret_place("a/6:secret", "b"),
            account_secret_place("a", "6:secret/b"),
        ];
        let distinct: std::collections::BTreeSet<_> = places.iter().collect();
        assert_eq!(distinct.len(), places.len());
    }

    #[test]
    fn a_stored_secret_does_not_print() {
        assert_eq!(format!("{:?}", StoredSecret::new("s3cret")), "StoredSecret(***)");
    }
}
