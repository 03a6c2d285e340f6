//! Delivery status of the notices about each ticket: the plans of the ledger, joined with the log
//! of outcomes. Kept in memory, for today and the two days before.

use paihao_chassis::Tasks;
use paihao_chassis::clock::Clock;
use paihao_contracts::dead_letter::{parse_redrive_key, redrive_key};
use paihao_contracts::notice::{Channel, ChannelAttempt, DeliveryOutcome as Ended};
use paihao_contracts::outcome::{NoticeState, NoticeStatus, OutcomeRecord};
use paihao_contracts::streams::OUTCOMES;
use paihao_domain::{Decision, Event, NotificationKind, NotificationTrigger, TicketId};
use paihao_ledger::projection::Follow;
use paihao_ledger::{Ledger, Projection, StoredEntry, Subject};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Days that are kept beside the newest one. Two, since the newest may be the next day in the east
/// while a site in the west looks at its own yesterday.
const RETAINED_DAYS: i32 = 2;

/// Age from which an outcome is of no day that is kept.
const MAX_OUTCOME_AGE: Duration = Duration::from_secs((RETAINED_DAYS as u64 + 2) * 24 * 3600);

/// Notice to the holder of a ticket, and its delivery status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryStatus {
    /// Kind of notice by its name: `called`, `near`.
    pub notice: String,
    /// Ordinal among the ticket's notices of this kind, from 1.
    pub occurrence: u32,
    /// Time of the decision that planned it, in Unix milliseconds; `None` while only its outcome is
    /// known.
    pub at: Option<i64>,
    /// Delivery stage.
    pub stage: DeliveryStage,
    /// Time from which the stage is known, in Unix milliseconds.
    pub since: Option<i64>,
    /// Channel that accepted it, may have accepted it, or is being tried.
    pub channel: Option<Channel>,
    /// Reason of a failure, by its name: WeChat's code (docs/reference/wechat-codes.md) or one of
    /// ours.
    pub reason: Option<String>,
    /// Channels that did not accept it.
    pub attempted: Vec<ChannelAttempt>,
}

/// Stage of the delivery of a notice.
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
    /// Returns the name that the API uses.
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

/// Business day and ticket, within a site.
type TicketOfDay = (i32, TicketId);

/// Notices of a ticket, by the last part of their keys: `called#1`.
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
    /// True if the reply to the scan says it: nothing is sent then.
    sent_as_reply: bool,
}

/// Delivery status of every notice of the days that are kept. Cheap to clone.
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
    /// Begins to follow the log of outcomes, until the soft stop. Plans come through
    /// [`DeliveryStatusProjection::observe`].
    pub fn start(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> DeliveryStatusProjection {
        let statuses = DeliveryStatusProjection::default();
        let projection = OutcomeProjection { statuses: statuses.clone(), clock };
        let (_, following) = Follow::new(ledger, OUTCOMES, tasks.stop().clone()).start(projection);
        tasks.spawn("fates", following);
        statuses
    }

    /// Returns the notices about a ticket of a business day, in the order in which they were
    /// planned.
    pub fn for_ticket(&self, site: &str, day: i32, ticket: TicketId) -> Vec<DeliveryStatus> {
        let shelves = self.0.lock();
        let messages = shelves.sites.get(site).and_then(|shelf| shelf.tickets.get(&(day, ticket)));
        let Some(messages) = messages else { return Vec::new() };
        // A notice that was tried again has the plan of the first try.
        let planned = |name: &str| messages.get(parse_redrive_key(name).0)?.plan;
        let mut fates: Vec<_> =
            messages.iter().map(|(name, message)| (planned(name), name, message)).collect();
        fates.sort_by_key(|(planned, name, _)| (planned.map_or(u32::MAX, |p| p.order), *name));
        fates
            .into_iter()
            .map(|(planned, name, message)| delivery_status(name, planned, message))
            .collect()
    }

    /// Returns the order number of the newest known notice of a ticket; 0 if none is known.
    pub(crate) fn latest_order(&self, site: &str, day: i32, ticket: TicketId) -> u32 {
        let shelves = self.0.lock();
        let messages = shelves.sites.get(site).and_then(|shelf| shelf.tickets.get(&(day, ticket)));
        let planned = messages.into_iter().flat_map(BTreeMap::values).filter_map(|m| m.plan);
        planned.map(|planned| planned.order).max().unwrap_or(0)
    }

    /// Returns the number of attempts to deliver a notice; `None` until the last one has ended.
    pub(crate) fn attempts(&self, key: &str) -> Option<u32> {
        let (site, ticket, name) = parse_notice_key(key)?;
        let shelves = self.0.lock();
        let message = shelves.sites.get(site)?.tickets.get(&ticket)?.get(name)?;
        Some(message.outcome.outcome.as_ref()?.attempts)
    }

    /// Counts the notices of a site by business day, kind and stage. Only of the days that are
    /// kept.
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
                // A notice that was tried again is counted once, by the later try.
                if messages.contains_key(&redrive_key(name)) {
                    continue;
                }
                let fate = delivery_status(name, message.plan, message);
                *counts.entry((*day, fate.notice, fate.stage.name())).or_default() += 1;
            }
        }
        counts
    }

    /// Watches the site: wakes when the status of a notice changes.
    pub fn watch(&self, site: &str) -> watch::Receiver<()> {
        self.0.lock().sites.entry(site.to_owned()).or_default().changed.subscribe()
    }

    /// Applies the notices that a decision plans.
    pub fn observe(&self, subject: &Subject, decision: &Decision) {
        // The subject names an account and a site.
        let Some(site) = subject.parts().last() else { return };
        for event in &decision.events {
            if let Event::NotificationTriggered(milestone) = event {
                self.apply_plan(site, milestone);
            }
        }
    }

    fn apply_plan(&self, site: &str, milestone: &NotificationTrigger) {
        let NotificationTrigger { ticket, day, kind, occurrence, order, at, .. } = milestone;
        // The first version had only calls, and told them apart in the kind alone.
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
        // Looked up first, since almost every notice finds its site.
        if !shelves.sites.contains_key(site) {
            shelves.sites.insert(site.to_owned(), SiteStatuses::default());
        }
        let Some(shelf) = shelves.sites.get_mut(site) else { return };
        change(shelf.tickets.entry(ticket).or_default().entry(name).or_default());
        shelf.changed.send_replace(());
    }

    /// Forgets the outcomes: their log was made anew.
    fn clear_outcomes(&self) {
        for shelf in self.0.lock().sites.values_mut() {
            let messages = shelf.tickets.values_mut().flat_map(BTreeMap::values_mut);
            messages.for_each(|message| message.outcome = NoticeState::default());
            shelf.changed.send_replace(());
        }
    }
}

/// Projection of the log of outcomes onto the delivery statuses.
struct OutcomeProjection {
    statuses: DeliveryStatusProjection,
    clock: Arc<dyn Clock>,
}

impl Projection for OutcomeProjection {
    type View = ();

    fn view(&self) {}

    fn apply(&mut self, recorded: StoredEntry) {
        if recorded.at_ms < self.clock.now_ms() - MAX_OUTCOME_AGE.as_millis() as i64 {
            return;
        }
        match serde_json::from_slice(&recorded.entry.payload) {
            Ok(record) => self.statuses.apply_outcome(record),
            Err(error) => {
                let position = recorded.position.0;
                tracing::warn!(position, %error, "cannot decode an entry of the outcomes");
            }
        }
    }

    fn reset(&mut self) {
        self.statuses.clear_outcomes();
    }
}

/// Parses a notice's key into the site, the ticket and the rest: `hall/20779/17/called#1`.
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
        (Some(ended), _) => ended.channel,
        (None, trying) => trying.as_ref().map(|trying| trying.channel),
    };
    DeliveryStatus {
        notice: notice.to_owned(),
        occurrence: occurrence.parse().unwrap_or(1),
        at: planned.map(|planned| planned.at),
        stage: step,
        since: since.or(trying.as_ref().map(|trying| trying.at)),
        channel: via,
        reason: why,
        attempted: ended.as_ref().map(|ended| ended.earlier_attempts.clone()).unwrap_or_default(),
    }
}

/// Returns the stage and the reason of a notice that was not accepted.
fn unsent_stage(ended: Ended) -> (DeliveryStage, Option<String>) {
    match ended {
        // Neither is an outcome of a notice that was not accepted.
        Ended::Sent { .. } => (DeliveryStage::Sent, None),
        Ended::Replied => (DeliveryStage::Delivered, None),
        Ended::Refused { name, .. } => (DeliveryStage::Failed, Some(name)),
        Ended::Stale => (DeliveryStage::Stale, None),
        Ended::Superseded => (DeliveryStage::Superseded, None),
        Ended::GaveUp { .. } => (DeliveryStage::Failed, Some("gave_up".to_owned())),
        Ended::Unknown { .. } => (DeliveryStage::Unknown, None),
        Ended::Unrenderable { .. } => (DeliveryStage::Failed, Some("unspeakable".to_owned())),
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

    fn ended(key: &str, outcome: Ended) -> OutcomeRecord {
        let key = key.to_owned();
        let channel = matches!(outcome, Ended::Sent { .. }).then_some(Channel::Template);
        OutcomeRecord::Ended(NoticeOutcome {
            v: 1,
            key,
            outcome,
            at: 2000,
            attempts: 1,
            channel,
            earlier_attempts: vec![],
        })
    }

    fn receipt(key: &str, receipt: ReceiptStatus) -> OutcomeRecord {
        let status_text = "said".to_owned();
        let key = key.to_owned();
        OutcomeRecord::Receipt(NoticeReceipt { v: 1, key, receipt, status_text, at: 3000 })
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
        fates.clear_outcomes();
        assert_eq!(steps(&fates, 20_000, 1), [("called".to_owned(), "waiting")]);
    }
}
