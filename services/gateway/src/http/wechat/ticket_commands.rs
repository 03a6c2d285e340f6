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
            |settings, outcome| self.ticket_text(settings, outcome),
        )
        .await
    }

    /// Leaves every queue in which the customer holds a ticket.
    pub(super) async fn leave_all(&self) -> Reply {
        self.submit_at_each_site(|person| Act::Withdraw { person }, replies::cancelled_reply).await
    }

    /// Submits an act at every site where the person holds a ticket. Replies with all texts.
    async fn submit_at_each_site(
        &self,
        act: impl Fn(Person) -> Act,
        text: impl Fn(&SiteSettings, &paihao_domain::Outcome) -> String,
    ) -> Reply {
        let mut texts = Vec::new();
        let mut at_s = self.message.create_time;
        for settings in self.sites_with_tickets() {
            match self.submit(&settings.facts.id, act(self.person()), self.person()).await {
                Ok(CommandOutcome { outcome, at }) => {
                    texts.push(text(&settings, &outcome));
                    at_s = at_s.max(at.0.div_euclid(1000));
                }
                Err(SubmitError::Refused(_)) => {}
                Err(error) => {
                    let site = &*settings.facts.id;
                    tracing::warn!(site, %error, "cannot read the ticket of a customer");
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

    /// Sites where the person holds a ticket, or held one when this push came first.
    fn sites_with_tickets(&self) -> Vec<Arc<SiteSettings>> {
        let person = self.person();
        let id = self.command_id();
        let holds = |settings: &Arc<SiteSettings>| {
            let snapshot = self.state.engine.snapshot(&settings.facts.id);
            snapshot.is_some_and(|snapshot| {
                snapshot.site.live_ticket_of(&person).is_some()
                    || snapshot.site.recorded_answer(&id).is_some()
            })
        };
        self.account_sites().filter(holds).collect()
    }

    /// Removes the person from every line and record of the account. WeChat repeats the push until
    /// it succeeds.
    pub(super) async fn forget_person(&self, person: &Person) -> Result<Reply, Problem> {
        // At every site, since another replica may have just given them a ticket.
        let forgotten = stream::iter(self.account_sites()).map(async |settings| {
            let act = Act::Forget { person: person.clone() };
            let result = self.submit(&settings.facts.id, act, person.clone()).await;
            match result {
                Ok(_) | Err(SubmitError::Refused(Refusal::PersonUnknown)) => true,
                Err(error) => {
                    let site = &*settings.facts.id;
                    tracing::warn!(site, %error, "cannot forget a customer at a site");
                    false
                }
            }
        });
        let all_forgotten =
            forgotten.buffer_unordered(FORGET_CONCURRENCY).all(async |done| done).await;
        let erased = timeout_at(self.deadline, self.erase_from_cache(person)).await;
        if !matches!(erased, Ok(Ok(()))) {
            tracing::warn!("cannot remove a customer from the cache");
            return Err(Problem::new(&refusals::CACHE_UNAVAILABLE));
        }
        if all_forgotten {
            Ok(Reply::Empty)
        } else {
            Err(Problem::new(&refusals::LEDGER_UNAVAILABLE))
        }
    }

    fn account_sites(&self) -> impl Iterator<Item = Arc<SiteSettings>> + '_ {
        let of_account =
            |settings: &Arc<SiteSettings>| &*settings.facts.account == self.account_name;
        self.state.engine.all_settings().filter(of_account)
    }
}
