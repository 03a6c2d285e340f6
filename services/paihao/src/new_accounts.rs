//! Refusal of new accounts whose callback token can be guessed.
//!
//! Whoever has seen one address of a callback can try every short token on it, and forge pushes
//! then. An account that is in use keeps its token, with a warning: changing it takes WeChat's
//! console.

use crate::config::{Config, MIN_TOKEN_CHARS};
use crate::ports::Ports;
use paihao_contracts::streams::SETTINGS;
use paihao_ledger::{Ledger, Subject};

/// Refuses to start with a short token of an account of which nothing is stored.
pub async fn check(config: &Config, ports: &Ports) -> anyhow::Result<()> {
    for account in config.accounts_with_short_token() {
        match is_in_use(config, account, &*ports.ledger).await {
            Some(false) => anyhow::bail!(
                "accounts.{account}.callback_token is shorter than {MIN_TOKEN_CHARS} characters, and can be \
                 guessed: make one of 32 letters and digits, in WeChat's console too"
            ),
            Some(true) => tracing::warn!(
                account,
                "the callback token is short and can be guessed: change it, with former_callback_token meanwhile"
            ),
            // A start does not wait for the ledger.
            None => tracing::warn!(account, "the callback token is short and can be guessed"),
        }
    }
    Ok(())
}

/// Returns whether anything of the account is stored; `None` if the ledger does not answer.
async fn is_in_use(config: &Config, account: &str, ledger: &dyn Ledger) -> Option<bool> {
    let settings = Subject::new(&["account", account]).ok()?;
    let mut found = ledger.last(&SETTINGS, &settings).await.ok()?.is_some();
    for site in config.sites_of(account) {
        let subject = Subject::new(&[account, site]).ok()?;
        let partition = ledger.partition_of(&subject);
        for log in [&partition.ledger, &partition.snapshots] {
            found = found || ledger.last(log, &subject).await.ok()?.is_some();
        }
    }
    Some(found)
}
