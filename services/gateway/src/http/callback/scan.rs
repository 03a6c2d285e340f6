//! A scan: it is answered with a number in the same response, once the number is durable.

use super::hear::{Hearing, Reply};
use crate::book::SiteBook;
use crate::http::holders;
use crate::http::wording;
use crate::lines::Declined;
use crate::scan::scene::Scene;
use crate::scan::sessions::SessionError;
use paihao_chassis::entropy;
use paihao_contracts::session::{Invitation, LoginWish, Purpose, ScanSession};
use paihao_domain::{Act, Actor, Command, Outcome, Person, QueueId, TicketKey, Via};
use std::sync::Arc;
use tokio::time::timeout_at;
use uuid::Uuid;

/// What a scan asks for.
enum Wanted {
    /// A number.
    Number(Wish),
    /// That a browser be logged in.
    Login(Uuid, LoginWish),
    /// A place among the staff.
    Place(Uuid, Invitation),
}

/// A number that a scan asks for.
struct Wish {
    book: Arc<SiteBook>,
    queue: String,
    session: Option<(Uuid, ScanSession)>,
}

impl Hearing<'_> {
    pub(super) async fn scan(&self, scene: &str) -> Reply {
        let (reply, what) = match self.wish(scene).await {
            Ok(Wanted::Number(wish)) => self.take(wish).await,
            Ok(Wanted::Login(uuid, wish)) => self.login(uuid, wish).await,
            Ok(Wanted::Place(uuid, invitation)) => self.invited(uuid, invitation).await,
            Err(reply) => (reply, "no_wish"),
        };
        metrics::counter!("paihao_gateway_scans_total", "outcome" => what).increment(1);
        reply
    }

    /// What a scanned scene asks for, or what to say if it asks for nothing.
    async fn wish(&self, scene: &str) -> Result<Wanted, Reply> {
        let dead = || self.say(wording::dead_code());
        let (site, queue, session) = match Scene::read(scene).ok_or_else(dead)? {
            Scene::Door { site, queue } => (site, queue, None),
            Scene::Session(scene) => {
                let found = timeout_at(self.deadline, self.door.sessions.by_scene(&scene)).await;
                match found {
                    Ok(Ok((uuid, session))) => {
                        let (site, queue) = match session.purpose.clone() {
                            Purpose::Ticket { site, queue } => (site, queue),
                            Purpose::Login(wish) => return Ok(Wanted::Login(uuid, wish)),
                            Purpose::Invitation(invitation) => {
                                return Ok(Wanted::Place(uuid, invitation));
                            }
                        };
                        (site, queue, Some((uuid, session)))
                    }
                    Ok(Err(SessionError::Cache(error))) => {
                        tracing::warn!(%error, "a scan could not be matched to its session");
                        return Err(self.fail(wording::NOT_NOW));
                    }
                    Err(_) => return Err(self.fail(wording::NOT_NOW)),
                    Ok(Err(_)) => return Err(dead()),
                }
            }
        };
        // A code speaks for the sites of its own account only.
        let book = self.door.lines.book(&site);
        let book = book.filter(|book| &*book.facts.account == self.name).ok_or_else(dead)?;
        Ok(Wanted::Number(Wish { book, queue, session }))
    }

    async fn take(&self, wish: Wish) -> (Reply, &'static str) {
        let Wish { book, queue, session } = wish;
        let via = session.as_ref().map(|(uuid, _)| Via::new(&uuid.to_string()));
        let act = Act::Take {
            queue: QueueId::new(&queue),
            person: Some(self.person()),
            via,
            class: None,
            key: Some(TicketKey(entropy::bytes())),
        };
        let answer = self.submit(&book.facts.id, act, self.person()).await;
        match answer {
            Ok(answered) => {
                if let Some((uuid, session)) = session {
                    let remembered = self.door.sessions.remember(uuid, session, &answered.outcome);
                    // The number is durable; its browser hears of it from the ledger all the same.
                    let _ = timeout_at(self.deadline, remembered).await;
                }
                let new = matches!(answered.outcome, Outcome::Holding { new: true, .. });
                let reply = Reply::Text {
                    text: self.told(&book, &answered.outcome),
                    at_s: answered.at.0.div_euclid(1000),
                };
                (reply, if new { "taken" } else { "shown" })
            }
            Err(Declined::Refused(refusal)) => {
                (self.say(wording::refused(&book, &refusal)), "refused")
            }
            Err(declined) => {
                let site = &*book.facts.id;
                tracing::warn!(site, %declined, "a scan got no number");
                (self.fail(wording::NOT_NOW), "not_now")
            }
        }
    }

    /// What is said of a ticket that somebody holds, with the way to its page.
    pub(super) fn told(&self, book: &SiteBook, outcome: &Outcome) -> String {
        let address = holders::address_of(self.door, &book.facts.id, outcome);
        wording::with_link(wording::holding(book, outcome), address.as_deref())
    }

    /// Has this push's command decided for a person, before the push has to be answered.
    pub(super) async fn submit(
        &self,
        site: &str,
        act: Act,
        person: Person,
    ) -> Result<crate::lines::Answered, Declined> {
        let actor = Actor::Customer(person);
        let command = Command { id: self.command_id(), fingerprint: 0, actor, act };
        let decided = self.door.lines.submit(site, command);
        timeout_at(self.deadline, decided).await.unwrap_or(Err(Declined::Unavailable))
    }
}
