//! Delivery worker: consumes the notice queue and brings each notice to its one outcome.

use crate::delivery::account_places::AccountPlaces;
use crate::delivery::channels::{self, skipped_attempt};
use crate::delivery::classify::{RETRY_WINDOW, gave_up_outcome};
use crate::delivery::finish::{self, NoticeEnd, NoticeRef};
use crate::delivery::planned_order::{self, PlannedOrder};
use crate::delivery::send::OutboundMessage;
use crate::delivery::send_window;
use crate::delivery::takeover::{self, FORMER_LEASE_DURATION, FormerRecords};
use crate::delivery::ticket_log::{TicketLog, Written};
use crate::delivery::ticket_state::{self, CLAIM_DURATION, QUESTION_DURATION};
use crate::person_tags::{PersonTagsReader, TagsOfPerson};
use crate::ports::{Ports, StoreError};
use crate::settings::Settings;
use crate::stored_time::time_left;
use crate::templates::TemplatesReceiver;
use paihao_chassis::trace;
use paihao_contracts::envelope::NewerForm;
use paihao_contracts::notice::{Channel, ChannelAttempt, DeliveryOutcome, Notice};
use paihao_contracts::outcome::OutcomeRecord;
use paihao_contracts::streams::NOTICES;
use paihao_contracts::ticket_record::{Claim, OpenNotice};
use paihao_ledger::worker::Source;
use paihao_ledger::{Delivery, Disposition, Entry, Handler, Worker};
use paihao_notice_text::NoticePolicy;
use paihao_notice_text::render::{self, Unrenderable};
use std::time::Duration;

/// Delay after the ledger or the cache did not answer.
const STORE_RETRY_DELAY: Duration = Duration::from_secs(2);

/// Delay while all places of the account are in use, and enough notices wait for one.
const PLACE_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Delay while another notice of the same ticket is being sent, or after another worker was first.
pub(super) const TURN_RETRY_DELAY: Duration = Duration::from_millis(200);

/// Accounts that there is room for in any case: they can be added while the process runs.
const MIN_ACCOUNTS: usize = 8;

/// Most notices in progress at once, over all accounts.
const MAX_IN_FLIGHT: usize = 4096;

/// Creates the worker of the notice queue.
pub(crate) fn worker(
    settings: Settings,
    templates: TemplatesReceiver,
    person_tags: PersonTagsReader,
    ports: Ports,
) -> Worker<impl Handler> {
    let accounts = settings.accounts.len().max(MIN_ACCOUNTS);
    let in_flight = settings.in_flight.saturating_mul(accounts).min(MAX_IN_FLIGHT);
    let ledger = ports.ledger.clone();
    let handler = handler(&settings, templates, person_tags, ports);
    Worker::new(ledger, Source::Queue(NOTICES), in_flight, handler)
}

/// Creates the handler of the notice queue.
pub(crate) fn handler(
    settings: &Settings,
    templates: TemplatesReceiver,
    person_tags: PersonTagsReader,
    ports: Ports,
) -> impl Handler<Message = Notice> + use<> {
    DeliveryWorker {
        public_url: settings.public_url.clone(),
        templates,
        person_tags,
        ports,
        places: AccountPlaces::new(settings.in_flight),
    }
}

pub(super) struct DeliveryWorker {
    /// Base URL of links in messages.
    public_url: Option<String>,
    templates: TemplatesReceiver,
    person_tags: PersonTagsReader,
    pub(super) ports: Ports,
    places: AccountPlaces,
}

/// Notice with what its delivery needs.
pub(super) struct SendTask<'a> {
    pub(super) notice: &'a Notice,
    /// Message of the work queue, for a dead letter.
    entry: &'a Entry,
    pub(super) policy: NoticePolicy,
    /// Tags of the person in cache keys.
    pub(super) person_tags: TagsOfPerson,
}

/// Channel and message of an attempt.
pub(super) struct SelectedChannel {
    pub(super) channel: Channel,
    pub(super) message: OutboundMessage,
    /// Channels tried or skipped before it.
    pub(super) earlier_attempts: Vec<ChannelAttempt>,
}

/// Next step for a delivery.
pub(super) enum NextStep {
    /// The notice has ended. Its outcome is recorded, and its dead letter stands if it needs one.
    Ack,
    /// The notice is retried after this delay.
    RetryAfter(Duration),
    /// The ledger has no room for what is to be recorded, for this reason.
    DeadLetter(String),
}

impl SendTask<'_> {
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

    async fn handle(&self, notice: Notice, delivery: &Delivery) -> Result<Disposition, NewerForm> {
        trace::note_site(notice.site());
        let notice = self.with_absolute_link(notice);
        let Some(_place) = self.places.take(&notice.account).await else {
            return Ok(Disposition::RetryAfter(PLACE_RETRY_DELAY));
        };
        match self.advance(&notice, &delivery.message.entry).await {
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
    async fn advance(&self, notice: &Notice, entry: &Entry) -> Result<NextStep, StoreError> {
        let ports = &self.ports;
        let policy = self.templates.now().policy(notice)?;
        let Some(person_tags) = self.person_tags.of(notice).await else {
            let unknown = "the deployment's secret has not been read";
            return Err(StoreError::Unavailable(unknown.to_owned()));
        };
        let task = SendTask { notice, entry, policy, person_tags };
        // The hint is read first: the log read later can only be newer.
        let planned = if planned_order::is_ordered(notice) {
            planned_order::load(&*ports.cache, notice).await?
        } else {
            PlannedOrder::of_unordered()
        };
        let mut log = TicketLog::load(ports.ledger.clone(), notice).await?;
        if let Some(ended) = log.end_of(notice).await? {
            return self.conclude(&task, ended.dead_letter).await;
        }
        let now = ports.clock.now_ms();
        let mut open = ticket_state::open(log.state(), notice.name()).cloned();
        let mut former_until = planned.former_turn_until;
        if open.is_none() {
            match takeover::load(ports, notice, planned.former).await? {
                FormerRecords::Absent => {}
                FormerRecords::Ended(dead_letter) => {
                    return self.conclude(&task, dead_letter).await;
                }
                FormerRecords::Attempts(attempts, held_until) => {
                    former_until = former_until.max(held_until);
                    // An end that no clock comes to is that of an attempt which may be under way.
                    let unsure = attempts.unsure || held_until > now;
                    open = Some(OpenNotice { unsure, ..attempts });
                }
            }
        }
        if let Some(left) = time_left(former_until, now, FORMER_LEASE_DURATION) {
            return Ok(NextStep::RetryAfter(left));
        }
        let is_superseded = notice.order < log.state().newest.max(planned.newest)
            && planned_order::is_ordered(notice)
            && !task.sent_in_reply();
        if let Some((claimed, claim)) = ticket_state::claimed(log.state())
            && (claimed.name == notice.name() || !is_superseded)
        {
            let is_own = claimed.name == notice.name();
            let is_repeated = is_own && !is_superseded && is_idempotent(claimed);
            let (claimed, claim) = (claimed.clone(), claim.clone());
            if let Some(left) = time_left(claim.until, now, CLAIM_DURATION) {
                let wait = if is_own { left } else { left.min(TURN_RETRY_DELAY) };
                return Ok(NextStep::RetryAfter(wait));
            }
            // Without another attempt the notice ends in doubt. A worker that lives and has not
            // used its claim withdraws it before.
            if !is_repeated && !claim.questioned {
                return question(notice, &mut log, &claimed, &claim, now).await;
            }
        }
        let unsure = open.as_ref().is_some_and(ticket_state::may_be_sent);
        if let Some(open) = &open {
            let last_error = open.last_error.clone();
            if unsure && !is_idempotent(open) {
                return self
                    .end(&task, &mut log, DeliveryOutcome::Unknown { last_error }, open)
                    .await;
            }
            if now.saturating_sub(open.first_attempt_at) >= RETRY_WINDOW.as_millis() as i64 {
                let outcome = gave_up_outcome(unsure, last_error);
                return self.end(&task, &mut log, outcome, open).await;
            }
        }
        if is_superseded {
            return self.record_end(&task, &mut log, NoticeEnd::superseded(open.as_ref())).await;
        }
        if notice.valid_until <= now && !unsure {
            let end = NoticeEnd::without_attempt(DeliveryOutcome::Stale, open.as_ref());
            return self.record_end(&task, &mut log, end).await;
        }
        let mut earlier_attempts =
            open.as_ref().map_or_else(Vec::new, |open| open.earlier_attempts.clone());
        let required = open.as_ref().and_then(|open| open.channel);
        let selected = self.select_channel(&task, required, &mut earlier_attempts, now).await?;
        let Some((channel, message)) = selected else {
            let end = undeliverable(&task, open.as_ref(), earlier_attempts);
            return self.record_end(&task, &mut log, end).await;
        };
        if matches!(message, OutboundMessage::AlreadySent) {
            let end = NoticeEnd {
                outcome: DeliveryOutcome::Replied,
                attempts: 0,
                channel: Some(channel),
                earlier_attempts,
                dead_letter: None,
            };
            return self.record_end(&task, &mut log, end).await;
        }
        if !self.supersede_earlier(notice, &mut log).await? {
            return Ok(NextStep::RetryAfter(TURN_RETRY_DELAY));
        }
        let selected = SelectedChannel { channel, message, earlier_attempts };
        self.attempt(&task, &mut log, open, selected, now).await
    }

    /// Ends the earlier notices of the ticket that were attempted. Returns `false` if another
    /// worker has written meanwhile.
    async fn supersede_earlier(
        &self,
        notice: &Notice,
        log: &mut TicketLog,
    ) -> Result<bool, StoreError> {
        for earlier in log.state().open.clone() {
            let OpenNotice { name, order, at, .. } = &earlier;
            if *order >= notice.order {
                continue;
            }
            let key = format!("{}/{name}", notice.ticket_prefix());
            let earlier_ref = NoticeRef { key: &key, name, order: *order, at: *at };
            let end = NoticeEnd::superseded(Some(&earlier));
            if finish::record_end(&self.ports, log, earlier_ref, &end).await? != Written::Yes {
                return Ok(false);
            }
        }
        Ok(true)
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
                        let tags = task.person_tags.all();
                        match send_window::find_open(cache, account, tags, now).await? {
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

    /// Ends a notice without another attempt.
    async fn end(
        &self,
        task: &SendTask<'_>,
        log: &mut TicketLog,
        outcome: DeliveryOutcome,
        open: &OpenNotice,
    ) -> Result<NextStep, StoreError> {
        self.record_end(task, log, NoticeEnd::without_attempt(outcome, Some(open))).await
    }

    async fn record_end(
        &self,
        task: &SendTask<'_>,
        log: &mut TicketLog,
        end: NoticeEnd,
    ) -> Result<NextStep, StoreError> {
        match finish::record_end(&self.ports, log, task.notice.into(), &end).await? {
            Written::Yes => self.conclude(task, end.dead_letter).await,
            Written::Outrun => Ok(NextStep::RetryAfter(TURN_RETRY_DELAY)),
            Written::TooLarge(reason) => Ok(NextStep::DeadLetter(reason)),
        }
    }

    /// Lets go of a notice that has ended, once its dead letter stands if it needs one.
    pub(super) async fn conclude(
        &self,
        task: &SendTask<'_>,
        dead_letter: Option<String>,
    ) -> Result<NextStep, StoreError> {
        let Some(reason) = dead_letter else { return Ok(NextStep::Ack) };
        let ledger = &*self.ports.ledger;
        let is_buried = finish::bury(ledger, task.notice, task.entry, &reason).await?;
        Ok(if is_buried { NextStep::Ack } else { NextStep::DeadLetter(reason) })
    }
}

/// Questions the expired claim of a worker that is dead or does not reach the log.
async fn question(
    notice: &Notice,
    log: &mut TicketLog,
    claimed: &OpenNotice,
    claim: &Claim,
    now: i64,
) -> Result<NextStep, StoreError> {
    let questioned = ticket_state::questioned(claimed, now);
    let key = format!("{}/{}", notice.ticket_prefix(), claimed.name);
    let channel = claimed.channel.unwrap_or(Channel::Template);
    let at = claim.until.min(now).saturating_sub(CLAIM_DURATION.as_millis() as i64);
    let earlier_attempts = claimed.earlier_attempts.clone();
    let record = ticket_state::announcement(key, channel, at, earlier_attempts);
    let state = ticket_state::replace_open(log.state(), &claimed.name, Some(questioned));
    Ok(match log.append(OutcomeRecord::Attempt(record), state).await? {
        Written::Yes => NextStep::RetryAfter(QUESTION_DURATION),
        Written::Outrun => NextStep::RetryAfter(TURN_RETRY_DELAY),
        Written::TooLarge(reason) => NextStep::DeadLetter(reason),
    })
}

/// Returns true if WeChat drops a second message of the notice through the channel of its attempt.
fn is_idempotent(open: &OpenNotice) -> bool {
    open.channel.is_none_or(Channel::is_idempotent)
}

/// Returns the end of a notice that no channel is left for.
fn undeliverable(
    task: &SendTask<'_>,
    open: Option<&OpenNotice>,
    earlier_attempts: Vec<ChannelAttempt>,
) -> NoticeEnd {
    let notice = task.notice;
    let (outcome, dead_letter) = match open.filter(|open| ticket_state::may_be_sent(open)) {
        // The channel of the unanswered attempt is no longer configured.
        Some(open) => (DeliveryOutcome::Unknown { last_error: open.last_error.clone() }, None),
        None => {
            let kind = render::kind(notice);
            channels::undelivered_outcome(kind, &notice.account, &earlier_attempts)
        }
    };
    let attempts = open.map_or(0, |open| open.attempts);
    NoticeEnd { outcome, attempts, channel: None, earlier_attempts, dead_letter }
}

/// Counts and logs a channel that did not accept a notice. A configuration mistake is an error.
pub(super) fn count_channel_refusal(notice: &Notice, attempt: &ChannelAttempt) {
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
