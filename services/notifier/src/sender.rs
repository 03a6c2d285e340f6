//! Takes notices from the work queue and brings each to its one outcome.

use crate::allowance;
use crate::channels::{self, NoticePolicy, skipped};
use crate::claim::{self, ATTEMPT_LIMIT, Asked, Claim};
use crate::ending::{self, Away, Recorded, Which};
use crate::record::{self, Known};
use crate::render::{self, Unrenderable};
use crate::say::{self, Message};
use crate::says::Says;
use crate::share::Shares;
use crate::thread::{self, Standing};
use crate::verdict::{Attempt, NO_WINDOW, Verdict, WINDOW, WINDOW_USED_UP, given_up, judge};
use crate::{Ports, Settings};
use paihao_contracts::notice::{Channel, ChannelAttempt, DeliveryOutcome, Notice};
use paihao_contracts::outcome::AttemptAnnounced;
use paihao_contracts::streams::NOTICES;
use paihao_ledger::worker::Source;
use paihao_ledger::{Delivery, Handler, Worker};
use paihao_wechat::{AccountClientError, CallError};
use std::time::Duration;

/// When to look again after the ledger or the cache did not answer.
const STORE_AWAY: Duration = Duration::from_secs(2);

/// When to look again at a notice of an account all of whose places are taken.
const NO_PLACE: Duration = Duration::from_secs(1);

/// When to look again at a notice while another one about the same ticket is being said.
const NOT_ITS_TURN: Duration = Duration::from_millis(200);

/// Notices in hand at once, of however many accounts.
const MOST: usize = 4096;

/// Member of the notices' queue.
pub(crate) fn worker(settings: Settings, says: Says, ports: Ports) -> Worker<impl Handler> {
    let in_flight = settings.in_flight.saturating_mul(settings.accounts.len().max(1)).min(MOST);
    let (shares, ledger) = (Shares::new(settings.in_flight), ports.ledger.clone());
    let sender = Sender { shares, public: settings.public, says, ports };
    Worker::new(ledger, Source::Queue(NOTICES), in_flight, sender)
}

struct Sender {
    /// Where pages are, for links.
    public: Option<String>,
    says: Says,
    ports: Ports,
    shares: Shares,
}

/// A notice, and what goes with it.
struct Task<'a> {
    notice: &'a Notice,
    manner: NoticePolicy,
    /// Stands for the person in keys.
    person: String,
}

/// How it is to be said.
struct Chosen {
    channel: Channel,
    message: Message,
    /// The channels before that one.
    tried: Vec<ChannelAttempt>,
}

/// What to do with a delivery.
enum Next {
    /// The notice has ended and that is recorded.
    Done,
    /// Not now.
    Again(Duration),
    /// Ended and recorded, and a copy is to be kept where somebody looks.
    Bury(String),
}

impl From<Recorded> for Next {
    fn from(recorded: Recorded) -> Next {
        match recorded {
            Recorded::Yes => Next::Done,
            Recorded::Never(reason) => Next::Bury(reason),
        }
    }
}

impl Task<'_> {
    fn which(&self) -> Which<'_> {
        let Notice { account, key, at, .. } = self.notice;
        Which { account, key, at: *at }
    }

    /// Whether it has been said, so that nothing can come before it any more.
    fn has_been_said(&self) -> bool {
        self.notice.replied && self.manner.usable_channels().next() == Some(Channel::PassiveReply)
    }
}

impl From<Next> for paihao_ledger::Disposition {
    fn from(next: Next) -> paihao_ledger::Disposition {
        match next {
            Next::Done => paihao_ledger::Disposition::Ack,
            Next::Again(after) => paihao_ledger::Disposition::RetryAfter(after),
            Next::Bury(reason) => paihao_ledger::Disposition::DeadLetter(reason),
        }
    }
}

impl Handler for Sender {
    async fn handle(&self, delivery: &Delivery) -> paihao_ledger::Disposition {
        let notice = match serde_json::from_slice(&delivery.message.entry.payload) {
            Ok(notice) => self.linked(notice),
            Err(error) => {
                tracing::error!(%error, "a notice cannot be read");
                return Next::Bury(format!("not a notice of a known form: {error}")).into();
            }
        };
        let next = match self.shares.take(&notice.account) {
            None => Next::Again(NO_PLACE),
            Some(_place) => self.bring_on(&notice).await.unwrap_or_else(|Away(error)| {
                tracing::warn!(key = notice.key, error, "a notice waits for its stores");
                Next::Again(STORE_AWAY)
            }),
        };
        next.into()
    }
}

impl Sender {
    /// The notice with the whole address of its ticket's page, if people know where this system is.
    fn linked(&self, notice: Notice) -> Notice {
        let whole = |path| Some(format!("{}{path}", self.public.as_deref()?).into());
        let link = notice.link.as_deref().and_then(whole);
        Notice { link, ..notice }
    }

    /// Takes a notice as far as it can go now: one attempt at most.
    async fn bring_on(&self, notice: &Notice) -> Result<Next, Away> {
        let ports = &self.ports;
        let task =
            Task { notice, manner: self.says.now().manner(notice), person: say::person(notice) };
        // The thread first: what it says of attempts can only become more by the time they are read.
        let thread = match thread::ordered(notice) {
            true => Some(thread::look(&*ports.cache, notice).await?),
            false => None,
        };
        let Some((written, known)) = ending::so_far(ports, task.which()).await? else {
            return Ok(Next::Done);
        };
        let now = ports.clock.now_ms();
        if let Some(claim) = &known {
            if claim.held_until > now {
                return Ok(Next::Again(Duration::from_millis((claim.held_until - now) as u64)));
            }
            let last = || claim.last.clone();
            let pinned = claim.pinned().filter(|_| claim.unsure);
            if pinned.is_some_and(|channel| !channel.is_idempotent()) {
                return self
                    .end(&task, DeliveryOutcome::Unknown { last: last() }, Some(claim))
                    .await;
            }
            if now - claim.first >= WINDOW.as_millis() as i64 {
                return self.end(&task, given_up(claim.unsure, last()), Some(claim)).await;
            }
        }
        match thread.map(|thread| thread.standing(notice.order, now)) {
            Some(Standing::Taken(rest)) => return Ok(Next::Again(rest.min(NOT_ITS_TURN))),
            Some(Standing::Superseded) if !task.has_been_said() => {
                return Ok(ending::supersede(ports, task.which(), known.as_ref()).await?.into());
            }
            _ => {}
        }
        if notice.valid_until <= now && known.as_ref().is_none_or(|claim| !claim.unsure) {
            return self.end(&task, DeliveryOutcome::Stale, known.as_ref()).await;
        }
        let mut tried = known.as_ref().map_or_else(Vec::new, |claim| claim.tried.clone());
        let pinned = known.as_ref().and_then(Claim::pinned);
        let (channel, message) = match self.choose(&task, pinned, &mut tried, now).await? {
            Some(chosen) => chosen,
            None => return self.refused_by_all(&task, known.as_ref(), tried).await,
        };
        if matches!(message, Message::Nothing) {
            return self.conclude(&task, DeliveryOutcome::Replied, 0, Some(channel), tried).await;
        }
        let chosen = Chosen { channel, message, tried };
        if !thread::ordered(notice) {
            return self.attempt(&task, &written, known, chosen, now).await;
        }
        let (turn, earlier) = match thread::take(&*ports.cache, notice, now).await? {
            Ok(taken) => taken,
            // Looked at once more, it is clear how it ends.
            Err(Standing::Superseded) => return Ok(Next::Again(Duration::ZERO)),
            Err(_) => return Ok(Next::Again(NOT_ITS_TURN)),
        };
        let led_to = async {
            match ending::supersede_all(ports, &notice.account, &earlier, now).await? {
                true => self.attempt(&task, &written, known, chosen, now).await,
                false => Ok(Next::Again(NOT_ITS_TURN)),
            }
        };
        let led_to = led_to.await;
        let ended = matches!(led_to, Ok(Next::Done | Next::Bury(_)));
        thread::leave(&*ports.cache, notice, turn, ended).await;
        led_to
    }

    /// Makes one attempt, if nobody else makes it.
    async fn attempt(
        &self,
        task: &Task<'_>,
        written: &Known,
        known: Option<Claim>,
        Chosen { channel, message, tried }: Chosen,
        now: i64,
    ) -> Result<Next, Away> {
        let Ports { ledger, cache, clock, .. } = &self.ports;
        let notice = task.notice;
        let was_unsure = known.as_ref().is_some_and(|claim| claim.unsure);
        say::begin(&**cache, notice, &task.person, &message, now).await?;
        let asked = claim::ask(&**cache, &notice.key, known.as_ref(), (channel, &tried), now);
        let claim = match asked.await? {
            Asked::Granted(claim) => claim,
            Asked::Held(wait) => return Ok(Next::Again(wait)),
        };
        let announced = matches!(written, Known::Trying(_, trying) if trying.trying == channel);
        if task.manner.needs_announcement(channel) && !announced {
            let (v, key, trying, tried) = (1, notice.key.clone(), channel, tried.clone());
            let trying = AttemptAnnounced { v, key, trying, at: now, tried };
            let subject = record::subject(&notice.account, &notice.key);
            let announced = record::announce(&**ledger, &subject, written, trying).await;
            if !matches!(announced, Ok(true)) {
                // Nothing was sent. If somebody else wrote, they go on with a claim that was lost.
                let met = "the attempt could not be announced".to_owned();
                claim::give_back(&**cache, &notice.key, &claim, was_unsure, met).await?;
                announced?;
                return Ok(Next::Again(STORE_AWAY));
            }
        }
        // The stores took so long that claim and turn could run out under the attempt.
        if claim.held_until - clock.now_ms() < ATTEMPT_LIMIT.as_millis() as i64 {
            let met = "the stores were too slow".to_owned();
            claim::give_back(&**cache, &notice.key, &claim, was_unsure, met).await?;
            return Ok(Next::Again(Duration::ZERO));
        }
        let wechat = self.ports.wechat.with_priority(channels::worth(notice));
        let saying = say::say(&wechat, notice, &message);
        let result = tokio::time::timeout(ATTEMPT_LIMIT, saying)
            .await
            .unwrap_or(Err(AccountClientError::Call(CallError::TimedOut)));
        let left =
            |other: &Channel| *other != channel && !tried.iter().any(|t| t.channel == *other);
        let attempt = Attempt {
            claim: &claim,
            channel,
            was_unsure,
            valid_until: notice.valid_until,
            others: task.manner.usable_channels().any(|other| left(&other)),
        };
        let verdict = judge(attempt, clock.now_ms(), result);
        self.allowance(task, &message, &verdict).await;
        match verdict {
            Verdict::Ended(fate) => {
                let accepted = match fate {
                    DeliveryOutcome::Sent { message_id } => Some(message_id),
                    _ => None,
                };
                let next = self.conclude(task, fate, claim.attempts, Some(channel), tried).await?;
                if let Some(id) = accepted {
                    say::accepted(&**cache, notice, &task.person, channel, id).await;
                }
                Ok(next)
            }
            Verdict::Next(refused) => {
                told(notice, &refused);
                say::not_taken(&**cache, notice, &task.person, channel).await?;
                claim::move_on(&**cache, &notice.key, &claim, refused).await?;
                Ok(Next::Again(Duration::ZERO))
            }
            Verdict::Again { after, unsure, met } => {
                tracing::debug!(key = notice.key, met, "a notice is tried again");
                claim::give_back(&**cache, &notice.key, &claim, unsure, met).await?;
                Ok(Next::Again(after))
            }
        }
    }

    /// The next channel and what to say through it; those that cannot be used are added to `tried`.
    async fn choose(
        &self,
        task: &Task<'_>,
        pinned: Option<Channel>,
        tried: &mut Vec<ChannelAttempt>,
        now: i64,
    ) -> Result<Option<(Channel, Message)>, Away> {
        let Task { notice, manner, .. } = task;
        let listed = manner.channels.iter().copied();
        for channel in pinned.into_iter().chain(listed) {
            if tried.iter().any(|tried| tried.channel == channel) {
                continue;
            }
            let message = match channel {
                Channel::PassiveReply if notice.replied => Ok(Message::Nothing),
                Channel::PassiveReply => Err(skipped(channel, channels::NOT_REPLIED, None)),
                Channel::Template => render::template(notice, manner)
                    .map(Message::Template)
                    .map_err(|why| unspeakable(channel, &why)),
                Channel::Subscription => render::subscription(notice, manner)
                    .map(Message::Subscription)
                    .map_err(|why| unspeakable(channel, &why)),
                Channel::CustomerService => match render::text(notice, manner) {
                    Err(why) => Err(unspeakable(channel, &why)),
                    Ok(text) => {
                        let (cache, account) = (&*self.ports.cache, &notice.account);
                        match allowance::open(cache, account, &task.person, now).await? {
                            Some(open) => Ok(Message::Text(text, open)),
                            None => Err(skipped(channel, channels::NO_ALLOWANCE, None)),
                        }
                    }
                },
            };
            match message {
                Ok(message) => return Ok(Some((channel, message))),
                Err(skipped) => {
                    told(notice, &skipped);
                    tried.push(skipped);
                }
            }
        }
        Ok(None)
    }

    /// What the attempt tells of the windows for free texts. A guess that is wrong costs one call.
    async fn allowance(&self, task: &Task<'_>, message: &Message, verdict: &Verdict) {
        let Message::Text(_, open) = message else { return };
        let (cache, account) = (&*self.ports.cache, &task.notice.account);
        let kept = match verdict {
            Verdict::Ended(_) => allowance::spend(cache, open, self.ports.clock.now_ms()).await,
            Verdict::Next(ChannelAttempt { code: Some(NO_WINDOW | WINDOW_USED_UP), .. }) => {
                allowance::shut(cache, account, &task.person).await
            }
            _ => Ok(()),
        };
        if let Err(error) = kept {
            tracing::debug!(%error, "what a text used up could not be noted");
        }
    }

    async fn refused_by_all(
        &self,
        task: &Task<'_>,
        claim: Option<&Claim>,
        tried: Vec<ChannelAttempt>,
    ) -> Result<Next, Away> {
        let Task { notice, .. } = task;
        let attempts = claim.map_or(0, |claim| claim.attempts);
        let kind = render::kind(notice);
        let (fate, buried) = match claim.filter(|claim| claim.unsure) {
            // What was set up when the attempt was made that got no answer is no longer there.
            Some(claim) => (DeliveryOutcome::Unknown { last: claim.last.clone() }, None),
            None => channels::refused_by_all(kind, &notice.account, &tried),
        };
        let next = self.conclude(task, fate, attempts, None, tried).await?;
        Ok(match (next, buried) {
            (Next::Done, Some(reason)) => {
                tracing::error!(key = notice.key, reason, "a notice cannot be said");
                Next::Bury(reason)
            }
            (next, _) => next,
        })
    }

    /// Ends a notice without another attempt.
    async fn end(
        &self,
        task: &Task<'_>,
        fate: DeliveryOutcome,
        claim: Option<&Claim>,
    ) -> Result<Next, Away> {
        Ok(ending::end(&self.ports, task.which(), fate, claim).await?.into())
    }

    async fn conclude(
        &self,
        task: &Task<'_>,
        fate: DeliveryOutcome,
        attempts: u32,
        via: Option<Channel>,
        tried: Vec<ChannelAttempt>,
    ) -> Result<Next, Away> {
        let recorded = ending::conclude(&self.ports, task.which(), fate, attempts, via, tried);
        Ok(recorded.await?.into())
    }
}

/// Counts a channel that did not take a notice, and says so loudly if it is our mistake.
fn told(notice: &Notice, tried: &ChannelAttempt) {
    let (channel, reason) = (tried.channel.name(), tried.reason.clone());
    match &tried.said {
        Some(said) => {
            tracing::error!(key = notice.key, channel, said, "a channel cannot take a notice");
        }
        None => {
            tracing::debug!(key = notice.key, channel, reason, "a channel did not take a notice")
        }
    }
    metrics::counter!(
        "paihao_notifier_channel_refusals_total",
        "account" => notice.account.to_string(), "channel" => channel, "reason" => reason
    )
    .increment(1);
}

fn unspeakable(channel: Channel, why: &Unrenderable) -> ChannelAttempt {
    let reason = match why {
        Unrenderable::Unbound(..) => channels::NOT_BOUND,
        Unrenderable::InvalidText(..) => channels::DOES_NOT_FIT,
    };
    skipped(channel, reason, Some(why.to_string()))
}
