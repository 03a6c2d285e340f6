//! Changes of settings documents: each is validated, checked against the current state of its site,
//! and appended if the document still has the revision that the request names.

use super::documents::{DocumentKind, SettingsDocuments, ValueDifference, differences, to_json};
use super::live::LiveSettings;
use super::{DeploymentSettings, menu, validate};
use crate::site::SiteSettings;
use crate::site::calendar::make_canonical;
use paihao_chassis::clock::Clock;
use paihao_chassis::config::{ConfigError, ConfigProblems};
use paihao_chassis::sealing::Keyring;
use paihao_contracts::envelope::WriteVersion;
use paihao_contracts::settings::{AccountSetup, SiteSetup};
use paihao_contracts::settings_log::{IdempotencyRecord, SettingsEntry, SettingsEvent};
use paihao_contracts::streams::SETTINGS;
use paihao_domain::{CounterState, Site, Ticket};
use paihao_ledger::{AppendError, Entry, ExpectedPosition, Ledger, Position};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for this replica to read an entry of the log.
pub(super) const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// New content of a document; `None` retires it.
#[derive(Debug, Clone)]
pub(crate) enum DocumentUpdate {
    /// Document of a site.
    Site(Option<Box<SiteSetup>>),
    /// Document of an account.
    Account(Box<AccountSetup>),
}

/// Author and conditions of a change.
#[derive(Debug, Clone)]
pub(crate) struct UpdateRequest {
    /// Name that the change is recorded under.
    pub(crate) author: String,
    /// Approximate origin of the request, if it is known.
    pub(crate) origin: Option<String>,
    /// Revision that the author saw; `None` if they named none.
    pub(crate) expected_revision: Option<u64>,
    /// True if the change is only computed, and not written.
    pub(crate) dry_run: bool,
    /// Request id, if there is one.
    pub(crate) idempotency: Option<IdempotencyRecord>,
}

impl UpdateRequest {
    /// Requires the revision that there is now. A document that exists is not changed by an author
    /// who named none, but may be tried.
    pub(super) fn check_revision(
        &self,
        revision: Position,
        exists: bool,
    ) -> Result<(), UpdateError> {
        match self.expected_revision {
            Some(expected) if expected != revision.0 => Err(UpdateError::RevisionChanged),
            None if exists && !self.dry_run => Err(UpdateError::RevisionNeeded),
            _ => Ok(()),
        }
    }
}

/// Result of a change.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct SettingsUpdateResult {
    /// Kind of the document.
    pub(crate) of: DocumentKind,
    /// Id of the site or account.
    pub(crate) id: String,
    /// Revision of the document after the change.
    pub(crate) revision: u64,
    /// True for a dry run, which changes nothing.
    pub(crate) dry_run: bool,
    /// Every value that has changed.
    pub(crate) changed: Vec<ValueDifference>,
}

/// Reason why a document is not read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpdateError {
    /// The id is no valid subject of the log.
    #[error("this is no id")]
    MalformedId,
    /// The ledger did not answer, or this replica did not read the log in time.
    #[error("the ledger did not answer in time")]
    LedgerUnavailable,
    /// A newer program wrote the document.
    #[error("a newer program wrote what this one cannot read")]
    NewerVersion,
    /// An older program cannot read the document, and the operator does not allow it yet.
    #[error("the stored form is not allowed yet")]
    FormsHeldBack,
    /// The Idempotency-Key came before with another request.
    #[error("the request id was used for another request")]
    RequestIdReused,
    /// The document is there, and the request names no revision of it.
    #[error("a revision is needed")]
    RevisionNeeded,
    /// The revision that the request names is not the newest.
    #[error("the document was changed meanwhile")]
    RevisionChanged,
    /// The document is larger than an entry of the log may be.
    #[error("the document is too large")]
    TooLarge,
    /// The document contradicts itself, or holds values that cannot be.
    #[error(transparent)]
    Invalid(#[from] ConfigError),
    /// The configuration file has the account, and nothing else changes its credentials.
    #[error("the configuration file sets this")]
    SetByFile,
    /// There is no operator's key to seal secrets with, or not the one that sealed them.
    #[error("the operator's key is missing")]
    NoOperatorKey,
    /// A queue or counter that is in use would be removed; the text names it.
    #[error("{0}")]
    InUse(String),
}

/// Current settings and state of a site.
pub(crate) struct CurrentSite {
    /// Settings that decisions are made with.
    pub(crate) settings: Arc<SiteSettings>,
    /// State of tickets and counters.
    pub(crate) state: Arc<Site>,
}

/// Source of the current state of sites, against which changes of settings are checked.
pub(crate) trait CurrentSites: Send + Sync {
    /// Returns the site of this id, if there is one.
    fn current(&self, site: &str) -> Option<CurrentSite>;
}

/// Editor of the settings documents: checks each change and appends it to the log.
pub(crate) struct SettingsEditor {
    pub(crate) deployment: Arc<DeploymentSettings>,
    pub(crate) live_settings: LiveSettings,
    pub(crate) sites: Arc<dyn CurrentSites>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Keys that seal secrets, if there are any.
    pub(crate) keyring: Option<Arc<Keyring>>,
    /// Newest generation of stored forms that may be written.
    pub(crate) write_version: WriteVersion,
}

impl SettingsEditor {
    /// Returns the documents with every entry of this document in the ledger.
    pub(crate) async fn latest_documents(
        &self,
        kind: DocumentKind,
        id: &str,
    ) -> Result<Arc<SettingsDocuments>, UpdateError> {
        let subject = kind.subject(id).map_err(|_| UpdateError::MalformedId)?;
        let last = self.ledger.last(&SETTINGS, &subject).await;
        let newest = last.map_err(|_| UpdateError::LedgerUnavailable)?;
        let position = newest.map_or(Position::START, |entry| entry.position);
        self.live_settings.until(position, CATCH_UP_TIMEOUT).await;
        let documents = self.live_settings.now();
        if documents.position < position && documents.revision(kind, id) < position {
            Err(UpdateError::LedgerUnavailable)
        } else if documents.is_unreadable(kind, id) {
            Err(UpdateError::NewerVersion)
        } else {
            Ok(documents)
        }
    }

    /// Appends the new content of a document if the log has nothing newer than `documents`.
    pub(crate) async fn update_document(
        &self,
        documents: &SettingsDocuments,
        id: &str,
        mut update: DocumentUpdate,
        request: &UpdateRequest,
    ) -> Result<SettingsUpdateResult, UpdateError> {
        if let DocumentUpdate::Site(Some(site)) = &mut update {
            // A program of before reads the stored form alone.
            make_canonical(site);
        }
        let kind = match update {
            DocumentUpdate::Site(_) => DocumentKind::Site,
            DocumentUpdate::Account(_) => DocumentKind::Account,
        };
        if let Some(result) = repeated_result(documents, kind, id, request) {
            return result;
        }
        let revision = documents.revision(kind, id);
        let (before, after) = match &update {
            DocumentUpdate::Site(site) => {
                (documents.site(id).map(to_json), site.as_ref().map(to_json))
            }
            DocumentUpdate::Account(account) => {
                let document = documents.accounts.get(id);
                let before = document.and_then(|document| document.setup.as_ref());
                (before.map(to_json), Some(to_json(&**account)))
            }
        };
        request.check_revision(revision, before.is_some())?;
        self.validate_update(documents, id, &update)?;
        let changed =
            differences(&before.clone().unwrap_or_default(), &after.clone().unwrap_or_default());
        let result = |revision: Position| SettingsUpdateResult {
            of: kind,
            id: id.to_owned(),
            revision: revision.0,
            dry_run: request.dry_run,
            changed: changed.clone(),
        };
        if before == after {
            return Ok(result(revision));
        }
        let event = settings_event(id, update, request);
        let position = self.append_event(kind, id, revision, event, request).await?;
        if let Some(position) = position {
            tracing::info!(of = ?kind, id, by = request.author, changed = changed.len(), "settings document changed");
            self.live_settings.until(position, CATCH_UP_TIMEOUT).await;
        }
        Ok(result(position.unwrap_or(revision)))
    }

    /// Appends the new content of a document, unless it has another revision by now. Returns its
    /// position, or `None` for a dry run, which writes nothing.
    pub(super) async fn append_event(
        &self,
        kind: DocumentKind,
        id: &str,
        revision: Position,
        event: SettingsEvent,
        request: &UpdateRequest,
    ) -> Result<Option<Position>, UpdateError> {
        let entry = SettingsEntry::new(self.clock.now_ms(), event);
        let entry = entry.with_origin(request.origin.clone());
        if !self.write_version.allows(entry.generation()) {
            return Err(UpdateError::FormsHeldBack);
        }
        if request.dry_run {
            return Ok(None);
        }
        let expect = match revision {
            Position::START => ExpectedPosition::Empty,
            position => ExpectedPosition::At(position),
        };
        let subject = kind.subject(id).map_err(|_| UpdateError::MalformedId)?;
        let appended =
            self.ledger.append(&SETTINGS, &subject, expect, Entry::new(entry.encode())).await;
        appended.map(Some).map_err(append_error)
    }

    /// Checks the new content by itself, and against the current state of the site.
    fn validate_update(
        &self,
        documents: &SettingsDocuments,
        id: &str,
        update: &DocumentUpdate,
    ) -> Result<(), UpdateError> {
        let mut problems = ConfigProblems::new();
        let accounts = self.deployment.known_accounts(documents);
        let site = match update {
            DocumentUpdate::Account(account) => {
                let key = format!("accounts.{id}");
                if !accounts.contains(id) {
                    let known = accounts.iter();
                    validate::refuse_unknown(&key, "account", id, known, &mut problems);
                }
                let limits = &self.deployment.account_limits;
                validate::validate_account(&key, account, limits, &mut problems);
                let sites = documents.sites_of(id);
                menu::check::check(
                    &format!("{key}.buttons"),
                    &account.buttons,
                    &sites,
                    &mut problems,
                );
                let sites = sites.into_iter();
                paihao_notice_text::check::exactness(&key, account, sites, &mut problems);
                None
            }
            DocumentUpdate::Site(Some(site)) => {
                let key = format!("sites.{id}");
                let document = documents.sites.get(id);
                let before = document.and_then(|document| document.setup.as_ref());
                if before.is_some_and(|before| before.account != site.account) {
                    let advice =
                        "make a site of another id: its line and its codes are its account's";
                    let message = "a site keeps its account";
                    problems.add(&format!("{key}.account"), message, advice);
                }
                let account = documents.accounts.get(&site.account);
                if let Some(setup) = account.and_then(|document| document.setup.as_ref()) {
                    let key = format!("accounts.{}", site.account);
                    let site = [(id, &**site)];
                    paihao_notice_text::check::exactness(&key, setup, site, &mut problems);
                }
                validate::validate_site(&key, id, site, &accounts, &mut problems)
            }
            DocumentUpdate::Site(None) => None,
        };
        problems.into_result()?;
        match update {
            DocumentUpdate::Site(_) => self.check_not_in_use(id, site.as_ref()),
            DocumentUpdate::Account(_) => Ok(()),
        }
    }

    /// Refuses to remove a queue with live tickets or an open counter. A ticket that is taken at
    /// the same moment, at a replica that has not read the change yet, stays in the queue until the
    /// day ends, and can be transferred.
    fn check_not_in_use(&self, id: &str, new: Option<&SiteSettings>) -> Result<(), UpdateError> {
        let Some(CurrentSite { settings, state }) = self.sites.current(id) else {
            return Ok(());
        };
        let keeps_queue =
            |ticket: &&Ticket| new.is_some_and(|new| new.rules.queues.contains_key(&ticket.queue));
        let mut affected =
            state.tickets().filter(|ticket| ticket.is_live() && !keeps_queue(ticket));
        if let Some(ticket) = affected.next() {
            let detail = format!("{} is in the queue {}", ticket.number, ticket.queue.as_str());
            return Err(UpdateError::InUse(detail));
        }
        let mut open_counters = settings.rules.counters.keys().filter(|counter| {
            let is_kept = new.is_some_and(|new| new.rules.counters.contains_key(counter));
            !is_kept && state.counter(counter).state != CounterState::Offline
        });
        match open_counters.next() {
            None => Ok(()),
            Some(counter) => {
                let detail = format!("the counter {} is open", counter.as_str());
                Err(UpdateError::InUse(detail))
            }
        }
    }
}

/// Reason why an entry was not appended.
pub(super) fn append_error(error: AppendError) -> UpdateError {
    match error {
        AppendError::Conflict { .. } => UpdateError::RevisionChanged,
        AppendError::TooLarge { .. } => UpdateError::TooLarge,
        AppendError::Unavailable(_) => UpdateError::LedgerUnavailable,
    }
}

/// Event that gives a document its new content.
fn settings_event(id: &str, update: DocumentUpdate, request: &UpdateRequest) -> SettingsEvent {
    let id = id.to_owned();
    let by = request.author.clone();
    let idempotency = request.idempotency.clone();
    match update {
        DocumentUpdate::Site(Some(setup)) => {
            SettingsEvent::SiteSet { site: id, by, setup, idempotency }
        }
        DocumentUpdate::Site(None) => SettingsEvent::SiteRetired { site: id, by, idempotency },
        DocumentUpdate::Account(setup) => {
            SettingsEvent::AccountSet { account: id, by, setup, idempotency }
        }
    }
}

/// Result of an earlier request with the same id, if there was one.
pub(super) fn repeated_result(
    documents: &SettingsDocuments,
    kind: DocumentKind,
    id: &str,
    request: &UpdateRequest,
) -> Option<Result<SettingsUpdateResult, UpdateError>> {
    let record = request.idempotency.as_ref()?;
    let change = documents.change_by_request_id(&record.id)?;
    let is_same_request =
        change.idempotency.as_ref().is_some_and(|earlier| earlier.request == record.request);
    if !is_same_request || change.of != kind || change.id != id {
        return Some(Err(UpdateError::RequestIdReused));
    }
    Some(Ok(SettingsUpdateResult {
        of: kind,
        id: id.to_owned(),
        revision: change.revision,
        dry_run: false,
        changed: change.changed.clone(),
    }))
}
