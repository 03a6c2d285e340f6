//! Changes of the credentials of accounts, and seals that are made anew.

use super::credentials::{self, CredentialsChange, MadeSecrets};
use super::documents::{ChangeKind, DocumentKind, SettingsDocuments};
use super::live::LiveSettings;
use super::update::{
    CATCH_UP_TIMEOUT, SettingsEditor, SettingsUpdateResult, UpdateError, UpdateRequest,
    append_error, repeated_result,
};
use super::validate::check_id;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::Clock;
use paihao_chassis::config::ConfigProblems;
use paihao_chassis::sealing::{Keyring, UnsealError};
use paihao_contracts::account_credentials::{AccountCredentials, TokenChannel};
use paihao_contracts::settings_log::{SettingsEntry, SettingsEvent};
use paihao_contracts::streams::SETTINGS;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Position};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Result of a change of credentials.
pub(crate) struct CredentialsUpdateResult {
    pub(crate) update: SettingsUpdateResult,
    /// Secrets that the change made, which are told in this answer alone.
    pub(crate) made: MadeSecrets,
}

impl SettingsEditor {
    /// Changes the credentials of an account that the configuration does not have, or adds one;
    /// `None` retires it. Appended if the log has nothing newer than `documents`.
    pub(crate) async fn update_credentials(
        &self,
        documents: &SettingsDocuments,
        account: &str,
        change: Option<&CredentialsChange>,
        request: &UpdateRequest,
    ) -> Result<CredentialsUpdateResult, UpdateError> {
        const KIND: DocumentKind = DocumentKind::Credentials;
        let document = documents.credentials.get(account);
        let before = document.and_then(|document| document.setup.as_ref());
        if let Some(repeated) = repeated_result(documents, KIND, account, request) {
            let update = repeated?;
            let made = self.repeated_secrets(documents, account, change, &update, before)?;
            return Ok(CredentialsUpdateResult { update, made });
        }
        if self.deployment.accounts.contains_key(account) {
            return Err(UpdateError::SetByFile);
        }
        let revision = documents.revision(KIND, account);
        request.check_revision(revision, before.is_some())?;
        let (after, made) = match change {
            Some(change) => {
                let keyring = self.keyring.as_ref().ok_or(UpdateError::NoOperatorKey)?;
                self.check_credentials(documents, account, change, before)?;
                let now_ms = self.clock.now_ms();
                let applied = change.apply(account, before, keyring, now_ms);
                let (after, made) = applied.map_err(unsealable)?;
                (Some(after), made)
            }
            None => {
                if let Some(site) = documents.sites_of(account).keys().next() {
                    let detail = format!("the site {site} is of this account");
                    return Err(UpdateError::InUse(detail));
                }
                (None, MadeSecrets::default())
            }
        };
        let result = |revision: Position| SettingsUpdateResult {
            of: KIND,
            id: account.to_owned(),
            revision: revision.0,
            dry_run: request.dry_run,
            changed: credentials::differences(before, after.as_ref()),
        };
        let unchanged = |update| CredentialsUpdateResult { update, made: MadeSecrets::default() };
        if before == after.as_ref() {
            return Ok(unchanged(result(revision)));
        }
        let event = credentials_event(account, after.clone(), request);
        let entry = SettingsEntry::new(self.clock.now_ms(), event);
        let entry = entry.with_origin(request.origin.clone());
        if !self.write_version.allows(entry.generation()) {
            return Err(UpdateError::FormsHeldBack);
        }
        if request.dry_run {
            return Ok(unchanged(result(revision)));
        }
        let position = append_entry(&*self.ledger, account, revision, &entry).await?;
        tracing::info!(account, by = request.author, "credentials of an account changed");
        self.live_settings.until(position, CATCH_UP_TIMEOUT).await;
        Ok(CredentialsUpdateResult { update: result(position), made })
    }

    fn check_credentials(
        &self,
        documents: &SettingsDocuments,
        account: &str,
        change: &CredentialsChange,
        before: Option<&AccountCredentials>,
    ) -> Result<(), UpdateError> {
        let mut problems = ConfigProblems::new();
        let at = format!("accounts.{account}");
        check_id(&at, account, &mut problems);
        change.check(&at, before, &mut problems);
        let channel = change.token_channel.or(before.map(|before| before.token_channel));
        if channel == Some(TokenChannel::Classic) {
            let is_twin = |other: &AccountCredentials| {
                other.appid == change.appid && other.token_channel == TokenChannel::Classic
            };
            let mut added = documents.added_accounts();
            let twin = added.find(|(name, (_, other))| *name != account && is_twin(other));
            if twin.is_some() || self.deployment.classic_appids.contains(&change.appid) {
                let description =
                    "another account has it too, and each would end the other's token";
                let advice = "use token_channel = \"stable\" for both";
                problems.add(&format!("{at}.appid"), description, advice);
            }
        }
        Ok(problems.into_result()?)
    }

    /// Secrets that an earlier request with the same id made, if they are still the newest.
    fn repeated_secrets(
        &self,
        documents: &SettingsDocuments,
        account: &str,
        change: Option<&CredentialsChange>,
        update: &SettingsUpdateResult,
        before: Option<&AccountCredentials>,
    ) -> Result<MadeSecrets, UpdateError> {
        let revision = documents.revision(DocumentKind::Credentials, account);
        let (Some(change), Some(credentials), Some(keyring)) = (change, before, &self.keyring)
        else {
            return Ok(MadeSecrets::default());
        };
        if revision.0 != update.revision {
            return Ok(MadeSecrets::default());
        }
        let mut changes = documents.changes.iter().rev();
        let made_by = changes.find(|earlier| earlier.revision == update.revision);
        let is_new = made_by.is_some_and(|earlier| earlier.did == ChangeKind::Created);
        credentials::made_secrets(account, credentials, keyring, change, is_new).map_err(unsealable)
    }
}

fn unsealable(error: UnsealError) -> UpdateError {
    tracing::error!(%error, "cannot open the stored secrets of an account");
    UpdateError::NoOperatorKey
}

fn credentials_event(
    account: &str,
    credentials: Option<AccountCredentials>,
    request: &UpdateRequest,
) -> SettingsEvent {
    let account = account.to_owned();
    let by = request.author.clone();
    let idempotency = request.idempotency.clone();
    match credentials.map(Box::new) {
        Some(credentials) => {
            SettingsEvent::CredentialsSet { account, by, credentials, idempotency }
        }
        None => SettingsEvent::AccountRetired { account, by, idempotency },
    }
}

async fn append_entry(
    ledger: &dyn Ledger,
    account: &str,
    revision: Position,
    entry: &SettingsEntry,
) -> Result<Position, UpdateError> {
    let expect = match revision {
        Position::START => ExpectedPosition::Empty,
        position => ExpectedPosition::At(position),
    };
    let subject = DocumentKind::Credentials.subject(account);
    let subject = subject.map_err(|_| UpdateError::MalformedId)?;
    let appended = ledger.append(&SETTINGS, &subject, expect, Entry::new(entry.encode())).await;
    appended.map_err(append_error)
}

/// Seals credentials anew that are not sealed under the present key, until the stop. Several
/// replicas may try; one of them writes each.
pub(crate) async fn keep_sealed(
    live_settings: LiveSettings,
    keyring: Arc<Keyring>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(60));
    loop {
        let is_due = |documents: &SettingsDocuments| next_resealing(documents, &keyring).is_some();
        let due = live_settings.until_documents(is_due);
        let Some(Some(documents)) = stop.run_until_cancelled(due).await else { return };
        let Some((account, revision, credentials)) = next_resealing(&documents, &keyring) else {
            continue;
        };
        let event = SettingsEvent::CredentialsResealed {
            account: account.clone(),
            credentials: Box::new(credentials),
        };
        let entry = SettingsEntry::new(clock.now_ms(), event);
        match append_entry(&*ledger, &account, revision, &entry).await {
            Ok(position) => {
                tracing::info!(account, "sealed the credentials of an account anew");
                live_settings.until(position, CATCH_UP_TIMEOUT).await;
                backoff.reset();
            }
            // Another replica was first, or the ledger is away.
            Err(_) if backoff.wait_unless(&stop).await => {}
            Err(_) => return,
        }
    }
}

/// Returns the first credentials that another key has sealed, under the present one.
fn next_resealing(
    documents: &SettingsDocuments,
    keyring: &Keyring,
) -> Option<(String, Position, AccountCredentials)> {
    documents.added_accounts().find_map(|(account, (revision, credentials))| {
        let mut secrets = credentials.secrets();
        if secrets.all(|(_, secret)| keyring.is_current(secret.as_stored())) {
            return None;
        }
        let reseal = |place: &str, stored: &str| {
            Ok::<_, UnsealError>(keyring.seal(place, &keyring.open(place, stored)?))
        };
        // What cannot be opened is told where it is opened first.
        let resealed = credentials.clone().try_map_secrets(account, reseal).ok()?;
        Some((account.clone(), revision, resealed))
    })
}
