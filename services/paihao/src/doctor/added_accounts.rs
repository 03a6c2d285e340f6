//! Accounts that are added on the manager's page or through the API, as if they stood in the
//! configuration: the same checks are made of them.

use super::report::Finding;
use super::{finding, findings};
use crate::config::{Account, Config, LedgerKind, Mode, Role, TokenChannel};
use crate::{operator_key, ports, stored_settings};
use anyhow::Context;
use paihao_chassis::config::SecretText;
use paihao_chassis::sealing::Keyring;
use paihao_contracts::account_credentials::{self, AccountCredentials, CallbackMode};
use paihao_contracts::settings::AccountSetup;

/// Returns the configuration with the accounts of the ledger, as far as they can be read, and a
/// finding for each name of an account that nobody has.
pub(super) async fn with_added(config: &Config) -> (Config, Vec<Finding>) {
    let mut merged = config.clone();
    // A ledger that cannot be read, and a key that is missing, are found elsewhere.
    if let Ok(accounts) = read(config).await {
        for (name, account) in accounts {
            merged.accounts.entry(name).or_insert(account);
        }
    }
    if merged.resolve(Role::All).is_err() {
        merged = config.clone();
    }
    let unknown = merged.accounts_elsewhere().into_iter();
    let found = unknown.map(|(key, name)| finding(&name, findings::ACCOUNT_UNKNOWN, key));
    let found = found.collect();
    (merged, found)
}

async fn read(config: &Config) -> anyhow::Result<Vec<(String, Account)>> {
    if config.ledger.kind == LedgerKind::Sqlite && !config.ledger.file.exists() {
        return Ok(Vec::new());
    }
    let keyring = operator_key::read(config)?.context("there is no key")?;
    let source = ports::backup_source(&config.ledger).await?;
    let documents = stored_settings::read(&*source).await?;
    let added = documents.added_accounts();
    let opened = added.map(|(name, (_, credentials))| {
        let account = account(name, credentials, &documents.account_setup(name), &keyring)?;
        anyhow::Ok((name.clone(), account))
    });
    Ok(opened.filter_map(Result::ok).collect())
}

fn account(
    name: &str,
    sealed: &AccountCredentials,
    setup: &AccountSetup,
    keyring: &Keyring,
) -> anyhow::Result<Account> {
    let open = |place: &str, stored: &str| keyring.open(place, stored);
    let credentials = sealed.clone().try_map_secrets(name, open)?;
    let text = |secret: &paihao_contracts::stored_secret::StoredSecret| {
        SecretText::new(secret.as_stored())
    };
    let AccountSetup {
        greeting,
        failure,
        keywords,
        usual_words,
        menu,
        buttons,
        codes,
        customer_service,
        forward,
        channels,
        called,
        missed,
        progress,
    } = setup.clone();
    Ok(Account {
        appid: credentials.appid.clone(),
        secret: text(&credentials.secret),
        callback_token: text(&credentials.callback_token),
        token_channel: match credentials.token_channel {
            account_credentials::TokenChannel::Stable => TokenChannel::Stable,
            account_credentials::TokenChannel::Classic => TokenChannel::Classic,
        },
        mode: match credentials.mode {
            CallbackMode::Plain => Mode::Plain,
            CallbackMode::Compatible => Mode::Compatible,
            CallbackMode::Secure => Mode::Secure,
        },
        former_mode: None,
        former_mode_until: None,
        aes_key: Some(text(&credentials.aes_key)),
        former_callback_token: credentials.former_callback_token.as_ref().map(text),
        former_aes_key: credentials.former_aes_key.as_ref().map(text),
        greeting: greeting.unwrap_or_else(|| paihao_gateway::settings::DEFAULT_GREETING.to_owned()),
        failure,
        keywords,
        usual_words,
        codes,
        customer_service,
        forward,
        menu,
        buttons,
        channels,
        called,
        missed,
        progress,
        limits: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_chassis::clock::{Clock, SystemClock};
    use paihao_contracts::settings_log::{SettingsEntry, SettingsEvent};
    use paihao_contracts::stored_secret::{StoredSecret, account_secret_place};
    use paihao_contracts::streams::SETTINGS;
    use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
    use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
    use std::sync::Arc;

    #[tokio::test]
    async fn accounts_of_the_page_are_examined_and_a_name_that_nobody_has_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ledger.sqlite");
        let text = format!(
            "ledger.file = '{}'\n\
             [token.server]\nlisten = '127.0.0.1:1'\n\
             [token.server.keys.crm]\nkey = 'a-key-of-the-tests-alone-24'\naccounts = ['clinic', 'nobody']\n\
             [sites.hall]\naccount = 'clinic'\nname = '大厅'\n",
            file.display()
        );
        let config = Config::from_text("in x.toml", &text).unwrap();
        config.resolve(Role::All).unwrap();
        let (before, found) = with_added(&config).await;
        assert!(before.accounts.is_empty());
        assert_eq!(found.len(), 3, "{found:?}");

        let key = Keyring::generate_key();
        let keyring = Keyring::parse(&key).unwrap();
        std::fs::write(folder.path().join("operator.key"), &key).unwrap();
        let seal = |field: &str, secret: &str| {
            StoredSecret::new(keyring.seal(&account_secret_place("clinic", field), secret))
        };
        let credentials = AccountCredentials {
            appid: "wx0000000000000001".to_owned(),
            secret: seal("secret", "0123456789abcdef"),
            token_channel: account_credentials::TokenChannel::Stable,
            mode: CallbackMode::Secure,
            former_mode: None,
            callback_token: seal("callback_token", "atokenthatnobodyknows"),
            former_callback_token: None,
            aes_key: seal("aes_key", &"k".repeat(43)),
            former_aes_key: None,
        };
        let event = SettingsEvent::CredentialsSet {
            account: "clinic".to_owned(),
            by: "x".to_owned(),
            credentials: Box::new(credentials),
            idempotency: None,
        };
        let entry = Entry::new(SettingsEntry::new(0, event).encode());
        let options = SqliteOptions::new(Arc::new(|| SystemClock.now_ms()));
        let ledger = SqliteLedger::open(&file, options).unwrap();
        let subject = Subject::new(&["credentials", "clinic"]).unwrap();
        ledger.append(&SETTINGS, &subject, ExpectedPosition::Empty, entry).await.unwrap();
        ledger.close().await;

        let (merged, found) = with_added(&config).await;
        assert_eq!(merged.accounts["clinic"].secret.expose(), "0123456789abcdef");
        let found: Vec<_> =
            found.iter().map(|found| (&*found.subject, found.kind.code, &*found.detail)).collect();
        assert_eq!(found, [("nobody", "account_unknown", "token.server.keys.crm.accounts")]);
        let resolved = merged.resolve(Role::All).unwrap();
        assert!(resolved.settings.sites.contains_key("hall"), "its site is served");
    }
}
