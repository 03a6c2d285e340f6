//! People whom WeChat's refusals tell of: a message to somebody who no longer follows is refused
//! with 43004. The push about it may never have come.

use super::erasure::Erasure;
use crate::engine::SubmitError;
use crate::http::idempotency::derived_command_id;
use crate::http::state::AppState;
use crate::projections::delivery_status::parse_notice_key;
use paihao_contracts::envelope::NewerForm;
use paihao_contracts::notice::DeliveryOutcome;
use paihao_contracts::outcome::OutcomeRecord;
use paihao_domain::{Person, Ticket, TicketId};
use paihao_ledger::{Delivery, Disposition, Handler};
use paihao_wechat::OpenId;
use std::time::Duration;

/// WeChat's code for a recipient who does not follow the account.
const NOT_FOLLOWING: i64 = 43004;

/// Delay after a store did not answer.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// Person whom a notice was meant for.
struct Recipient {
    account: String,
    person: Person,
    /// True if the ticket named another openid before.
    has_migrated: bool,
}

/// Handler of the log of outcomes.
pub(super) struct RefusedRecipients {
    pub(super) state: AppState,
}

impl Handler for RefusedRecipients {
    type Message = OutcomeRecord;

    async fn handle(&self, record: OutcomeRecord, _: &Delivery) -> Result<Disposition, NewerForm> {
        let Some((key, at)) = refusal(&record) else { return Ok(Disposition::Ack) };
        let Some((site, (day, ticket), _)) = parse_notice_key(key) else {
            return Ok(Disposition::Ack);
        };
        let retry = Ok(Disposition::RetryAfter(RETRY_DELAY));
        let Recipient { account, person, has_migrated } =
            match self.recipient(site, day, ticket).await {
                Ok(Some(recipient)) => recipient,
                // The name has left already.
                Ok(None) | Err(SubmitError::UnknownSite) => return Ok(Disposition::Ack),
                Err(_) => return retry,
            };
        // The refusal may be about the openid at the former account.
        if has_migrated {
            match self.state.wechat.user_info(&account, &OpenId::new(person.as_str())).await {
                Ok(user) if !user.follows => {}
                Err(error) if error.code().is_none() => return retry,
                _ => return Ok(Disposition::Ack),
            }
        }
        let erasure = Erasure {
            state: &self.state,
            account: &account,
            person: &person,
            until: Some(at),
            commands: vec![derived_command_id(format!("not following\0{key}"))],
        };
        if erasure.erase_from_lines().await.is_err() {
            return retry;
        }
        if erasure.erase_from_cache().await.is_err() && erasure.queue_for_cache(at).await.is_err() {
            return retry;
        }
        metrics::counter!("paihao_gateway_late_erasures_total", "from" => "refusal").increment(1);
        tracing::info!(site, ticket = ticket.0, "a customer unfollowed unheard, forgotten");
        Ok(Disposition::Ack)
    }
}

impl RefusedRecipients {
    /// Returns the holder of a ticket, if the ticket still names one.
    async fn recipient(
        &self,
        site: &str,
        day: i32,
        ticket: TicketId,
    ) -> Result<Option<Recipient>, SubmitError> {
        let settings = self.state.engine.settings(site).ok_or(SubmitError::UnknownSite)?;
        let snapshot = self.state.engine.latest_snapshot(site).await?;
        // The same id names somebody else on another day.
        let mut sites =
            [Some(&*snapshot.site), snapshot.previous_day.as_deref()].into_iter().flatten();
        let site = sites.find(|site| site.notice_day().is_some_and(|named| named.0 == day));
        let recipient = site.and_then(|site| {
            let Ticket { person, past, .. } = site.ticket(ticket)?;
            let account = settings.facts.account.to_string();
            let has_migrated = past.former_person.is_some();
            Some(Recipient { account, person: person.clone()?, has_migrated })
        });
        Ok(recipient)
    }
}

/// Returns the key of a notice that its recipient cannot get, and the time of the outcome.
fn refusal(record: &OutcomeRecord) -> Option<(&str, i64)> {
    let OutcomeRecord::Ended(ended) = record else { return None };
    let refused =
        matches!(ended.outcome, DeliveryOutcome::Refused { code, .. } if code == NOT_FOLLOWING);
    let refused_before =
        ended.earlier_attempts.iter().any(|attempt| attempt.code == Some(NOT_FOLLOWING));
    (refused || refused_before).then_some((&*ended.key, ended.at))
}
