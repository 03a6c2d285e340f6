//! Scans of codes: a ticket is in the reply once it is durable.

use super::dispatch::{PushHandler, Reply};
use crate::engine::{CommandOutcome, SubmitError};
use crate::http::api::door_codes;
use crate::http::replies;
use crate::http::ticket_link;
use crate::scan::scene::Scene;
use crate::scan::sessions::SessionError;
use crate::settings::SiteSettings;
use paihao_chassis::entropy;
use paihao_contracts::session::{Invitation, LoginRequest, RefusedScan, ScanPurpose, ScanSession};
use paihao_domain::{
    Act, Actor, Day, Outcome, QueueId, Refusal, ScanSessionRef, TicketKey, Timestamp,
};
use std::sync::Arc;
use tokio::time::timeout_at;
use uuid::Uuid;

/// Intent of a scan.
enum ScanIntent {
    /// Taking a ticket.
    Ticket(Box<TicketIntent>),
    /// Logging a browser in.
    Login(Uuid, LoginRequest),
    /// Joining the staff.
    Invitation(Uuid, Invitation),
    /// Being sent the test of a template.
    TemplateTest(String),
}

/// Ticket to take: by a scan, a word or the menu.
pub(super) struct TicketIntent {
    pub(super) settings: Arc<SiteSettings>,
    pub(super) queue: String,
    pub(super) session: Option<(Uuid, ScanSession)>,
}

impl PushHandler<'_> {
    pub(super) async fn handle_scan(&self, scene: Scene) -> Reply {
        let (reply, outcome) = match self.resolve_scene(scene).await {
            Ok(ScanIntent::Ticket(intent)) => self.take_ticket(*intent).await,
            Ok(ScanIntent::Login(uuid, request)) => {
                Box::pin(self.handle_login_scan(uuid, request)).await
            }
            Ok(ScanIntent::Invitation(uuid, invitation)) => {
                Box::pin(self.handle_invitation_scan(uuid, invitation)).await
            }
            Ok(ScanIntent::TemplateTest(uuid)) => Box::pin(self.handle_template_test(&uuid)).await,
            Err(reply) => (reply, "no_wish"),
        };
        metrics::counter!("paihao_gateway_scans_total", "outcome" => outcome).increment(1);
        reply
    }

    /// Resolves a scanned scene, or returns the reply to one that requests nothing.
    async fn resolve_scene(&self, scene: Scene) -> Result<ScanIntent, Reply> {
        let expired = || self.text_reply(replies::expired_code_reply());
        let (site, queue, session) = match scene {
            Scene::Queue { site, queue } => {
                let queue = self.present_queue(&site, queue);
                (site, queue, None)
            }
            Scene::Session(scene) => {
                let session =
                    timeout_at(self.deadline, self.state.scan_sessions.by_scene(&scene)).await;
                match session {
                    Ok(Ok((uuid, session))) => {
                        let (site, queue) = match session.purpose.clone() {
                            ScanPurpose::Ticket { site, queue } => (site, queue),
                            ScanPurpose::Login(request) => {
                                return Ok(ScanIntent::Login(uuid, request));
                            }
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
                    Ok(Err(_)) => {
                        let test = self.find_template_test(&scene).await;
                        return test.map(ScanIntent::TemplateTest).ok_or_else(expired);
                    }
                }
            }
        };
        // A code is valid for the sites of its own account only.
        let settings = self.state.engine.settings(&site);
        let own = settings.filter(|settings| &*settings.facts.account == self.account_name);
        let settings = own.ok_or_else(expired)?;
        Ok(ScanIntent::Ticket(Box::new(TicketIntent { settings, queue, session })))
    }

    /// Queue that a permanent code is of now: it may have gone over from one that is not there any
    /// more.
    fn present_queue(&self, site: &str, queue: String) -> String {
        let key = door_codes::resolve_account(self.state, self.account_name, site, &queue);
        key.map_or(queue, |key| self.state.permanent_codes.queue_of(&key))
    }

    pub(super) async fn take_ticket(&self, intent: TicketIntent) -> (Reply, &'static str) {
        let TicketIntent { settings, queue, session } = intent;
        let scan_session = session.as_ref().map(|(uuid, _)| ScanSessionRef::new(&uuid.to_string()));
        let act = Act::Take {
            queue: QueueId::new(&queue),
            person: Some(self.person()),
            scan_session,
            class: None,
            key: Some(TicketKey(entropy::bytes())),
        };
        match self.submit(&settings.facts.id, act, None).await {
            Ok(decided) => {
                if let Some((uuid, session)) = session {
                    let stored =
                        self.state.scan_sessions.store_progress(uuid, session, &decided.outcome);
                    // The ticket is durable, and its browser hears of it from the ledger too.
                    let _ = timeout_at(self.deadline, stored).await;
                }
                let new = matches!(decided.outcome, Outcome::Holding { new: true, .. });
                let reply = Reply::Text {
                    text: self.ticket_text(&settings, &decided.outcome, decided.at),
                    at_s: decided.at.0.div_euclid(1000),
                };
                (reply, if new { "taken" } else { "shown" })
            }
            Err(SubmitError::Refused(refusal)) => {
                Box::pin(self.tell_refusal(&settings, &refusal, session)).await;
                let now_ms = self.message.create_time * 1000;
                let reply = replies::refusal_reply(&settings, &refusal, now_ms);
                (self.text_reply(reply), "refused")
            }
            Err(error) => {
                let site = &*settings.facts.id;
                tracing::warn!(site, %error, "cannot give a ticket to a scan");
                (self.failure_reply(replies::TICKET_UNAVAILABLE), "not_now")
            }
        }
    }

    /// Tells the page whose code was scanned that the person has no more numbers today.
    async fn tell_refusal(
        &self,
        settings: &SiteSettings,
        refusal: &Refusal,
        session: Option<(Uuid, ScanSession)>,
    ) {
        let (Refusal::PersonLimit(queue), Some((uuid, session))) = (refusal, session) else {
            return;
        };
        let limit = settings.rules.queues.get(queue).and_then(|queue| queue.daily_per_person);
        let at = self.state.clock.now_ms();
        let refused = RefusedScan { limit: limit.unwrap_or_default(), at };
        let stored = self.state.scan_sessions.store_refusal(uuid, session, refused);
        let _ = timeout_at(self.deadline, stored).await;
    }

    /// Reply about a ticket that the customer holds, with the link to its page.
    fn ticket_text(&self, settings: &SiteSettings, outcome: &Outcome, at: Timestamp) -> String {
        let url = ticket_link::ticket_url(self.state, &settings.facts.id, outcome, at);
        replies::with_link(replies::ticket_reply(settings, outcome, at), url.as_deref())
    }

    /// Submits the command of this push, within the time limit of the reply. `day` is the business
    /// day on which the ticket was looked up that the act names.
    pub(super) async fn submit(
        &self,
        site: &str,
        act: Act,
        day: Option<Day>,
    ) -> Result<CommandOutcome, SubmitError> {
        let actor = Actor::Customer(self.person());
        let ids = self.command_ids();
        self.state.engine.submit_of_push(site, &ids, (actor, act, day), self.deadline).await
    }
}
