//! How a set-up is changed: what was asked for is checked, held against what is in use, and written
//! where whoever asked saw the book stand.

use super::SiteSettings;
use super::documents::{DocumentKind, SettingsDocuments, ValueDifference, differences, to_json};
use super::validate;
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use paihao_chassis::config::ConfigProblems;
use paihao_contracts::settings::{AccountSetup, SiteSetup};
use paihao_contracts::settings_log::{IdempotencyRecord, SettingsEntry, SettingsEvent};
use paihao_contracts::streams::SETTINGS;
use paihao_domain::{CounterState, Ticket};
use paihao_ledger::{AppendError, Entry, Expect, Position};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// How long this replica's own copy of the book is waited for.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// The new form of a document; `None` retires it.
#[derive(Debug, Clone)]
pub(crate) enum DocumentUpdate {
    /// A site's.
    Site(Option<SiteSetup>),
    /// An account's.
    Account(Box<AccountSetup>),
}

/// Who asks, and how.
#[derive(Debug, Clone)]
pub(crate) struct UpdateRequest {
    /// By which name the change is recorded.
    pub(crate) author: String,
    /// The revision that they saw; `None` if they named none.
    pub(crate) expected_revision: Option<u64>,
    /// Only to see what would change.
    pub(crate) dry_run: bool,
    /// The request, if it named itself.
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

impl AppState {
    /// The book with everything in it that stands in the ledger about this document.
    pub(crate) async fn latest_documents(
        &self,
        of: DocumentKind,
        id: &str,
    ) -> Result<Arc<SettingsDocuments>, Problem> {
        let malformed = |_| Problem::new(&refusals::MALFORMED_REQUEST).with_detail("this is no id");
        let subject = of.subject(id).map_err(malformed)?;
        let last = self.ledger.last(&SETTINGS, &subject).await;
        let last = last.map_err(|_| Problem::new(&refusals::LEDGER_UNAVAILABLE))?;
        let last = last.map_or(Position::START, |recorded| recorded.position);
        self.live_settings.until(last, CATCH_UP_TIMEOUT).await;
        let documents = self.live_settings.now();
        match documents.position >= last || documents.revision(of, id) >= last {
            true if documents.is_unreadable(of, id) => Err(Problem::new(&refusals::NEWER_LEDGER)),
            true => Ok(documents),
            false => Err(Problem::new(&refusals::LEDGER_UNAVAILABLE)),
        }
    }

    /// Writes the new form of a document where the book is as `documents` has it.
    pub(crate) async fn update_document(
        &self,
        documents: &SettingsDocuments,
        id: &str,
        new: DocumentUpdate,
        asked: &UpdateRequest,
    ) -> Result<SettingsUpdateResult, Problem> {
        let of = match new {
            DocumentUpdate::Site(_) => DocumentKind::Site,
            DocumentUpdate::Account(_) => DocumentKind::Account,
        };
        if let Some(before) =
            asked.idempotency.as_ref().and_then(|wish| documents.change_by_request_id(&wish.id))
        {
            let same = before.idempotency.as_ref().map(|wish| &wish.request)
                == asked.idempotency.as_ref().map(|wish| &wish.request);
            return match same && before.of == of && before.id == id {
                true => Ok(SettingsUpdateResult {
                    of,
                    id: id.to_owned(),
                    revision: before.revision,
                    dry_run: false,
                    changed: before.changed.clone(),
                }),
                false => Err(Problem::new(&refusals::IDEMPOTENCY_KEY_REUSED)),
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
                return Err(Problem::new(&refusals::REVISION_CHANGED));
            }
            None if before.is_some() && !asked.dry_run => {
                return Err(Problem::new(&refusals::REVISION_NEEDED));
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
        let (by, wish) = (asked.author.clone(), asked.idempotency.clone());
        let event = match new {
            DocumentUpdate::Site(Some(setup)) => {
                SettingsEvent::SiteSet { site: id.to_owned(), by, setup: Box::new(setup), wish }
            }
            DocumentUpdate::Site(None) => {
                SettingsEvent::SiteRetired { site: id.to_owned(), by, wish }
            }
            DocumentUpdate::Account(setup) => {
                SettingsEvent::AccountSet { account: id.to_owned(), by, setup, wish }
            }
        };
        let entry = SettingsEntry { v: 1, at: self.clock.now_ms(), event };
        let expect = match revision {
            Position::START => Expect::Nothing,
            position => Expect::At(position),
        };
        let subject = of.subject(id).map_err(|_| &refusals::MALFORMED_REQUEST)?;
        let appended =
            self.ledger.append(&SETTINGS, &subject, expect, Entry::new(entry.encode())).await;
        let position = appended.map_err(|error| match error {
            AppendError::Conflict { .. } => Problem::new(&refusals::REVISION_CHANGED),
            AppendError::TooLarge { .. } => Problem::new(&refusals::BODY_TOO_LARGE),
            AppendError::Unavailable(_) => Problem::new(&refusals::LEDGER_UNAVAILABLE),
        })?;
        tracing::info!(of = ?of, id, by = asked.author, changed = changed.len(), "the book was changed");
        self.live_settings.until(position, CATCH_UP_TIMEOUT).await;
        Ok(written(position))
    }

    /// Whether it can be like that: by itself, and with who is in the line right now.
    fn validate_update(
        &self,
        documents: &SettingsDocuments,
        id: &str,
        new: &DocumentUpdate,
    ) -> Result<(), Problem> {
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
        problems.into_result().map_err(|error| refusals::invalid_settings(&error))?;
        match new {
            DocumentUpdate::Site(_) => self.check_not_in_use(id, site.as_ref()),
            DocumentUpdate::Account(_) => Ok(()),
        }
    }

    /// Nothing is taken away in which somebody is. Whoever comes at the same moment through a
    /// replica that knows nothing of the change yet stays where they are until the day ends, and can
    /// be transferred.
    fn check_not_in_use(&self, id: &str, new: Option<&SiteSettings>) -> Result<(), Problem> {
        let Some(view) = self.engine.snapshot(id) else { return Ok(()) };
        let stays =
            |ticket: &&Ticket| new.is_some_and(|new| new.rules.queues.contains_key(&ticket.queue));
        let mut lost = view.site.tickets().filter(|ticket| ticket.is_live() && !stays(ticket));
        if let Some(ticket) = lost.next() {
            let detail = format!("{} is in the queue {}", ticket.number, ticket.queue.as_str());
            return Err(Problem::new(&refusals::IN_USE).with_detail(detail));
        }
        let Some(old) = self.engine.settings(id) else { return Ok(()) };
        let gone = old.rules.counters.keys().filter(|counter| {
            let stays = new.is_some_and(|new| new.rules.counters.contains_key(counter));
            !stays && view.site.counter(counter).state != CounterState::Offline
        });
        match gone.into_iter().next() {
            None => Ok(()),
            Some(counter) => {
                let detail = format!("the counter {} is open", counter.as_str());
                Err(Problem::new(&refusals::IN_USE).with_detail(detail))
            }
        }
    }
}
