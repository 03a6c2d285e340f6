//! Changes of settings documents: each is validated, held against the present state of its site,
//! and appended where the document stood that the request names.

use super::documents::{DocumentKind, SettingsDocuments, ValueDifference, differences, to_json};
use super::live::LiveSettings;
use super::{DeploymentSettings, validate};
use crate::site::SiteSettings;
use paihao_chassis::clock::Clock;
use paihao_chassis::config::{ConfigError, ConfigProblems};
use paihao_contracts::settings::{AccountSetup, SiteSetup};
use paihao_contracts::settings_log::{IdempotencyRecord, SettingsEntry, SettingsEvent};
use paihao_contracts::streams::SETTINGS;
use paihao_domain::{CounterState, Site, Ticket};
use paihao_ledger::{AppendError, Entry, ExpectedPosition, Ledger, Position};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for this replica to read an entry that stands in the log.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// New content of a document; `None` retires it.
#[derive(Debug, Clone)]
pub(crate) enum DocumentUpdate {
    /// Document of a site.
    Site(Option<SiteSetup>),
    /// Document of an account.
    Account(Box<AccountSetup>),
}

/// Author and conditions of a change.
#[derive(Debug, Clone)]
pub(crate) struct UpdateRequest {
    /// Name that the change is recorded under.
    pub(crate) author: String,
    /// Revision that the author saw; `None` if they named none.
    pub(crate) expected_revision: Option<u64>,
    /// True if the change is only computed, and not written.
    pub(crate) dry_run: bool,
    /// Request id, if there is one.
    pub(crate) idempotency: Option<IdempotencyRecord>,
}

/// What was changed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct SettingsUpdateResult {
    /// A site, or an account.
    pub(crate) of: DocumentKind,
    /// Its id.
    pub(crate) id: String,
    /// The document's revision now.
    pub(crate) revision: u64,
    /// Whether this is only what would change.
    pub(crate) dry_run: bool,
    /// Every value that is another one now.
    pub(crate) changed: Vec<ValueDifference>,
}

/// Reason why a document is not read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpdateError {
    /// The id cannot stand in the log.
    #[error("this is no id")]
    MalformedId,
    /// The ledger did not answer, or this replica did not read the log in time.
    #[error("the ledger did not answer in time")]
    LedgerUnavailable,
    /// A newer program wrote the document.
    #[error("a newer program wrote what this one cannot read")]
    NewerVersion,
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
    /// A queue or a counter would be removed in which somebody is; the text names it.
    #[error("{0}")]
    InUse(String),
}

/// One site as it stands now.
pub(crate) struct CurrentSite {
    /// The settings that decisions are made with.
    pub(crate) settings: Arc<SiteSettings>,
    /// The tickets and the counters.
    pub(crate) state: Site,
}

/// Source of the present state of sites, which changes of settings are held against.
pub(crate) trait CurrentSites: Send + Sync {
    /// The site of this id, if there is one.
    fn current(&self, site: &str) -> Option<CurrentSite>;
}

/// Editor of the settings documents: checks each change and appends it to the log.
pub(crate) struct SettingsEditor {
    pub(crate) deployment: Arc<DeploymentSettings>,
    pub(crate) live_settings: LiveSettings,
    pub(crate) sites: Arc<dyn CurrentSites>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl SettingsEditor {
    /// Returns the documents with every entry that stands in the ledger about this one.
    pub(crate) async fn latest_documents(
        &self,
        of: DocumentKind,
        id: &str,
    ) -> Result<Arc<SettingsDocuments>, UpdateError> {
        let subject = of.subject(id).map_err(|_| UpdateError::MalformedId)?;
        let last = self.ledger.last(&SETTINGS, &subject).await;
        let last = last.map_err(|_| UpdateError::LedgerUnavailable)?;
        let last = last.map_or(Position::START, |recorded| recorded.position);
        self.live_settings.until(last, CATCH_UP_TIMEOUT).await;
        let documents = self.live_settings.now();
        if documents.position < last && documents.revision(of, id) < last {
            Err(UpdateError::LedgerUnavailable)
        } else if documents.is_unreadable(of, id) {
            Err(UpdateError::NewerVersion)
        } else {
            Ok(documents)
        }
    }

    /// Appends the new content of a document where the log stands as in `documents`.
    pub(crate) async fn update_document(
        &self,
        documents: &SettingsDocuments,
        id: &str,
        new: DocumentUpdate,
        asked: &UpdateRequest,
    ) -> Result<SettingsUpdateResult, UpdateError> {
        let of = match new {
            DocumentUpdate::Site(_) => DocumentKind::Site,
            DocumentUpdate::Account(_) => DocumentKind::Account,
        };
        if let Some(before) =
            asked.idempotency.as_ref().and_then(|wish| documents.change_by_request_id(&wish.id))
        {
            let same = before.idempotency.as_ref().map(|wish| &wish.request)
                == asked.idempotency.as_ref().map(|wish| &wish.request);
            return if same && before.of == of && before.id == id {
                Ok(SettingsUpdateResult {
                    of,
                    id: id.to_owned(),
                    revision: before.revision,
                    dry_run: false,
                    changed: before.changed.clone(),
                })
            } else {
                Err(UpdateError::RequestIdReused)
            };
        }
        let revision = documents.revision(of, id);
        let (before, after) = match &new {
            DocumentUpdate::Site(site) => {
                (documents.site(id).map(to_json), site.as_ref().map(to_json))
            }
            DocumentUpdate::Account(account) => {
                let before = documents.accounts.get(id).and_then(|known| known.setup.as_ref());
                (before.map(to_json), Some(to_json(&**account)))
            }
        };
        match asked.expected_revision {
            Some(seen) if seen != revision.0 => {
                return Err(UpdateError::RevisionChanged);
            }
            None if before.is_some() && !asked.dry_run => {
                return Err(UpdateError::RevisionNeeded);
            }
            _ => {}
        }
        self.validate_update(documents, id, &new)?;
        let changed =
            differences(&before.clone().unwrap_or_default(), &after.clone().unwrap_or_default());
        let written = |revision: Position| SettingsUpdateResult {
            of,
            id: id.to_owned(),
            revision: revision.0,
            dry_run: asked.dry_run,
            changed: changed.clone(),
        };
        if asked.dry_run || before == after {
            return Ok(written(revision));
        }
        let by = asked.author.clone();
        let idempotency = asked.idempotency.clone();
        let event = match new {
            DocumentUpdate::Site(Some(setup)) => SettingsEvent::SiteSet {
                site: id.to_owned(),
                by,
                setup: Box::new(setup),
                idempotency,
            },
            DocumentUpdate::Site(None) => {
                SettingsEvent::SiteRetired { site: id.to_owned(), by, idempotency }
            }
            DocumentUpdate::Account(setup) => {
                SettingsEvent::AccountSet { account: id.to_owned(), by, setup, idempotency }
            }
        };
        let entry = SettingsEntry { v: 1, at: self.clock.now_ms(), event };
        let expect = match revision {
            Position::START => ExpectedPosition::Empty,
            position => ExpectedPosition::At(position),
        };
        let subject = of.subject(id).map_err(|_| UpdateError::MalformedId)?;
        let appended =
            self.ledger.append(&SETTINGS, &subject, expect, Entry::new(entry.encode())).await;
        let position = appended.map_err(|error| match error {
            AppendError::Conflict { .. } => UpdateError::RevisionChanged,
            AppendError::TooLarge { .. } => UpdateError::TooLarge,
            AppendError::Unavailable(_) => UpdateError::LedgerUnavailable,
        })?;
        tracing::info!(of = ?of, id, by = asked.author, changed = changed.len(), "a settings document was changed");
        self.live_settings.until(position, CATCH_UP_TIMEOUT).await;
        Ok(written(position))
    }

    /// Checks the new content by itself, and against the present state of the site.
    fn validate_update(
        &self,
        documents: &SettingsDocuments,
        id: &str,
        new: &DocumentUpdate,
    ) -> Result<(), UpdateError> {
        let mut problems = ConfigProblems::new();
        let site = match new {
            DocumentUpdate::Account(account) => {
                let at = format!("accounts.{id}");
                let known = self.deployment.accounts.keys();
                if !self.deployment.accounts.contains_key(id) {
                    validate::refuse_unknown(&at, "account", id, known, &mut problems);
                }
                paihao_notice_text::check::account(&at, account, &mut problems);
                None
            }
            DocumentUpdate::Site(Some(site)) => {
                let at = format!("sites.{id}");
                let before = documents.sites.get(id).and_then(|known| known.setup.as_ref());
                if before.is_some_and(|before| before.account != site.account) {
                    let advice =
                        "make a site of another id: its line and its codes are its account's";
                    let what = "a site keeps its account";
                    problems.add(&format!("{at}.account"), what, advice);
                }
                validate::validate_site(
                    &at,
                    id,
                    site,
                    self.deployment.accounts.keys(),
                    &mut problems,
                )
            }
            DocumentUpdate::Site(None) => None,
        };
        problems.into_result()?;
        match new {
            DocumentUpdate::Site(_) => self.check_not_in_use(id, site.as_ref()),
            DocumentUpdate::Account(_) => Ok(()),
        }
    }

    /// Refuses to remove a queue in which somebody is or a counter that is open. Whoever joins at
    /// the same moment through a replica that has not read the change yet stays where they are
    /// until the day ends, and can be transferred.
    fn check_not_in_use(&self, id: &str, new: Option<&SiteSettings>) -> Result<(), UpdateError> {
        let Some(CurrentSite { settings: old, state }) = self.sites.current(id) else {
            return Ok(());
        };
        let stays =
            |ticket: &&Ticket| new.is_some_and(|new| new.rules.queues.contains_key(&ticket.queue));
        let mut lost = state.tickets().filter(|ticket| ticket.is_live() && !stays(ticket));
        if let Some(ticket) = lost.next() {
            let detail = format!("{} is in the queue {}", ticket.number, ticket.queue.as_str());
            return Err(UpdateError::InUse(detail));
        }
        let gone = old.rules.counters.keys().filter(|counter| {
            let stays = new.is_some_and(|new| new.rules.counters.contains_key(counter));
            !stays && state.counter(counter).state != CounterState::Offline
        });
        match gone.into_iter().next() {
            None => Ok(()),
            Some(counter) => {
                let detail = format!("the counter {} is open", counter.as_str());
                Err(UpdateError::InUse(detail))
            }
        }
    }
}
