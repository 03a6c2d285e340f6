//! Erasure of people who no longer follow an account, from the lines and from the cache.
//!
//! WeChat repeats the push about it for 15 seconds. What a store does not take within that time is
//! queued in the other one: in the cache while the ledger is away, in the ledger while the cache
//! is. If both were away, WeChat's refusal of a later message tells it again.

use super::send_window::erase_from_cache;
use crate::engine::{SUBMIT_TIMEOUT, SubmitError};
use crate::http::state::AppState;
use crate::settings::SiteSettings;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use paihao_cache::CasOutcome;
use paihao_contracts::envelope::read_stored;
use paihao_contracts::streams::{ERASURES, LEDGER, erasures_key};
use paihao_contracts::unfollowed::{MAX_UNFOLLOWED, Unfollowed, UnfollowedPerson};
use paihao_domain::{Act, Actor, CommandId, Person, Refusal, Ticket};
use paihao_ledger::Entry;
use paihao_wechat::OpenId;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Sites that forget a customer at the same time.
const FORGET_CONCURRENCY: usize = 64;

/// Interval at which queued people are tried again.
pub(super) const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// Number of attempts to change the list in the cache beside other replicas.
const MAX_CAS_ATTEMPTS: usize = 8;

/// Store that did not take an erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ErasureError {
    /// The ledger did not take the decision of a site.
    #[error("the ledger is away")]
    Ledger,
    /// The cache did not answer.
    #[error("the cache is away")]
    Cache,
}

/// Person of an account who no longer follows.
pub(super) struct Erasure<'a> {
    pub(super) state: &'a AppState,
    pub(super) account: &'a str,
    pub(super) person: &'a Person,
    /// Time from which a ticket says that the person has come back, in Unix milliseconds; `None`
    /// for a push that has just come.
    pub(super) until: Option<i64>,
    /// Ids of the command: the first is stored, by the others it may be known.
    pub(super) commands: Vec<CommandId>,
}

impl Erasure<'_> {
    /// Removes the person from every line of the account, and from those of another one to which it
    /// has migrated. No line of the account is left out on the word of this replica alone, since
    /// another one may have just given them a ticket.
    pub(super) async fn erase_from_lines(&self) -> Result<(), ErasureError> {
        let is_concerned = |settings: &Arc<SiteSettings>| {
            let has_migrated =
                |ticket: &Ticket| ticket.past.former_person.as_ref() == Some(self.person);
            let names_person = || {
                let snapshot = self.state.engine.snapshot(&settings.facts.id);
                snapshot.is_some_and(|it| it.site.tickets().any(has_migrated))
            };
            &*settings.facts.account == self.account || names_person()
        };
        let sites = self.state.engine.all_settings().filter(is_concerned);
        let forgotten = stream::iter(sites).map(async |settings| {
            let site = &*settings.facts.id;
            match self.forget_at(site).await {
                Ok(()) => true,
                Err(error) => {
                    tracing::warn!(site, %error, "cannot forget a customer at a site");
                    false
                }
            }
        });
        let all = forgotten.buffer_unordered(FORGET_CONCURRENCY).all(async |done| done).await;
        if all { Ok(()) } else { Err(ErasureError::Ledger) }
    }

    async fn forget_at(&self, site: &str) -> Result<(), SubmitError> {
        if let Some(until) = self.until {
            let snapshot = self.state.engine.latest_snapshot(site).await?;
            if snapshot.site.tickets_of(self.person).any(|ticket| ticket.taken_at.0 > until) {
                return Ok(());
            }
        }
        let act = Act::Forget { person: self.person.clone() };
        let actor = Actor::Customer(self.person.clone());
        let deadline = Instant::now() + SUBMIT_TIMEOUT;
        let command = (actor, act, None);
        match self.state.engine.submit_of_push(site, &self.commands, command, deadline).await {
            Ok(_) | Err(SubmitError::Refused(Refusal::PersonUnknown)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes what the cache holds about the person.
    pub(super) async fn erase_from_cache(&self) -> Result<(), ErasureError> {
        let tags = self.state.person_tags().await.map_err(|_| ErasureError::Ledger)?;
        let erased = erase_from_cache(self.state, self.account, self.person, &tags).await;
        erased.map_err(|error| {
            tracing::warn!(%error, "cannot remove a customer from the cache");
            ErasureError::Cache
        })
    }

    /// Queues in the cache what the ledger did not take.
    pub(super) async fn queue_for_lines(&self, at: i64) -> Result<(), ErasureError> {
        let person = UnfollowedPerson { person: self.person.as_str().to_owned(), at };
        let queued = change_queued(self.state, self.account, |people| {
            if people.len() >= MAX_UNFOLLOWED {
                return false;
            }
            people.push(person.clone());
            true
        });
        if queued.await? { Ok(()) } else { Err(ErasureError::Cache) }
    }

    /// Queues in the ledger what the cache did not take.
    pub(super) async fn queue_for_cache(&self, at: i64) -> Result<(), ErasureError> {
        let openid = self.person.as_str();
        let tags = self.state.person_tags().await.map_err(|_| ErasureError::Ledger)?;
        let key =
            format!("{0}/{1}/{at}", self.account, tags.tag(self.account, &OpenId::new(openid)));
        let person = UnfollowedPerson { person: openid.to_owned(), at };
        let entry = Entry::new(Unfollowed::new(self.account, vec![person]).encode());
        let queued = self.state.ledger.enqueue(&ERASURES, &key, entry, RETRY_INTERVAL).await;
        queued.map(drop).map_err(|_| ErasureError::Ledger)
    }
}

/// Changes the list of people in the cache, unless `change` returns `false`. Returns what `change`
/// returned. A list that cannot be read is left to a newer program, or replaced.
pub(super) async fn change_queued(
    state: &AppState,
    account: &str,
    change: impl Fn(&mut Vec<UnfollowedPerson>) -> bool,
) -> Result<bool, ErasureError> {
    let key = erasures_key(account);
    let ttl = LEDGER.retention.expect("names leave the ledger");
    for _ in 0..MAX_CAS_ATTEMPTS {
        let found = state.cache.get(&key).await.map_err(|_| ErasureError::Cache)?;
        let unfollowed = read_stored::<Unfollowed>(found.as_deref());
        let unfollowed = unfollowed.map_err(|_| ErasureError::Cache)?;
        let mut people = unfollowed.map_or_else(Vec::new, |unfollowed| unfollowed.people);
        if !change(&mut people) {
            return Ok(false);
        }
        let changed = Bytes::from(Unfollowed::new(account, people).encode());
        let swap = state.cache.compare_and_set(&key, found.as_deref(), changed, ttl);
        if swap.await.map_err(|_| ErasureError::Cache)? == CasOutcome::Swapped {
            return Ok(true);
        }
    }
    Err(ErasureError::Cache)
}
