//! Scans: a ticket is returned in the reply, once it is durable.

use super::dispatch::{PushHandler, Reply};
use crate::engine::SubmitError;
use crate::http::replies;
use crate::http::ticket_link;
use crate::scan::scene::Scene;
use crate::scan::sessions::SessionError;
use crate::settings::SiteSettings;
use paihao_chassis::entropy;
use paihao_contracts::session::{Invitation, LoginRequest, ScanPurpose, ScanSession};
use paihao_domain::{Act, Actor, Command, Outcome, Person, QueueId, ScanSessionRef, TicketKey};
use std::sync::Arc;
use tokio::time::timeout_at;
use uuid::Uuid;

/// Request that a scan makes.
enum ScanIntent {
    /// A number.
    Ticket(TicketIntent),
    /// That a browser be logged in.
    Login(Uuid, LoginRequest),
    /// A place among the staff.
    Invitation(Uuid, Invitation),
}

/// A number that a scan asks for.
struct TicketIntent {
    book: Arc<SiteSettings>,
    queue: String,
    session: Option<(Uuid, ScanSession)>,
}

impl PushHandler<'_> {
    pub(super) async fn handle_scan(&self, scene: &str) -> Reply {
        let (reply, what) = match self.resolve_scene(scene).await {
            Ok(ScanIntent::Ticket(wish)) => self.take_ticket(wish).await,
            Ok(ScanIntent::Login(uuid, wish)) => self.handle_login_scan(uuid, wish).await,
            Ok(ScanIntent::Invitation(uuid, invitation)) => {
                self.handle_invitation_scan(uuid, invitation).await
            }
            Err(reply) => (reply, "no_wish"),
        };
        metrics::counter!("paihao_gateway_scans_total", "outcome" => what).increment(1);
        reply
    }

    /// Parses a scanned scene, or returns the reply to one that requests nothing.
    async fn resolve_scene(&self, scene: &str) -> Result<ScanIntent, Reply> {
        let dead = || self.text_reply(replies::expired_code_reply());
        let (site, queue, session) = match Scene::parse(scene).ok_or_else(dead)? {
            Scene::Queue { site, queue } => (site, queue, None),
            Scene::Session(scene) => {
                let found =
                    timeout_at(self.deadline, self.state.scan_sessions.by_scene(&scene)).await;
                match found {
                    Ok(Ok((uuid, session))) => {
                        let (site, queue) = match session.purpose.clone() {
                            ScanPurpose::Ticket { site, queue } => (site, queue),
                            ScanPurpose::Login(wish) => return Ok(ScanIntent::Login(uuid, wish)),
                            ScanPurpose::Invitation(invitation) => {
                                return Ok(ScanIntent::Invitation(uuid, invitation));
                            }
                        };
                        (site, queue, Some((uuid, session)))
                    }
                    Ok(Err(SessionError::Cache(error))) => {
                        tracing::warn!(%error, "cannot find the session of a scan");
                        return Err(self.failure_reply(replies::TICKET_UNAVAILABLE));
                    }
                    Err(_) => return Err(self.failure_reply(replies::TICKET_UNAVAILABLE)),
                    Ok(Err(_)) => return Err(dead()),
                }
            }
        };
        // A code speaks for the sites of its own account only.
        let book = self.state.engine.settings(&site);
        let book =
            book.filter(|book| &*book.facts.account == self.account_name).ok_or_else(dead)?;
        Ok(ScanIntent::Ticket(TicketIntent { book, queue, session }))
    }

    async fn take_ticket(&self, wish: TicketIntent) -> (Reply, &'static str) {
        let TicketIntent { book, queue, session } = wish;
        let scan_session = session.as_ref().map(|(uuid, _)| ScanSessionRef::new(&uuid.to_string()));
        let act = Act::Take {
            queue: QueueId::new(&queue),
            person: Some(self.person()),
            scan_session,
            class: None,
            key: Some(TicketKey(entropy::bytes())),
        };
        let answer = self.submit(&book.facts.id, act, self.person()).await;
        match answer {
            Ok(answered) => {
                if let Some((uuid, session)) = session {
                    let remembered =
                        self.state.scan_sessions.store_progress(uuid, session, &answered.outcome);
                    // The number is durable; its browser hears of it from the ledger all the same.
                    let _ = timeout_at(self.deadline, remembered).await;
                }
                let new = matches!(answered.outcome, Outcome::Holding { new: true, .. });
                let reply = Reply::Text {
                    text: self.ticket_text(&book, &answered.outcome),
                    at_s: answered.at.0.div_euclid(1000),
                };
                (reply, if new { "taken" } else { "shown" })
            }
            Err(SubmitError::Refused(refusal)) => {
                (self.text_reply(replies::refusal_reply(&book, &refusal)), "refused")
            }
            Err(declined) => {
                let site = &*book.facts.id;
                tracing::warn!(site, %declined, "cannot give a ticket to a scan");
                (self.failure_reply(replies::TICKET_UNAVAILABLE), "not_now")
            }
        }
    }

    /// Reply about a ticket that the customer holds, with the link to its page.
    pub(super) fn ticket_text(&self, book: &SiteSettings, outcome: &Outcome) -> String {
        let address = ticket_link::ticket_url(self.state, &book.facts.id, outcome);
        replies::with_link(replies::ticket_reply(book, outcome), address.as_deref())
    }

    /// Has this push's command decided for a person, before the push has to be answered.
    pub(super) async fn submit(
        &self,
        site: &str,
        act: Act,
        person: Person,
    ) -> Result<crate::engine::CommandOutcome, SubmitError> {
        let actor = Actor::Customer(person);
        let command = Command { id: self.command_id(), fingerprint: 0, actor, act };
        let decided = self.state.engine.submit(site, command);
        timeout_at(self.deadline, decided).await.unwrap_or(Err(SubmitError::Unavailable))
    }
}
