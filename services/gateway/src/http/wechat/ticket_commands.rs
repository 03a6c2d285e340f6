//! Commands of customers in WeChat about their tickets, at whatever site.

use super::dispatch::{PushHandler, Reply};
use super::erasure::Erasure;
use super::ticket_list::{self, TicketText};
use crate::engine::{CommandOutcome, SubmitError};
use crate::http::refusals::{self, Problem};
use crate::http::replies;
use crate::http::ticket_link;
use crate::settings::SiteSettings;
use paihao_contracts::settings::{CodeKind, KeywordAction};
use paihao_domain::{
    Act, Day, LetPassLimit, Outcome, Person, QueueId, Ticket, TicketId, TicketStanding,
    TicketState, Timestamp,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout_at;

/// Part of the time for a reply that is kept for queueing what a store did not take.
const QUEUE_TIME: Duration = Duration::from_millis(500);

/// Site where a person holds a ticket, or held one when the push came first.
struct HeldAt {
    settings: Arc<SiteSettings>,
    ticket: Option<Ticket>,
    /// Business day of the site.
    day: Option<Day>,
}

impl PushHandler<'_> {
    /// State of the tickets of a customer.
    pub(super) async fn show_tickets(&self) -> Reply {
        self.submit_at_each_site(
            |_| Act::Show { person: self.person() },
            |settings, outcome, at| self.ticket_state(settings, outcome, at),
        )
        .await
    }

    /// Leaves every queue in which the customer holds a ticket.
    pub(super) async fn leave_all(&self) -> Reply {
        let withdraw = |_: Option<&Ticket>| Act::Withdraw { person: self.person() };
        let cancelled = |settings: &SiteSettings, outcome: &Outcome, _| {
            TicketText::cancelled(settings, outcome)
        };
        self.submit_at_each_site(withdraw, cancelled).await
    }

    /// Lets others go first in every queue in which the customer waits.
    pub(super) async fn let_pass_all(&self) -> Reply {
        self.change_tickets(let_pass).await
    }

    /// Returns to every queue that the customer left for a while or in which they were missed.
    pub(super) async fn return_all(&self) -> Reply {
        self.change_tickets(return_to_queue).await
    }

    /// Changes each ticket of the customer, and replies with its state or the reason why not.
    async fn change_tickets(&self, act: fn(&Ticket) -> Act) -> Reply {
        self.submit_at_each_site(
            |ticket| ticket.map_or_else(repeated_act, act),
            |settings, outcome, at| match outcome {
                Outcome::TicketChanged { .. } => self.ticket_change(settings, outcome, at),
                outcome => self.ticket_state(settings, outcome, at),
            },
        )
        .await
    }

    /// Submits an act at every site where the person holds a ticket. Replies about all of them.
    /// That there is no ticket is said on the newest state only.
    async fn submit_at_each_site(
        &self,
        act: impl Fn(Option<&Ticket>) -> Act,
        text: impl Fn(&SiteSettings, &Outcome, Timestamp) -> TicketText,
    ) -> Reply {
        let current = timeout_at(self.deadline, self.state.engine.until_current()).await;
        if !matches!(current, Ok(Ok(()))) {
            tracing::warn!("cannot read the newest state for a customer");
            return self.failure_reply(replies::REQUEST_FAILED);
        }
        let mut texts = Vec::new();
        let mut at_s = self.message.create_time;
        for HeldAt { settings, ticket, day } in self.sites_with_tickets() {
            let act = act(ticket.as_ref());
            match self.submit(&settings.facts.id, act, day).await {
                Ok(CommandOutcome { outcome, at }) => {
                    texts.push(text(&settings, &outcome, at));
                    at_s = at_s.max(at.0.div_euclid(1000));
                }
                Err(SubmitError::Refused(refusal)) => {
                    let held = ticket.as_ref().and_then(|ticket| self.standing(&settings, ticket));
                    let held = held.as_ref().map(|(queue, standing)| (queue, standing));
                    let at = Timestamp(self.message.create_time * 1000);
                    texts.extend(TicketText::refused(&settings, &refusal, held, at));
                }
                Err(error) => {
                    let site = &*settings.facts.id;
                    tracing::warn!(site, %error, "cannot read the ticket of a customer");
                    return self.failure_reply(replies::REQUEST_FAILED);
                }
            }
        }
        if texts.is_empty() {
            self.no_ticket_reply()
        } else {
            Reply::Text { text: ticket_list::join(&texts), at_s }
        }
    }

    /// Sites where the person holds a ticket, with it, or held one when this push came first.
    fn sites_with_tickets(&self) -> Vec<HeldAt> {
        let person = self.person();
        let ids = self.command_ids();
        let with_ticket = |settings: Arc<SiteSettings>| {
            let site = self.state.engine.snapshot(&settings.facts.id)?.site;
            let ticket = site.live_ticket_of(&person).cloned();
            let concerns = ticket.is_some() || ids.iter().any(|id| site.has_decided(id));
            concerns.then_some(HeldAt { settings, ticket, day: site.day() })
        };
        self.account_sites().filter_map(with_ticket).collect()
    }

    fn ticket_state(
        &self,
        settings: &SiteSettings,
        outcome: &Outcome,
        at: Timestamp,
    ) -> TicketText {
        let url = ticket_link::ticket_url(self.state, &settings.facts.id, outcome, at);
        TicketText::state(settings, outcome, at, url.as_deref())
    }

    fn ticket_change(
        &self,
        settings: &SiteSettings,
        outcome: &Outcome,
        at: Timestamp,
    ) -> TicketText {
        let url = ticket_link::ticket_url(self.state, &settings.facts.id, outcome, at);
        let back = self.account.words.word_for(&KeywordAction::Return);
        TicketText::changed(settings, outcome, back, at, url.as_deref())
    }

    /// How a ticket of the person stands now.
    fn standing(
        &self,
        settings: &SiteSettings,
        ticket: &Ticket,
    ) -> Option<(QueueId, TicketStanding)> {
        let site = self.state.engine.snapshot(&settings.facts.id)?.site;
        let ticket = site.ticket(ticket.id)?;
        let now = self.state.engine.decision_input(settings, self.state.clock.now_ms());
        Some((ticket.queue.clone(), site.standing(&settings.rules, ticket, &now)))
    }

    /// Reply to a person who asks for a ticket and holds none.
    fn no_ticket_reply(&self) -> Reply {
        let word = self.account.words.word_for(&KeywordAction::Take);
        let word = word.filter(|_| self.account.codes == CodeKind::Page);
        self.text_reply(replies::no_ticket_reply(word))
    }

    /// Removes the person from every line and record of the account. What a store does not take in
    /// time is queued in the other one; only if both are away WeChat has to repeat the push.
    pub(super) async fn forget_person(&self, person: &Person) -> Result<Reply, Problem> {
        let erasure = Erasure {
            state: self.state,
            account: self.account_name,
            person,
            until: None,
            commands: self.command_ids(),
        };
        // The end of the second that WeChat names.
        let at = (self.message.create_time + 1) * 1000;
        let time_limit = self.deadline - QUEUE_TIME;
        let from_lines = timeout_at(time_limit, erasure.erase_from_lines());
        let from_cache = timeout_at(time_limit, erasure.erase_from_cache());
        let (from_lines, from_cache) = futures::join!(from_lines, from_cache);
        let (lines_done, cache_done) =
            (matches!(from_lines, Ok(Ok(()))), matches!(from_cache, Ok(Ok(()))));
        let queued = match (lines_done, cache_done) {
            (true, true) => return Ok(Reply::Empty),
            (false, false) => None,
            (false, true) => timeout_at(self.deadline, erasure.queue_for_lines(at)).await.ok(),
            (true, false) => timeout_at(self.deadline, erasure.queue_for_cache(at)).await.ok(),
        };
        match queued {
            Some(Ok(())) => {
                tracing::warn!("a store is away, a customer who unfollowed is forgotten later");
                Ok(Reply::Empty)
            }
            _ if lines_done => Err(Problem::new(&refusals::CACHE_UNAVAILABLE)),
            _ => Err(Problem::new(&refusals::LEDGER_UNAVAILABLE)),
        }
    }

    pub(super) fn account_sites(&self) -> impl Iterator<Item = Arc<SiteSettings>> + '_ {
        let of_account =
            |settings: &Arc<SiteSettings>| &*settings.facts.account == self.account_name;
        self.state.engine.all_settings().filter(of_account)
    }
}

/// Act of a person who lets others go first: until they return, as long as the queue allows.
fn let_pass(ticket: &Ticket) -> Act {
    Act::LetPass { ticket: ticket.id, until: LetPassLimit::OnRequest }
}

/// Act of a person who is back: from a hold, or after having been missed.
fn return_to_queue(ticket: &Ticket) -> Act {
    match (&*ticket.state, &ticket.person) {
        (TicketState::Held { .. }, _) => Act::Resume(ticket.id),
        (TicketState::Missed { .. }, _) => Act::Return(ticket.id),
        (_, Some(person)) => Act::Show { person: person.clone() },
        (_, None) => Act::Resume(ticket.id),
    }
}

/// Act of a push whose ticket is no longer live: the ledger has the answer already.
fn repeated_act() -> Act {
    Act::Resume(TicketId(0))
}
