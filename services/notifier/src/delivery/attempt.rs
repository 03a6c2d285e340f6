//! Attempt to send a notice: claimed in the log of its ticket, made, and its result recorded there.

use crate::delivery::channels;
use crate::delivery::classify::{
    Attempt, AttemptResult, ERRCODE_NO_OPEN_WINDOW, ERRCODE_WINDOW_USED_UP, classify,
};
use crate::delivery::finish::NoticeEnd;
use crate::delivery::send::{self, OutboundMessage};
use crate::delivery::send_window;
use crate::delivery::ticket_log::{Settled, TicketLog};
use crate::delivery::ticket_state::{self, ATTEMPT_TIMEOUT, CLAIM_DURATION, ClaimRequest};
use crate::delivery::worker::{
    DeliveryWorker, NextStep, SelectedChannel, SendTask, TURN_RETRY_DELAY, count_channel_refusal,
};
use crate::ports::{Ports, StoreError};
use bytes::Bytes;
use paihao_chassis::entropy;
use paihao_contracts::notice::{Channel, ChannelAttempt, DeliveryOutcome};
use paihao_contracts::outcome::OutcomeRecord;
use paihao_contracts::ticket_record::{OpenNotice, TicketNotices};
use paihao_wechat::{AccountClientError, CallError};
use std::time::Duration;

/// Bytes of randomness in the id of a claim.
const CLAIM_ID_BYTES: usize = 9;

/// Attempt whose claim the log has.
struct ClaimedAttempt {
    /// Id of the claim.
    id: String,
    /// State of the notice during the attempt.
    open: OpenNotice,
    /// Announcement, which each later record of the attempt repeats.
    record: OutcomeRecord,
}

impl DeliveryWorker {
    /// Makes one attempt, unless another worker is making one.
    pub(super) async fn attempt(
        &self,
        task: &SendTask<'_>,
        log: &mut TicketLog,
        before: Option<OpenNotice>,
        SelectedChannel { channel, message, earlier_attempts }: SelectedChannel,
        now: i64,
    ) -> Result<NextStep, StoreError> {
        let Ports { cache, clock, .. } = &self.ports;
        let notice = task.notice;
        let person = task.person_tags.stored();
        let registered = send::register_message(&**cache, notice, person, &message, now).await?;
        let id = entropy::token(CLAIM_ID_BYTES);
        let request =
            ClaimRequest { notice, channel, earlier_attempts: &earlier_attempts, id: &id, at: now };
        let Some(claimed) = claim(log, before.as_ref(), request).await? else {
            return Ok(NextStep::RetryAfter(TURN_RETRY_DELAY));
        };
        let held_until = now + CLAIM_DURATION.as_millis() as i64;
        // The log was so slow that the claim could expire during the attempt.
        if held_until - clock.now_ms() < ATTEMPT_TIMEOUT.as_millis() as i64 {
            self.release(log, &claimed, before).await?;
            return Ok(NextStep::RetryAfter(Duration::ZERO));
        }
        let wechat = self.ports.wechat.with_priority(channels::priority(notice));
        let sending = send::send(&wechat, notice, &message);
        let result = tokio::time::timeout(ATTEMPT_TIMEOUT, sending)
            .await
            .unwrap_or(Err(AccountClientError::Call(CallError::TimedOut)));
        let is_left = |other: &Channel| {
            *other != channel && !earlier_attempts.iter().any(|t| t.channel == *other)
        };
        let attempt = Attempt {
            open: &claimed.open,
            channel,
            was_unsure: claimed.open.unsure,
            valid_until: notice.valid_until,
            has_other_channels: task.policy.usable_channels().any(|other| is_left(&other)),
        };
        let attempt_result = classify(attempt, clock.now_ms(), result);
        self.update_send_window(task, &message, &attempt_result).await;
        match attempt_result {
            AttemptResult::Ended(outcome) => {
                let end = NoticeEnd {
                    outcome,
                    attempts: claimed.open.attempts,
                    channel: Some(channel),
                    earlier_attempts,
                    dead_letter: None,
                };
                self.end_attempt(task, log, &claimed, registered, end).await
            }
            AttemptResult::NextChannel(refused) => {
                count_channel_refusal(notice, &refused);
                let open = ticket_state::refused(&claimed.open, refused);
                self.release(log, &claimed, Some(open)).await?;
                send::forget_message(&**cache, notice, task.person_tags.stored(), channel).await;
                Ok(NextStep::RetryAfter(Duration::ZERO))
            }
            AttemptResult::Retry { after, unsure, last_error } => {
                tracing::debug!(key = notice.key, last_error, "retrying a notice");
                let open = ticket_state::deferred(&claimed.open, unsure, last_error);
                self.release(log, &claimed, Some(open)).await?;
                Ok(NextStep::RetryAfter(after))
            }
        }
    }

    /// Records the end of a notice by its attempt.
    async fn end_attempt(
        &self,
        task: &SendTask<'_>,
        log: &mut TicketLog,
        claimed: &ClaimedAttempt,
        registered: Option<Bytes>,
        end: NoticeEnd,
    ) -> Result<NextStep, StoreError> {
        let Ports { cache, clock, .. } = &self.ports;
        let notice = task.notice;
        let now = clock.now_ms();
        let record = |ticket: &TicketNotices| end.record(notice.into(), now, ticket);
        match settle(log, claimed, record).await? {
            Settled::Written => end.count(notice.into(), now),
            // The record was written without an answer, or another worker took the claim over.
            Settled::Found(()) => {}
            Settled::TooLarge(reason) => return Ok(NextStep::DeadLetter(reason)),
        }
        let Some(ended) = log.end_of(notice).await? else {
            return Ok(NextStep::RetryAfter(TURN_RETRY_DELAY));
        };
        if let (DeliveryOutcome::Sent { message_id }, Some(channel)) = (&end.outcome, end.channel) {
            let person = (task.person_tags.stored(), registered);
            send::mark_accepted(&**cache, notice, person, channel, *message_id).await;
        }
        self.conclude(task, ended.dead_letter).await
    }

    /// Gives up a claim and records the state of its notice, `None` if there was no attempt yet.
    async fn release(
        &self,
        log: &mut TicketLog,
        claimed: &ClaimedAttempt,
        open: Option<OpenNotice>,
    ) -> Result<(), StoreError> {
        let record = |ticket: &TicketNotices| {
            let state = ticket_state::replace_open(ticket, &claimed.open.name, open.clone());
            (claimed.record.clone(), state)
        };
        match settle(log, claimed, record).await? {
            Settled::Written | Settled::Found(()) => Ok(()),
            Settled::TooLarge(reason) => Err(StoreError::Unavailable(reason)),
        }
    }

    /// Updates the send windows after an attempt. A wrong state costs one API call.
    async fn update_send_window(
        &self,
        task: &SendTask<'_>,
        message: &OutboundMessage,
        attempt_result: &AttemptResult,
    ) {
        let OutboundMessage::Text(_, open) = message else { return };
        let cache = &*self.ports.cache;
        let account = &task.notice.account;
        let updated = match attempt_result {
            AttemptResult::Ended(_) => {
                send_window::consume_one(cache, open, self.ports.clock.now_ms()).await
            }
            AttemptResult::NextChannel(ChannelAttempt {
                code: Some(ERRCODE_NO_OPEN_WINDOW | ERRCODE_WINDOW_USED_UP),
                ..
            }) => send_window::close_all(cache, account, task.person_tags.all()).await,
            _ => Ok(()),
        };
        if let Err(error) = updated {
            tracing::debug!(%error, "cannot update a send window");
        }
    }
}

/// Claims an attempt on the state that was read. `None` if another worker has written since.
async fn claim(
    log: &mut TicketLog,
    before: Option<&OpenNotice>,
    request: ClaimRequest<'_>,
) -> Result<Option<ClaimedAttempt>, StoreError> {
    let ClaimRequest { notice, channel, earlier_attempts, id, at } = request;
    let open = ticket_state::with_claim(before, &request);
    let key = notice.key.clone();
    let announced = ticket_state::announcement(key, channel, at, earlier_attempts.to_vec());
    let record = OutcomeRecord::Attempt(announced);
    let decided_on = log.state().clone();
    let settled = log.append_until_answered(|ticket| {
        let is_own = ticket_state::claim_id(ticket, &open.name) == Some(id);
        if is_own || *ticket != decided_on {
            return Err(is_own);
        }
        let state = ticket_state::replace_open(ticket, &open.name, Some(open.clone()));
        Ok((record.clone(), state))
    });
    match settled.await? {
        Settled::Written | Settled::Found(true) => {
            Ok(Some(ClaimedAttempt { id: id.to_owned(), open, record }))
        }
        Settled::Found(false) => Ok(None),
        Settled::TooLarge(reason) => Err(StoreError::Unavailable(reason)),
    }
}

/// Appends the result of a claimed attempt, unless the claim is gone.
async fn settle(
    log: &mut TicketLog,
    claimed: &ClaimedAttempt,
    record: impl Fn(&TicketNotices) -> (OutcomeRecord, TicketNotices),
) -> Result<Settled<()>, StoreError> {
    log.append_until_answered(|ticket| {
        if ticket_state::claim_id(ticket, &claimed.open.name) != Some(&claimed.id) {
            return Err(());
        }
        Ok(record(ticket))
    })
    .await
}
