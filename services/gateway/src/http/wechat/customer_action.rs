//! Actions of customers in the chat, whichever way they ask: a keyword, or an entry of the menu.

use super::dispatch::{Handled, PushHandler, Reply};
use super::scan::TicketIntent;
use super::{opening_hours, queue_choice};
use crate::http::board::discard_past_day;
use crate::http::replies;
use crate::settings::SiteSettings;
use crate::settings::menu::key::MenuKey;
use paihao_contracts::menu::TakeTarget;
use paihao_contracts::settings::KeywordAction;
use paihao_domain::QueueId;
use paihao_notice_text::words;
use std::sync::Arc;

/// Action that a customer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CustomerAction {
    /// Takes a number.
    Take(TakeTarget),
    /// Takes a number of a queue of this name, normalised.
    TakeNamed(String),
    /// Shows their tickets.
    MyTicket,
    /// Lets others pass.
    LetPass,
    /// Returns from letting others pass, or after having been missed.
    Return,
    /// Gives their tickets up.
    Leave,
    /// Says the opening hours.
    Hours,
    /// Answers with a text of the owner.
    Text(String),
    /// Pressed an entry that is no longer in the menu.
    ReplacedEntry,
}

impl From<&KeywordAction> for CustomerAction {
    fn from(action: &KeywordAction) -> CustomerAction {
        match action {
            KeywordAction::MyTicket => CustomerAction::MyTicket,
            KeywordAction::Leave => CustomerAction::Leave,
            KeywordAction::LetPass => CustomerAction::LetPass,
            KeywordAction::Return => CustomerAction::Return,
            KeywordAction::Take => CustomerAction::Take(TakeTarget::default()),
            KeywordAction::Queue(path) => {
                let (site, queue) = path.split_once('/').unwrap_or((path, ""));
                CustomerAction::Take(TakeTarget {
                    site: Some(site.to_owned()),
                    queue: Some(queue.to_owned()),
                })
            }
            KeywordAction::Text(text) => CustomerAction::Text(text.clone()),
        }
    }
}

impl PushHandler<'_> {
    /// Returns the action behind a key of the menu; `None` if it is of another system.
    pub(super) fn action_of_key(&self, key: &str) -> Option<CustomerAction> {
        if let Some(action) = self.account.menu.get(key) {
            return Some(action.into());
        }
        Some(match MenuKey::parse(key)? {
            MenuKey::Take(target) if self.has_target(&target) => CustomerAction::Take(target),
            MenuKey::MyTicket => CustomerAction::MyTicket,
            MenuKey::LetPass => CustomerAction::LetPass,
            MenuKey::Leave => CustomerAction::Leave,
            MenuKey::Hours => CustomerAction::Hours,
            MenuKey::Text(digest) => match self.account.menu_texts.get(&digest) {
                Some(text) => CustomerAction::Text(text.clone()),
                None => CustomerAction::ReplacedEntry,
            },
            MenuKey::Take(_) | MenuKey::Unknown => CustomerAction::ReplacedEntry,
        })
    }

    /// Answers a text: as the answer to a login, or by the action that it asks for. `chosen` is the
    /// id of a tap on a line that was offered.
    pub(super) async fn answer_text(&self, text: &str, chosen: Option<&str>) -> Handled {
        if let Some(reply) = self.handle_login_answer(&words::normalise(text)).await {
            return Handled::Ours(reply);
        }
        match self.action_of_text(text, chosen) {
            Some(action) => Handled::Ours(self.run_action(action).await),
            None => Handled::Foreign,
        }
    }

    /// Returns the action that a text asks for. A tap on a queue that was offered sends its key,
    /// or, from a test account, its words alone.
    fn action_of_text(&self, text: &str, chosen: Option<&str>) -> Option<CustomerAction> {
        let sites: Vec<_> = self.account_sites().collect();
        chosen
            .filter(|key| MenuKey::parse(key).is_some())
            .and_then(|key| self.action_of_key(key))
            .or_else(|| queue_choice::find_chosen(&sites, text.trim()).map(CustomerAction::Take))
            .or_else(|| self.action_of_word(text, &sites))
    }

    fn action_of_word(&self, text: &str, sites: &[Arc<SiteSettings>]) -> Option<CustomerAction> {
        let found = self.account.words.find(text)?;
        if found.rest.is_empty() {
            return Some(found.action.into());
        }
        // What follows a word is of this system only if it names a queue.
        let is_named = sites.iter().any(|settings| {
            let mut queues = settings.rules.queues.keys();
            queues.any(|queue| queue_choice::is_named(settings, queue, &found.rest))
        });
        is_named.then_some(CustomerAction::TakeNamed(found.rest))
    }

    pub(super) async fn run_action(&self, action: CustomerAction) -> Reply {
        match action {
            CustomerAction::Take(target) => self.take_number(target).await,
            CustomerAction::TakeNamed(name) => {
                let sites: Vec<_> = self.account_sites().collect();
                self.offer_queues(&sites, |settings, queue| {
                    queue_choice::is_named(settings, queue, &name)
                })
                .await
            }
            CustomerAction::MyTicket => self.show_tickets().await,
            CustomerAction::LetPass => self.let_pass_all().await,
            CustomerAction::Return => self.return_all().await,
            CustomerAction::Leave => self.leave_all().await,
            CustomerAction::Hours => {
                let sites: Vec<_> = self.account_sites().collect();
                let now_ms = self.message.create_time * 1000;
                self.text_reply(opening_hours::reply(&sites, now_ms))
            }
            CustomerAction::Text(text) => self.text_reply(text),
            CustomerAction::ReplacedEntry => self.text_reply(replies::replaced_entry_reply()),
        }
    }

    /// Sites of the account that a target means.
    fn target_sites(&self, target: &TakeTarget) -> Vec<Arc<SiteSettings>> {
        let site = target.site.as_deref();
        let is_meant =
            |settings: &Arc<SiteSettings>| site.is_none_or(|id| id == &*settings.facts.id);
        self.account_sites().filter(is_meant).collect()
    }

    /// Returns whether the site and the queue of a target are there.
    fn has_target(&self, target: &TakeTarget) -> bool {
        let has_queue = |settings: &Arc<SiteSettings>| match &target.queue {
            Some(queue) => settings.rules.queues.contains_key(&QueueId::new(queue)),
            None => true,
        };
        self.target_sites(target).iter().any(has_queue)
    }

    /// Takes a number of a queue. Without a queue the person chooses one, unless there is one only.
    async fn take_number(&self, target: TakeTarget) -> Reply {
        let sites = self.target_sites(&target);
        let Some(queue) = target.queue else {
            return self.offer_queues(&sites, |_, _| true).await;
        };
        match &sites[..] {
            [settings] if settings.rules.queues.contains_key(&QueueId::new(&queue)) => {
                self.take_of_queue(settings.clone(), queue).await
            }
            _ => {
                tracing::warn!(
                    account = self.account_name,
                    "a word names a queue that is not there"
                );
                self.text_reply(replies::no_queue_reply())
            }
        }
    }

    async fn take_of_queue(&self, settings: Arc<SiteSettings>, queue: String) -> Reply {
        let intent = TicketIntent { settings, queue, session: None };
        let (reply, outcome) = self.take_ticket(intent).await;
        metrics::counter!("paihao_gateway_words_total", "outcome" => outcome).increment(1);
        reply
    }

    /// Offers the queues that are meant, at the sites where the person holds no ticket. What they
    /// hold at the only site is shown; a missed ticket returns to the line.
    async fn offer_queues(
        &self,
        sites: &[Arc<SiteSettings>],
        is_meant: impl Fn(&SiteSettings, &QueueId) -> bool,
    ) -> Reply {
        let person = self.person();
        let now_ms = self.state.clock.now_ms();
        let mut offers = Vec::new();
        let mut held = None;
        for settings in sites {
            let Some(snapshot) = self.state.engine.snapshot(&settings.facts.id) else { continue };
            let now = settings.calendar.at(now_ms);
            let snapshot = discard_past_day(&now, snapshot);
            if let Some(ticket) = snapshot.site.live_ticket_of(&person) {
                held = Some((settings, ticket.queue.as_str().to_owned()));
                continue;
            }
            let queues = settings.queues.iter().filter(|queue| is_meant(settings, queue));
            offers.extend(queues.map(|queue| queue_choice::Offer {
                settings: settings.clone(),
                queue: queue.clone(),
                waiting: snapshot.site.line(queue).len(),
                availability: snapshot.site.availability(&settings.rules, queue, &now),
                now_ms,
            }));
        }
        match (&offers[..], held) {
            ([], Some((settings, queue))) if sites.len() == 1 => {
                self.take_of_queue(settings.clone(), queue).await
            }
            ([], Some(_)) => self.show_tickets().await,
            ([], None) => self.text_reply(replies::no_queue_reply()),
            ([offer], None) => {
                self.take_of_queue(offer.settings.clone(), offer.queue.as_str().to_owned()).await
            }
            (offers, _) => {
                let has_several_sites = self.account_sites().nth(1).is_some();
                self.text_reply(queue_choice::reply(offers, has_several_sites))
            }
        }
    }
}
