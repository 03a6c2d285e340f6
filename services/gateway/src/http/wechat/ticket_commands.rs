//! Commands of customers in WeChat about their tickets, at whatever site: status and leaving.

use super::dispatch::{PushHandler, Reply};
use crate::engine::{CommandOutcome, SubmitError};
use crate::http::refusals::{self, Problem};
use crate::http::replies;
use crate::settings::SiteSettings;
use futures::StreamExt;
use futures::stream;
use paihao_domain::{Act, Person, Refusal};
use std::sync::Arc;
use tokio::time::timeout_at;

/// Sites that forget a customer at the same time.
const FORGET_CONCURRENCY: usize = 64;

impl PushHandler<'_> {
    /// State of the tickets of a customer.
    pub(super) async fn show_tickets(&self) -> Reply {
        self.submit_at_each_site(
            |person| Act::Show { person },
            |book, outcome| self.ticket_text(book, outcome),
        )
        .await
    }

    /// Leaves every queue in which the customer holds a ticket.
    pub(super) async fn leave_all(&self) -> Reply {
        self.submit_at_each_site(|person| Act::Withdraw { person }, replies::cancelled_reply).await
    }

    /// The same at every site where the person holds a ticket, and all that is said there.
    async fn submit_at_each_site(
        &self,
        act: impl Fn(Person) -> Act,
        words: impl Fn(&SiteSettings, &paihao_domain::Outcome) -> String,
    ) -> Reply {
        let (mut texts, mut at_s) = (Vec::new(), self.message.create_time);
        for book in self.sites_with_tickets() {
            match self.submit(&book.facts.id, act(self.person()), self.person()).await {
                Ok(CommandOutcome { outcome, at }) => {
                    texts.push(words(&book, &outcome));
                    at_s = at_s.max(at.0.div_euclid(1000));
                }
                Err(SubmitError::Refused(_)) => {}
                Err(declined) => {
                    let site = &*book.facts.id;
                    tracing::warn!(site, %declined, "somebody's ticket could not be looked at");
                    return self.failure_reply(replies::REQUEST_FAILED);
                }
            }
        }
        if texts.is_empty() {
            self.text_reply(replies::no_ticket_reply())
        } else {
            Reply::Text { text: texts.join("\n\n"), at_s }
        }
    }

    /// The sites where the person holds a ticket, or did when this push came first.
    fn sites_with_tickets(&self) -> Vec<Arc<SiteSettings>> {
        let (person, id) = (self.person(), self.command_id());
        let holds = |book: &Arc<SiteSettings>| {
            let view = self.state.engine.snapshot(&book.facts.id);
            view.is_some_and(|view| {
                view.site.live_ticket_of(&person).is_some()
                    || view.site.recorded_answer(&id).is_some()
            })
        };
        self.account_sites().filter(holds).collect()
    }

    /// Has the person leave every line of the account and be named in none any more. WeChat says
    /// this again until it is told that it is done.
    pub(super) async fn forget_person(&self, person: &Person) -> Result<Reply, Problem> {
        // At every site, whatever this replica's view of it: another one may have just written.
        let told = stream::iter(self.account_sites()).map(async |book| {
            let act = Act::Forget { person: person.clone() };
            let answer = self.submit(&book.facts.id, act, person.clone()).await;
            match answer {
                Ok(_) | Err(SubmitError::Refused(Refusal::PersonUnknown)) => true,
                Err(declined) => {
                    let site = &*book.facts.id;
                    tracing::warn!(site, %declined, "cannot forget a customer at a site");
                    false
                }
            }
        });
        let all = told.buffer_unordered(FORGET_CONCURRENCY).all(async |done| done).await;
        let caches = timeout_at(self.deadline, self.erase_from_cache(person)).await;
        if !matches!(caches, Ok(Ok(()))) {
            tracing::warn!("cannot remove a customer from the cache");
            return Err(Problem::new(&refusals::CACHE_UNAVAILABLE));
        }
        if all { Ok(Reply::Empty) } else { Err(Problem::new(&refusals::LEDGER_UNAVAILABLE)) }
    }

    fn account_sites(&self) -> impl Iterator<Item = Arc<SiteSettings>> + '_ {
        let ours = |book: &Arc<SiteSettings>| &*book.facts.account == self.account_name;
        self.state.engine.all_settings().filter(ours)
    }
}
