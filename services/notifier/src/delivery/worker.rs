//! Delivery worker: consumes the notice queue and brings each notice to its one outcome.

use crate::delivery::account_permits::AccountPermits;
use crate::delivery::attempt_lease::{self, ATTEMPT_TIMEOUT, AcquireResult, AttemptLease};
use crate::delivery::channels::{self, skipped_attempt};
use crate::delivery::classify::{
    Attempt, AttemptResult, ERRCODE_NO_OPEN_WINDOW, ERRCODE_WINDOW_USED_UP, RETRY_WINDOW, classify,
    gave_up_outcome,
};
use crate::delivery::finish::{self, EndRecorded, NoticeRef};
use crate::delivery::outcome_log::{self, OutcomeLogState};
use crate::delivery::send::{self, OutboundMessage};
use crate::delivery::send_window;
use crate::delivery::ticket_order::{self, OrderStatus};
use crate::ports::{Ports, StoreError};
use crate::settings::Settings;
use crate::templates::TemplatesReceiver;
use paihao_contracts::envelope::NewerForm;
use paihao_contracts::notice::{Channel, ChannelAttempt, DeliveryOutcome, Notice};
use paihao_contracts::outcome::AttemptAnnounced;
use paihao_contracts::streams::NOTICES;
use paihao_ledger::worker::Source;
use paihao_ledger::{Delivery, Disposition, Handler, Worker};
use paihao_notice_text::NoticePolicy;
use paihao_notice_text::render::{self, Unrenderable};
use paihao_wechat::{AccountClientError, CallError};
use std::time::Duration;

/// Delay after the ledger or the cache did not answer.
const STORE_RETRY_DELAY: Duration = Duration::from_secs(2);

/// Delay while all permits of the account are in use.
const PERMIT_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Delay while another notice of the same ticket is being sent.
const TURN_RETRY_DELAY: Duration = Duration::from_millis(200);

/// Most notices in progress at once, over all accounts.
const MAX_IN_FLIGHT: usize = 4096;

/// Creates the worker of the notice queue.
pub(crate) fn worker(
    settings: Settings,
    templates: TemplatesReceiver,
    ports: Ports,
) -> Worker<impl Handler> {
    let in_flight =
        settings.in_flight.saturating_mul(settings.accounts.len().max(1)).min(MAX_IN_FLIGHT);
    let permits = AccountPermits::new(settings.in_flight);
    let ledger = ports.ledger.clone();
    let sender = DeliveryWorker { permits, public_url: settings.public_url, templates, ports };
    Worker::new(ledger, Source::Queue(NOTICES), in_flight, sender)
}

struct DeliveryWorker {
    /// Base URL of links in messages.
    public_url: Option<String>,
    templates: TemplatesReceiver,
    ports: Ports,
    permits: AccountPermits,
}

/// Notice with its policy and person key.
struct SendTask<'a> {
    notice: &'a Notice,
    policy: NoticePolicy,
    /// Pseudonym of the person in cache keys.
    person_key: String,
}

/// Channel and message of an attempt.
struct SelectedChannel {
    channel: Channel,
    message: OutboundMessage,
    /// Channels tried or skipped before it.
    earlier_attempts: Vec<ChannelAttempt>,
}

/// Next step for a delivery.
enum NextStep {
    /// The notice has ended and its outcome is recorded.
    Ack,
    /// The notice is retried after this delay.
    RetryAfter(Duration),
    /// The notice has ended and an operator has to act on its dead letter.
    DeadLetter(String),
}

impl From<EndRecorded> for NextStep {
    fn from(recorded: EndRecorded) -> NextStep {
        match recorded {
            EndRecorded::Stored => NextStep::Ack,
            EndRecorded::Rejected(reason) => NextStep::DeadLetter(reason),
        }
    }
}

impl SendTask<'_> {
    fn notice_ref(&self) -> NoticeRef<'_> {
        let Notice { account, key, at, .. } = self.notice;
        NoticeRef { account, key, at: *at }
    }

    /// Returns true if the passive reply already contained the notice, so that the order is
    /// settled.
    fn sent_in_reply(&self) -> bool {
        self.notice.replied && self.policy.usable_channels().next() == Some(Channel::PassiveReply)
    }
}

impl From<NextStep> for Disposition {
    fn from(next: NextStep) -> Disposition {
        match next {
            NextStep::Ack => Disposition::Ack,
            NextStep::RetryAfter(after) => Disposition::RetryAfter(after),
            NextStep::DeadLetter(reason) => Disposition::DeadLetter(reason),
        }
    }
}

impl Handler for DeliveryWorker {
    type Message = Notice;

    async fn handle(&self, notice: Notice, _: &Delivery) -> Result<Disposition, NewerForm> {
        let notice = self.with_absolute_link(notice);
        let Some(_permit) = self.permits.try_acquire(&notice.account) else {
            return Ok(Disposition::RetryAfter(PERMIT_RETRY_DELAY));
        };
        match self.advance(&notice).await {
            Ok(next) => Ok(next.into()),
            Err(StoreError::Newer(newer)) => Err(newer),
            Err(StoreError::Unavailable(error)) => {
                tracing::warn!(key = notice.key, error, "cannot process a notice, retrying");
                Ok(Disposition::RetryAfter(STORE_RETRY_DELAY))
            }
        }
    }
}

impl DeliveryWorker {
    /// Makes the link of a notice absolute. Without a public URL the notice has no link.
    fn with_absolute_link(&self, notice: Notice) -> Notice {
        let absolute = |path| Some(format!("{}{path}", self.public_url.as_deref()?).into());
        let link = notice.link.as_deref().and_then(absolute);
        Notice { link, ..notice }
    }

    /// Advances a notice as far as possible now, by one attempt at most.
    async fn advance(&self, notice: &Notice) -> Result<NextStep, StoreError> {
        let ports = &self.ports;
        let task = SendTask {
            notice,
            policy: self.templates.now().policy(notice)?,
            person_key: send::person_key(notice),
        };
        // The order is read first: the log and the lease read later can only be newer.
        let order = if ticket_order::is_ordered(notice) {
            Some(ticket_order::load(&*ports.cache, notice).await?)
        } else {
            None
        };
        let Some((log_state, previous)) = finish::load_progress(ports, task.notice_ref()).await?
        else {
            return Ok(NextStep::Ack);
        };
        let now = ports.clock.now_ms();
        if let Some(lease) = &previous {
            if lease.held_until > now {
                return Ok(NextStep::RetryAfter(Duration::from_millis(
                    (lease.held_until - now) as u64,
                )));
            }
            let last_error = || lease.last_error.clone();
            let required = lease.required_channel().filter(|_| lease.unsure);
            if required.is_some_and(|channel| !channel.is_idempotent()) {
                return self
                    .end_notice(
                        &task,
                        DeliveryOutcome::Unknown { last_error: last_error() },
                        Some(lease),
                    )
                    .await;
            }
            if now - lease.first_attempt_at >= RETRY_WINDOW.as_millis() as i64 {
                return self
                    .end_notice(&task, gave_up_outcome(lease.unsure, last_error()), Some(lease))
                    .await;
            }
        }
        match order.map(|order| order.status_of(notice.order, now)) {
            Some(OrderStatus::Busy(remaining)) => {
                return Ok(NextStep::RetryAfter(remaining.min(TURN_RETRY_DELAY)));
            }
            Some(OrderStatus::Superseded) if !task.sent_in_reply() => {
                return Ok(finish::supersede(ports, task.notice_ref(), previous.as_ref())
                    .await?
                    .into());
            }
            _ => {}
        }
        if notice.valid_until <= now && previous.as_ref().is_none_or(|lease| !lease.unsure) {
            return self.end_notice(&task, DeliveryOutcome::Stale, previous.as_ref()).await;
        }
        let mut earlier_attempts =
            previous.as_ref().map_or_else(Vec::new, |lease| lease.earlier_attempts.clone());
        let required = previous.as_ref().and_then(AttemptLease::required_channel);
        let (channel, message) =
            match self.select_channel(&task, required, &mut earlier_attempts, now).await? {
                Some(selected) => selected,
                None => {
                    return self
                        .conclude_undeliverable(&task, previous.as_ref(), earlier_attempts)
                        .await;
                }
            };
        if matches!(message, OutboundMessage::AlreadySent) {
            return self
                .record_outcome(&task, DeliveryOutcome::Replied, 0, Some(channel), earlier_attempts)
                .await;
        }
        let selected = SelectedChannel { channel, message, earlier_attempts };
        if !ticket_order::is_ordered(notice) {
            return self.attempt(&task, &log_state, previous, selected, now).await;
        }
        let (turn, earlier) = match ticket_order::acquire_turn(&*ports.cache, notice, now).await? {
            Ok(acquired) => acquired,
            // The next delivery finds it superseded and ends it.
            Err(OrderStatus::Superseded) => return Ok(NextStep::RetryAfter(Duration::ZERO)),
            Err(_) => return Ok(NextStep::RetryAfter(TURN_RETRY_DELAY)),
        };
        let attempt = async {
            if finish::supersede_all(ports, &notice.account, &earlier, now).await? {
                self.attempt(&task, &log_state, previous, selected, now).await
            } else {
                Ok(NextStep::RetryAfter(TURN_RETRY_DELAY))
            }
        };
        let next = attempt.await;
        let ended = matches!(next, Ok(NextStep::Ack | NextStep::DeadLetter(_)));
        ticket_order::release_turn(&*ports.cache, notice, turn, ended).await;
        next
    }

    /// Makes one attempt, unless another worker is making one.
    async fn attempt(
        &self,
        task: &SendTask<'_>,
        log_state: &OutcomeLogState,
        previous: Option<AttemptLease>,
        SelectedChannel { channel, message, earlier_attempts }: SelectedChannel,
        now: i64,
    ) -> Result<NextStep, StoreError> {
        let Ports { ledger, cache, clock, .. } = &self.ports;
        let notice = task.notice;
        let was_unsure = previous.as_ref().is_some_and(|lease| lease.unsure);
        send::register_message(&**cache, notice, &task.person_key, &message, now).await?;
        let acquisition = attempt_lease::acquire(
            &**cache,
            &notice.key,
            previous.as_ref(),
            (channel, &earlier_attempts),
            now,
        );
        let lease = match acquisition.await? {
            AcquireResult::Acquired(lease) => lease,
            AcquireResult::Held(wait) => return Ok(NextStep::RetryAfter(wait)),
        };
        if task.policy.needs_announcement(channel) && !log_state.is_announced(channel) {
            let announcement = AttemptAnnounced {
                v: 1,
                key: notice.key.clone(),
                channel,
                at: now,
                earlier_attempts: earlier_attempts.clone(),
            };
            let subject = outcome_log::outcome_subject(&notice.account, &notice.key);
            let announced =
                outcome_log::announce_attempt(&**ledger, &subject, log_state, announcement).await;
            if !matches!(announced, Ok(true)) {
                // Nothing was sent. If another worker wrote, it continues with a lease that was
                // lost.
                let last_error = "the attempt could not be announced".to_owned();
                attempt_lease::release(&**cache, &notice.key, &lease, was_unsure, last_error)
                    .await?;
                announced?;
                return Ok(NextStep::RetryAfter(STORE_RETRY_DELAY));
            }
        }
        // The stores were so slow that lease and turn could expire during the attempt.
        if lease.held_until - clock.now_ms() < ATTEMPT_TIMEOUT.as_millis() as i64 {
            let last_error = "the stores were too slow".to_owned();
            attempt_lease::release(&**cache, &notice.key, &lease, was_unsure, last_error).await?;
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
            lease: &lease,
            channel,
            was_unsure,
            valid_until: notice.valid_until,
            has_other_channels: task.policy.usable_channels().any(|other| is_left(&other)),
        };
        let attempt_result = classify(attempt, clock.now_ms(), result);
        self.update_send_window(task, &message, &attempt_result).await;
        match attempt_result {
            AttemptResult::Ended(outcome) => {
                let accepted = match outcome {
                    DeliveryOutcome::Sent { message_id } => Some(message_id),
                    _ => None,
                };
                let next = self
                    .record_outcome(task, outcome, lease.attempts, Some(channel), earlier_attempts)
                    .await?;
                if let Some(id) = accepted {
                    send::mark_accepted(&**cache, notice, &task.person_key, channel, id).await;
                }
                Ok(next)
            }
            AttemptResult::NextChannel(refused) => {
                count_channel_refusal(notice, &refused);
                send::forget_message(&**cache, notice, &task.person_key, channel).await?;
                attempt_lease::release_for_next_channel(&**cache, &notice.key, &lease, refused)
                    .await?;
                Ok(NextStep::RetryAfter(Duration::ZERO))
            }
            AttemptResult::Retry { after, unsure, last_error } => {
                tracing::debug!(key = notice.key, last_error, "retrying a notice");
                attempt_lease::release(&**cache, &notice.key, &lease, unsure, last_error).await?;
                Ok(NextStep::RetryAfter(after))
            }
        }
    }

    /// Selects the next channel and its message. Channels that cannot be used are added to
    /// `earlier_attempts`.
    async fn select_channel(
        &self,
        task: &SendTask<'_>,
        required: Option<Channel>,
        earlier_attempts: &mut Vec<ChannelAttempt>,
        now: i64,
    ) -> Result<Option<(Channel, OutboundMessage)>, StoreError> {
        let SendTask { notice, policy, .. } = task;
        let listed = policy.channels.iter().copied();
        for channel in required.into_iter().chain(listed) {
            if earlier_attempts.iter().any(|attempt| attempt.channel == channel) {
                continue;
            }
            let message = match channel {
                Channel::PassiveReply if notice.replied => Ok(OutboundMessage::AlreadySent),
                Channel::PassiveReply => Err(skipped_attempt(channel, channels::NOT_REPLIED, None)),
                Channel::Template => render::template(notice, policy)
                    .map(OutboundMessage::Template)
                    .map_err(|error| unrenderable(channel, &error)),
                Channel::Subscription => render::subscription(notice, policy)
                    .map(OutboundMessage::Subscription)
                    .map_err(|error| unrenderable(channel, &error)),
                Channel::CustomerService => match render::text(notice, policy) {
                    Err(error) => Err(unrenderable(channel, &error)),
                    Ok(text) => {
                        let cache = &*self.ports.cache;
                        let account = &notice.account;
                        match send_window::find_open(cache, account, &task.person_key, now).await? {
                            Some(open) => Ok(OutboundMessage::Text(text, open)),
                            None => Err(skipped_attempt(channel, channels::NO_ALLOWANCE, None)),
                        }
                    }
                },
            };
            match message {
                Ok(message) => return Ok(Some((channel, message))),
                Err(skipped) => {
                    count_channel_refusal(notice, &skipped);
                    earlier_attempts.push(skipped);
                }
            }
        }
        Ok(None)
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
            }) => send_window::close_all(cache, account, &task.person_key).await,
            _ => Ok(()),
        };
        if let Err(error) = updated {
            tracing::debug!(%error, "cannot update a send window");
        }
    }

    async fn conclude_undeliverable(
        &self,
        task: &SendTask<'_>,
        lease: Option<&AttemptLease>,
        earlier_attempts: Vec<ChannelAttempt>,
    ) -> Result<NextStep, StoreError> {
        let SendTask { notice, .. } = task;
        let attempts = lease.map_or(0, |lease| lease.attempts);
        let kind = render::kind(notice);
        let (outcome, dead_letter_reason) = match lease.filter(|lease| lease.unsure) {
            // The channel of the unanswered attempt is no longer configured.
            Some(lease) => {
                (DeliveryOutcome::Unknown { last_error: lease.last_error.clone() }, None)
            }
            None => channels::undelivered_outcome(kind, &notice.account, &earlier_attempts),
        };
        let next = self.record_outcome(task, outcome, attempts, None, earlier_attempts).await?;
        Ok(match (next, dead_letter_reason) {
            (NextStep::Ack, Some(reason)) => {
                tracing::error!(key = notice.key, reason, "no channel can send a notice");
                NextStep::DeadLetter(reason)
            }
            (next, _) => next,
        })
    }

    /// Ends a notice without another attempt.
    async fn end_notice(
        &self,
        task: &SendTask<'_>,
        outcome: DeliveryOutcome,
        lease: Option<&AttemptLease>,
    ) -> Result<NextStep, StoreError> {
        Ok(finish::end_notice(&self.ports, task.notice_ref(), outcome, lease).await?.into())
    }

    async fn record_outcome(
        &self,
        task: &SendTask<'_>,
        outcome: DeliveryOutcome,
        attempts: u32,
        channel: Option<Channel>,
        earlier_attempts: Vec<ChannelAttempt>,
    ) -> Result<NextStep, StoreError> {
        let recording = finish::record_outcome(
            &self.ports,
            task.notice_ref(),
            outcome,
            attempts,
            channel,
            earlier_attempts,
        );
        Ok(recording.await?.into())
    }
}

/// Counts and logs a channel that did not accept a notice. A configuration mistake is an error.
fn count_channel_refusal(notice: &Notice, attempt: &ChannelAttempt) {
    let channel = attempt.channel.name();
    let reason = attempt.reason.clone();
    match &attempt.detail {
        Some(detail) => {
            tracing::error!(key = notice.key, channel, detail, "a channel cannot send a notice");
        }
        None => {
            tracing::debug!(key = notice.key, channel, reason, "a channel did not accept a notice")
        }
    }
    metrics::counter!(
        "paihao_notifier_channel_refusals_total",
        "account" => notice.account.to_string(), "channel" => channel, "reason" => reason
    )
    .increment(1);
}

fn unrenderable(channel: Channel, error: &Unrenderable) -> ChannelAttempt {
    let reason = match error {
        Unrenderable::Unbound(..) => channels::NOT_BOUND,
        Unrenderable::InvalidText(..) => channels::DOES_NOT_FIT,
    };
    skipped_attempt(channel, reason, Some(error.to_string()))
}
