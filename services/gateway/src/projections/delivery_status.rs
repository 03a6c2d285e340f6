//! What became of the messages about each ticket: what the ledger says was to be told, beside what
//! the log of outcomes says of it. In memory, for today and the day before.

use futures::StreamExt;
use paihao_chassis::Tasks;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::Clock;
use paihao_contracts::dead_letter::{parse_redrive_key, redrive_key};
use paihao_contracts::notice::{Channel, ChannelAttempt, DeliveryOutcome as Ended};
use paihao_contracts::outcome::{NoticeState, NoticeStatus, OutcomeRecord};
use paihao_contracts::streams::OUTCOMES;
use paihao_domain::{Decision, Event, NotificationKind, NotificationTrigger, TicketId};
use paihao_ledger::{Ledger, LogItem, Position, Subject};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Days that are kept beside the newest one. Two, since that may be the next day's in the east
/// while a site in the west looks at its own yesterday.
const RETAINED_DAYS: i32 = 2;

/// Outcomes older than this are of no day that is kept.
const MAX_OUTCOME_AGE: Duration = Duration::from_secs((RETAINED_DAYS as u64 + 2) * 24 * 3600);

/// One message to the holder of a ticket, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryStatus {
    /// What it says, by the milestone's word: `called`, `near`.
    pub notice: String,
    /// The how-manieth of its kind for the ticket, from 1.
    pub occurrence: u32,
    /// When it became true, in Unix milliseconds; `None` while only its outcome is known.
    pub at: Option<i64>,
    /// How far it has come.
    pub stage: DeliveryStage,
    /// When that was known, in Unix milliseconds.
    pub since: Option<i64>,
    /// The channel that took it, may have taken it, or is being tried.
    pub channel: Option<Channel>,
    /// Why not, by a name that a machine can read: WeChat's code (docs/reference/wechat-codes.md) or ours.
    pub reason: Option<String>,
    /// The channels that did not take it.
    pub attempted: Vec<ChannelAttempt>,
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of docs/reference/api.md, where each is explained")]
pub enum DeliveryStage {
    Waiting,
    Sending,
    Sent,
    Delivered,
    NotDelivered,
    Failed,
    Stale,
    Superseded,
    Unknown,
}

impl DeliveryStage {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            DeliveryStage::Waiting => "waiting",
            DeliveryStage::Sending => "sending",
            DeliveryStage::Sent => "sent",
            DeliveryStage::Delivered => "delivered",
            DeliveryStage::NotDelivered => "not_delivered",
            DeliveryStage::Failed => "failed",
            DeliveryStage::Stale => "stale",
            DeliveryStage::Superseded => "superseded",
            DeliveryStage::Unknown => "unknown",
        }
    }
}

/// A ticket of a business day, of a site.
type TicketOfDay = (i32, TicketId);

/// The messages of a ticket, by what stands last in their keys: `called#1`.
type TicketNotices = BTreeMap<String, NoticeRecord>;

#[derive(Default)]
struct NoticeRecord {
    plan: Option<NoticePlan>,
    outcome: NoticeState,
}

#[derive(Clone, Copy)]
struct NoticePlan {
    order: u32,
    at: i64,
    /// The answer to the scan said it: nothing is sent.
    sent_as_reply: bool,
}

/// The fate of every message of the days that are kept. Cheap to clone.
#[derive(Clone, Default)]
pub struct DeliveryStatusProjection(Arc<Mutex<ProjectionState>>);

#[derive(Default)]
struct ProjectionState {
    newest_day: i32,
    sites: BTreeMap<String, SiteStatuses>,
}

#[derive(Default)]
struct SiteStatuses {
    tickets: BTreeMap<TicketOfDay, TicketNotices>,
    changed: watch::Sender<()>,
}

impl DeliveryStatusProjection {
    /// Begins to follow the log of outcomes; goes on until the tasks are told to stop. What was to
    /// be told comes through [`DeliveryStatusProjection::observe`].
    pub fn start(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> DeliveryStatusProjection {
        let fates = DeliveryStatusProjection::default();
        let (reader, stop) = (fates.clone(), tasks.stop().clone());
        tasks.spawn("fates", async move { reader.run(&*ledger, &*clock, &stop).await });
        fates
    }

    /// The messages about a ticket of a business day, in the order in which they were decided.
    pub fn for_ticket(&self, site: &str, day: i32, ticket: TicketId) -> Vec<DeliveryStatus> {
        let shelves = self.0.lock();
        let messages = shelves.sites.get(site).and_then(|shelf| shelf.tickets.get(&(day, ticket)));
        let Some(messages) = messages else { return Vec::new() };
        // What was tried again was planned once.
        let planned = |name: &str| messages.get(parse_redrive_key(name).0)?.plan;
        let mut fates: Vec<_> =
            messages.iter().map(|(name, message)| (planned(name), name, message)).collect();
        fates.sort_by_key(|(planned, name, _)| (planned.map_or(u32::MAX, |p| p.order), *name));
        fates
            .into_iter()
            .map(|(planned, name, message)| delivery_status(name, planned, message))
            .collect()
    }

    /// The place in its ticket's order of the newest notice that is known; 0 if none is.
    pub(crate) fn latest_order(&self, site: &str, day: i32, ticket: TicketId) -> u32 {
        let shelves = self.0.lock();
        let messages = shelves.sites.get(site).and_then(|shelf| shelf.tickets.get(&(day, ticket)));
        let planned = messages.into_iter().flat_map(BTreeMap::values).filter_map(|m| m.plan);
        planned.map(|planned| planned.order).max().unwrap_or(0)
    }

    /// How many times WeChat was asked to take a notice, if it is known how that ended.
    pub(crate) fn attempts(&self, key: &str) -> Option<u32> {
        let (site, ticket, name) = parse_notice_key(key)?;
        let shelves = self.0.lock();
        let message = shelves.sites.get(site)?.tickets.get(&ticket)?.get(name)?;
        Some(message.outcome.outcome.as_ref()?.attempts)
    }

    /// How many messages came how far, by business day, what they say and the step. Only of the days
    /// that are kept.
    pub fn count_by_stage(
        &self,
        site: &str,
        from: i32,
        to: i32,
    ) -> BTreeMap<(i32, String, &'static str), u32> {
        let shelves = self.0.lock();
        let mut counts = BTreeMap::new();
        let Some(shelf) = shelves.sites.get(site) else { return counts };
        let days = (from, TicketId(0))..=(to, TicketId(u32::MAX));
        for ((day, _), messages) in shelf.tickets.range(days) {
            for (name, message) in messages {
                // What was tried again came as far as it did then.
                if messages.contains_key(&redrive_key(name)) {
                    continue;
                }
                let fate = delivery_status(name, message.plan, message);
                *counts.entry((*day, fate.notice, fate.stage.name())).or_default() += 1;
            }
        }
        counts
    }

    /// Wakes whenever the fate of a message of the site changes.
    pub fn watch(&self, site: &str) -> watch::Receiver<()> {
        self.0.lock().sites.entry(site.to_owned()).or_default().changed.subscribe()
    }

    /// Takes in what a decision says is to be told.
    pub fn observe(&self, subject: &Subject, decision: &Decision) {
        // Of an account and a site.
        let Some(site) = subject.parts().last() else { return };
        for event in &decision.events {
            if let Event::NotificationTriggered(milestone) = event {
                self.apply_plan(site, milestone);
            }
        }
    }

    fn apply_plan(&self, site: &str, milestone: &NotificationTrigger) {
        let NotificationTrigger { ticket, day, kind, occurrence, order, at, .. } = milestone;
        // The first version had only calls, and said which in the kind alone.
        let occurrence = match kind {
            NotificationKind::Called { call, .. } => *call,
            _ => *occurrence,
        };
        let name = format!("{}#{occurrence}", kind.name());
        let answered = matches!(kind, NotificationKind::Joined(_));
        self.update(site, (day.0, *ticket), name, |message| {
            message.plan = Some(NoticePlan { order: *order, at: at.0, sent_as_reply: answered });
        });
    }

    fn apply_outcome(&self, record: OutcomeRecord) {
        let Some((site, ticket, name)) = parse_notice_key(record.key()) else { return };
        let (site, name) = (site.to_owned(), name.to_owned());
        self.update(&site, ticket, name, |message| message.outcome.apply(record));
    }

    fn update(
        &self,
        site: &str,
        ticket: TicketOfDay,
        name: String,
        change: impl FnOnce(&mut NoticeRecord),
    ) {
        let mut shelves = self.0.lock();
        let (day, _) = ticket;
        if day > shelves.newest_day {
            shelves.newest_day = day;
            for shelf in shelves.sites.values_mut() {
                shelf.tickets = shelf.tickets.split_off(&(day - RETAINED_DAYS, TicketId(0)));
            }
        }
        if day < shelves.newest_day - RETAINED_DAYS {
            return;
        }
        // Asked first, since there is one for almost every message.
        if !shelves.sites.contains_key(site) {
            shelves.sites.insert(site.to_owned(), SiteStatuses::default());
        }
        let Some(shelf) = shelves.sites.get_mut(site) else { return };
        change(shelf.tickets.entry(ticket).or_default().entry(name).or_default());
        shelf.changed.send_replace(());
    }

    /// The log was made anew: what it said no longer counts.
    fn clear_outcomes(&self) {
        for shelf in self.0.lock().sites.values_mut() {
            let messages = shelf.tickets.values_mut().flat_map(BTreeMap::values_mut);
            messages.for_each(|message| message.outcome = NoticeState::default());
            shelf.changed.send_replace(());
        }
    }

    async fn run(&self, ledger: &dyn Ledger, clock: &dyn Clock, stop: &CancellationToken) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        while !stop.is_cancelled() {
            match ledger.follow(&OUTCOMES, Position::START).await {
                Ok(entries) => {
                    let oldest = clock.now_ms() - MAX_OUTCOME_AGE.as_millis() as i64;
                    let entries = paihao_chassis::http::until_stop(entries, stop);
                    let mut entries = Box::pin(entries);
                    while let Some(followed) = entries.next().await {
                        self.apply(followed, oldest);
                    }
                }
                Err(error) => tracing::warn!(%error, "cannot follow the outcomes yet"),
            }
            backoff.wait_unless(stop).await;
        }
    }

    fn apply(&self, followed: LogItem, oldest: i64) {
        match followed {
            LogItem::Entry(recorded) if recorded.at_ms < oldest => {}
            LogItem::Entry(recorded) => match serde_json::from_slice(&recorded.entry.payload) {
                Ok(record) => self.apply_outcome(record),
                Err(error) => {
                    let position = recorded.position.0;
                    tracing::warn!(position, %error, "an outcome that is not understood");
                }
            },
            LogItem::Restarted => self.clear_outcomes(),
        }
    }
}

/// The site, the ticket and the rest of a notice's key: `hall/20779/17/called#1`.
fn parse_notice_key(key: &str) -> Option<(&str, TicketOfDay, &str)> {
    let mut parts = key.rsplitn(4, '/');
    let (name, ticket, day) = (parts.next()?, parts.next()?, parts.next()?);
    Some((parts.next()?, (day.parse().ok()?, TicketId(ticket.parse().ok()?)), name))
}

fn delivery_status(
    name: &str,
    planned: Option<NoticePlan>,
    message: &NoticeRecord,
) -> DeliveryStatus {
    let name = parse_redrive_key(name).0;
    let (notice, occurrence) = name.split_once('#').unwrap_or((name, "1"));
    let NoticeState { attempt: trying, outcome: ended, receipt } = &message.outcome;
    let (step, why) = match message.outcome.status() {
        NoticeStatus::Pending if planned.is_some_and(|planned| planned.sent_as_reply) => {
            (DeliveryStage::Delivered, None)
        }
        NoticeStatus::Pending if trying.is_some() => (DeliveryStage::Sending, None),
        NoticeStatus::Pending => (DeliveryStage::Waiting, None),
        NoticeStatus::Accepted => (DeliveryStage::Sent, None),
        NoticeStatus::Delivered => (DeliveryStage::Delivered, None),
        NoticeStatus::NotDelivered(received) => {
            (DeliveryStage::NotDelivered, Some(received.name().to_owned()))
        }
        NoticeStatus::NotAccepted(ended) => unsent_stage(ended),
    };
    let since = receipt.as_ref().map(|receipt| receipt.at);
    let since = since.or(ended.as_ref().map(|ended| ended.at));
    let by_answer = matches!(planned, Some(NoticePlan { sent_as_reply: true, .. }));
    let via = match (ended, trying) {
        (None, None) if by_answer => Some(Channel::PassiveReply),
        (Some(ended), _) => ended.via,
        (None, trying) => trying.as_ref().map(|trying| trying.trying),
    };
    DeliveryStatus {
        notice: notice.to_owned(),
        occurrence: occurrence.parse().unwrap_or(1),
        at: planned.map(|planned| planned.at),
        stage: step,
        since: since.or(trying.as_ref().map(|trying| trying.at)),
        channel: via,
        reason: why,
        attempted: ended.as_ref().map(|ended| ended.tried.clone()).unwrap_or_default(),
    }
}

/// The step and the reason of what ended without being taken.
fn unsent_stage(ended: Ended) -> (DeliveryStage, Option<String>) {
    match ended {
        // Neither is among those that were not taken.
        Ended::Sent { .. } => (DeliveryStage::Sent, None),
        Ended::Replied => (DeliveryStage::Delivered, None),
        Ended::Refused { name, .. } => (DeliveryStage::Failed, Some(name)),
        Ended::Stale => (DeliveryStage::Stale, None),
        Ended::Superseded => (DeliveryStage::Superseded, None),
        Ended::GaveUp { .. } => (DeliveryStage::Failed, Some("gave_up".to_owned())),
        Ended::Unknown { .. } => (DeliveryStage::Unknown, None),
        Ended::Unspeakable { .. } => (DeliveryStage::Failed, Some("unspeakable".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_contracts::notice::NoticeOutcome;
    use paihao_contracts::outcome::NoticeReceipt;
    use paihao_contracts::receipt::ReceiptStatus;
    use paihao_domain::{Day, Number, Person, QuotedWait, Timestamp};

    fn milestone(ticket: u32, day: i32, order: u32, kind: NotificationKind) -> NotificationTrigger {
        NotificationTrigger {
            ticket: TicketId(ticket),
            day: Day(day),
            person: Person::new("openid"),
            key: None,
            number: Number { prefix: "A".into(), serial: ticket },
            queue_name: "综合".into(),
            kind,
            occurrence: 1,
            order,
            at: Timestamp(1000 + i64::from(order)),
            valid_until: Timestamp(9000),
        }
    }

    fn called(call: u32) -> NotificationKind {
        NotificationKind::Called { counter_name: "1号".into(), call }
    }

    fn ended(key: &str, fate: Ended) -> OutcomeRecord {
        let key = key.to_owned();
        let via = matches!(fate, Ended::Sent { .. }).then_some(Channel::Template);
        OutcomeRecord::Ended(NoticeOutcome {
            v: 1,
            key,
            fate,
            at: 2000,
            attempts: 1,
            via,
            tried: vec![],
        })
    }

    fn receipt(key: &str, receipt: ReceiptStatus) -> OutcomeRecord {
        let said = "said".to_owned();
        OutcomeRecord::Receipt(NoticeReceipt { v: 1, key: key.to_owned(), receipt, said, at: 3000 })
    }

    fn steps(
        fates: &DeliveryStatusProjection,
        day: i32,
        ticket: u32,
    ) -> Vec<(String, &'static str)> {
        let of = fates.for_ticket("hall", day, TicketId(ticket)).into_iter();
        of.map(|fate| (fate.notice, fate.stage.name())).collect()
    }

    #[test]
    fn a_message_goes_from_its_plan_to_its_receipt() {
        let fates = DeliveryStatusProjection::default();
        let told = QuotedWait { ahead: 2, estimate: None, cold: false };
        fates.apply_plan("hall", &milestone(7, 20_000, 1, NotificationKind::Joined(told)));
        fates.apply_plan("hall", &milestone(7, 20_000, 2, called(1)));
        let (joined, waiting) = (("joined".to_owned(), "delivered"), "called".to_owned());
        assert_eq!(steps(&fates, 20_000, 7), [joined.clone(), (waiting.clone(), "waiting")]);

        let mut news = fates.watch("hall");
        let key = "hall/20000/7/called#1";
        fates.apply_outcome(ended(key, Ended::Sent { message_id: 5 }));
        assert!(news.has_changed().unwrap());
        news.mark_unchanged();
        assert_eq!(steps(&fates, 20_000, 7)[1], (waiting.clone(), "sent"));
        fates.apply_outcome(receipt(key, ReceiptStatus::Refused));
        let fate = &fates.for_ticket("hall", 20_000, TicketId(7))[1];
        assert_eq!(fate.stage, DeliveryStage::NotDelivered);
        assert_eq!(fate.reason.as_deref(), Some("refused"));
        assert_eq!(
            (fate.at, fate.since, fate.channel),
            (Some(1002), Some(3000), Some(Channel::Template))
        );
        fates.apply_outcome(receipt(key, ReceiptStatus::Delivered));
        assert_eq!(steps(&fates, 20_000, 7)[1], (waiting, "delivered"));
        assert_eq!(steps(&fates, 20_000, 8), []);
    }

    #[test]
    fn an_outcome_may_come_before_its_plan_and_each_ticket_has_its_own() {
        let fates = DeliveryStatusProjection::default();
        let name = "not_following".to_owned();
        fates.apply_outcome(ended("hall/20000/7/called#2", Ended::Refused { code: 43004, name }));
        fates.apply_outcome(ended("hall/20000/70/called#1", Ended::Superseded));
        fates.apply_outcome(ended("other/20000/7/called#1", Ended::Stale));
        fates.apply_outcome(ended("no key of ours", Ended::Stale));
        let fate = &fates.for_ticket("hall", 20_000, TicketId(7))[0];
        assert_eq!((fate.occurrence, fate.at, fate.stage), (2, None, DeliveryStage::Failed));
        assert_eq!(fate.reason.as_deref(), Some("not_following"));
        assert_eq!(steps(&fates, 20_000, 70), [("called".to_owned(), "superseded")]);
    }

    #[test]
    fn what_was_tried_again_stands_after_what_it_was_and_before_what_came_later() {
        let fates = DeliveryStatusProjection::default();
        fates.apply_plan("hall", &milestone(7, 20_000, 1, called(1)));
        fates.apply_plan("hall", &milestone(7, 20_000, 2, called(2)));
        let name = "template_unknown".to_owned();
        fates.apply_outcome(ended("hall/20000/7/called#1", Ended::Refused { code: 40037, name }));
        fates.apply_outcome(ended("hall/20000/7/called#1~1", Ended::Superseded));
        let of = fates.for_ticket("hall", 20_000, TicketId(7));
        let seen: Vec<_> = of.iter().map(|f| (f.occurrence, f.stage, f.at)).collect();
        let (first, second) = (Some(1001), Some(1002));
        assert_eq!(
            seen,
            [
                (1, DeliveryStage::Failed, first),
                (1, DeliveryStage::Superseded, first),
                (2, DeliveryStage::Waiting, second)
            ]
        );
        let counted = fates.count_by_stage("hall", 20_000, 20_000);
        let counted: Vec<_> = counted.into_iter().map(|((_, _, step), n)| (step, n)).collect();
        assert_eq!(counted, [("superseded", 1), ("waiting", 1)]);
        assert_eq!(fates.latest_order("hall", 20_000, TicketId(7)), 2);
        assert_eq!(fates.attempts("hall/20000/7/called#1~1"), Some(1));
    }

    #[test]
    fn days_that_are_over_leave() {
        let fates = DeliveryStatusProjection::default();
        for day in 20_000..20_005 {
            fates.apply_plan("hall", &milestone(1, day, 1, called(1)));
        }
        fates.apply_outcome(ended("hall/20001/1/called#1", Ended::Stale));
        let left =
            fates.0.lock().sites["hall"].tickets.keys().map(|(day, _)| *day).collect::<Vec<_>>();
        assert_eq!(left, [20_002, 20_003, 20_004]);
    }

    #[test]
    fn a_log_made_anew_leaves_the_plans() {
        let fates = DeliveryStatusProjection::default();
        fates.apply_plan("hall", &milestone(1, 20_000, 1, called(1)));
        fates.apply_outcome(ended("hall/20000/1/called#1", Ended::Stale));
        fates.apply(LogItem::Restarted, 0);
        assert_eq!(steps(&fates, 20_000, 1), [("called".to_owned(), "waiting")]);
    }
}
