//! Checks of the operator's key: whether it opens the secrets in the ledger.

use super::report::Finding;
use super::{finding, findings};
use crate::config::{Config, LedgerKind};
use crate::operator_key::{self, SealedSecrets};
use crate::ports::backup_source;
use paihao_chassis::sealing::Keyring;

const LEDGER: &str = "ledger";

/// Checks the secrets of the ledger, also while processes use it. A ledger that cannot be read is
/// found elsewhere.
pub(super) async fn check(config: &Config) -> Vec<Finding> {
    let keyring = match operator_key::read(config) {
        Ok(keyring) => keyring,
        Err(error) => {
            return vec![finding(LEDGER, findings::OPERATOR_KEY_MALFORMED, format!("{error:#}"))];
        }
    };
    if config.ledger.kind == LedgerKind::Sqlite && !config.ledger.file.exists() {
        return Vec::new();
    }
    let Ok(source) = backup_source(&config.ledger).await else { return Vec::new() };
    match SealedSecrets::of_source(&*source).await {
        Ok(secrets) => findings_of(&secrets, keyring.as_ref()),
        Err(_) => Vec::new(),
    }
}

fn findings_of(secrets: &SealedSecrets, keyring: Option<&Keyring>) -> Vec<Finding> {
    let missing = secrets.missing(keyring);
    if !missing.is_empty() {
        return vec![finding(LEDGER, findings::OPERATOR_KEY_MISSING, missing.join(", "))];
    }
    let current = keyring.map(Keyring::current_id);
    let ids = secrets.key_ids.keys().map(String::as_str);
    let former: Vec<_> = ids.filter(|id| Some(*id) != current).collect();
    let mut found = Vec::new();
    if !secrets.accounts.is_empty() {
        let names: Vec<_> = secrets.accounts.iter().map(String::as_str).collect();
        found.push(finding("accounts", findings::ACCOUNTS_ADDED, names.join(", ")));
    }
    if !former.is_empty() {
        found.push(finding(LEDGER, findings::OPERATOR_KEY_REPLACED, former.join(", ")));
    }
    if secrets.clear > 0 {
        found.push(finding(LEDGER, findings::SECRETS_CLEAR, secrets.clear.to_string()));
    }
    if former.is_empty() && secrets.clear == 0 && !secrets.key_ids.is_empty() {
        found.push(finding(LEDGER, findings::SECRETS_SEALED, current.unwrap_or_default()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_state_of_the_key_is_told() {
        let [new, old] = [(); 2].map(|()| Keyring::generate_key());
        let ring = |keys: &[&String]| {
            let text: Vec<_> = keys.iter().map(|key| key.as_str()).collect();
            Keyring::parse(&text.join("\n")).unwrap()
        };
        let id = |key: &String| ring(&[key]).current_id().to_owned();
        let secrets = |keys: &[&String], clear| SealedSecrets {
            key_ids: keys.iter().map(|key| (id(key), 1)).collect(),
            clear,
            accounts: BTreeSet::new(),
        };
        for (secrets, keyring, expected) in [
            (secrets(&[], 0), None, vec![]),
            (secrets(&[], 2), None, vec!["secrets_clear"]),
            (secrets(&[], 2), Some(ring(&[&new])), vec!["secrets_clear"]),
            (secrets(&[&new], 0), Some(ring(&[&new])), vec!["secrets_sealed"]),
            (secrets(&[&new], 1), Some(ring(&[&new])), vec!["secrets_clear"]),
            (secrets(&[&old], 0), Some(ring(&[&new])), vec!["operator_key_missing"]),
            (secrets(&[&old], 0), None, vec!["operator_key_missing"]),
            (secrets(&[&old], 0), Some(ring(&[&new, &old])), vec!["operator_key_replaced"]),
            (secrets(&[&new], 0), Some(ring(&[&new, &old])), vec!["secrets_sealed"]),
        ] {
            let found = findings_of(&secrets, keyring.as_ref());
            let codes: Vec<_> = found.iter().map(|finding| finding.kind.code).collect();
            assert_eq!(codes, expected, "{secrets:?} {keyring:?}");
        }
        let accounts = BTreeSet::from(["clinic".to_owned()]);
        let secrets = SealedSecrets { accounts, ..secrets(&[&new], 0) };
        let found = findings_of(&secrets, Some(&ring(&[&new])));
        let codes: Vec<_> = found.iter().map(|finding| finding.kind.code).collect();
        assert_eq!(codes, ["accounts_added", "secrets_sealed"]);
    }
}
