//! Delivery status of the notices about each ticket: the plans of the ledger, joined with the log
//! of outcomes. Kept in memory, for the last days of each site.

use paihao_chassis::Tasks;
use paihao_chassis::clock::{Clock, ClockReading};
use paihao_contracts::dead_letter::{parse_redrive_key, redrive_key};
use paihao_contracts::envelope::{self, NewerForm, ReadError};
use paihao_contracts::notice::{Channel, ChannelAttempt, DeliveryOutcome};
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

/// Number of days of each site that are kept: today, the two days before, and one more, which may
/// be a day in the future where a wrong clock was.
const RETAINED_DAYS: usize = 4;

/// Age from which an outcome belongs to no day that is kept.
const MAX_OUTCOME_AGE: Duration = Duration::from_secs(RETAINED_DAYS as u64 * 24 * 3600);

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
    /// this system's.
    pub reason: Option<String>,
    /// Channels that did not accept it.
    pub attempted: Vec<ChannelAttempt>,
}

/// Stage of the delivery of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryStage {
    /// Planned, and not attempted yet.
    Waiting,
    /// Attempt under way.
    Sending,
    /// Accepted by WeChat, without a receipt yet.
    Sent,
    /// Delivered, as WeChat's receipt or the reply to the scan says.
    Delivered,
    /// Accepted, and not delivered, as WeChat's receipt says.
    NotDelivered,
    /// Accepted by no channel.
    Failed,
    /// No longer true when it was its turn.
    Stale,
    /// Replaced by a later notice about the ticket.
    Superseded,
    /// Perhaps accepted: the outcome of the attempt is not known.
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
pub(crate) type TicketOfDay = (i32, TicketId);

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
    /// True if the reply to the scan contains it, so that nothing is sent.
    sent_as_reply: bool,
    /// Kind of notice as it is shown; its key may have the name of an older one.
    shown_name: &'static str,
}

/// Delivery status of every notice of the days that are kept. Cheap to clone.
#[derive(Clone, Default)]
pub struct DeliveryStatusProjection(Arc<Mutex<ProjectionState>>);

#[derive(Default)]
struct ProjectionState {
    /// Form of an outcome that a newer program wrote.
    newer: Option<NewerForm>,
    sites: BTreeMap<String, SiteStatuses>,
}

#[derive(Default)]
struct SiteStatuses {
    tickets: BTreeMap<TicketOfDay, TicketNotices>,
    /// Days of the tickets, the one planned last at the end.
    days: Vec<i32>,
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
        tasks.spawn("delivery-status", following);
        statuses
    }

    /// Returns the form of an outcome that a newer program wrote. The status of its notice is not
    /// known here.
    pub fn newer(&self) -> Option<NewerForm> {
        self.0.lock().newer
    }

    fn set_newer(&self, newer: Option<NewerForm>) {
        self.0.lock().newer = newer;
    }

    /// Returns the notices about a ticket of a business day, in the order in which they were
    /// planned.
    pub fn for_ticket(&self, site: &str, day: i32, ticket: TicketId) -> Vec<DeliveryStatus> {
        let state = self.0.lock();
        let notices = state
            .sites
            .get(site)
            .and_then(|site_statuses| site_statuses.tickets.get(&(day, ticket)));
        let Some(notices) = notices else { return Vec::new() };
        // A notice that was tried again has the plan of the first try.
        let plan = |name: &str| notices.get(parse_redrive_key(name).0)?.plan;
        let mut records: Vec<_> =
            notices.iter().map(|(name, record)| (plan(name), name, record)).collect();
        records.sort_by_key(|(plan, name, _)| (plan.map_or(u32::MAX, |p| p.order), *name));
        records
            .into_iter()
            .map(|(plan, name, record)| delivery_status(name, plan, record, state.newer.is_some()))
            .collect()
    }

    /// Returns the order number of the newest known notice of a ticket; 0 if none is known.
    pub(crate) fn latest_order(&self, site: &str, day: i32, ticket: TicketId) -> u32 {
        let state = self.0.lock();
        let notices = state
            .sites
            .get(site)
            .and_then(|site_statuses| site_statuses.tickets.get(&(day, ticket)));
        let plans = notices.into_iter().flat_map(BTreeMap::values).filter_map(|record| record.plan);
        plans.map(|plan| plan.order).max().unwrap_or(0)
    }

    /// Returns the number of attempts to deliver a notice; `None` until the last one has ended.
    pub(crate) fn attempts(&self, key: &str) -> Option<u32> {
        let (site, ticket, name) = parse_notice_key(key)?;
        let state = self.0.lock();
        let record = state.sites.get(site)?.tickets.get(&ticket)?.get(name)?;
        Some(record.outcome.outcome.as_ref()?.attempts)
    }

    /// Counts the notices of a site by business day, kind and stage. Only of the days that are
    /// kept.
    pub fn count_by_stage(
        &self,
        site: &str,
        from: i32,
        to: i32,
    ) -> BTreeMap<(i32, String, &'static str), u32> {
        let state = self.0.lock();
        let mut counts = BTreeMap::new();
        let Some(site_statuses) = state.sites.get(site) else { return counts };
        let days = (from, TicketId(0))..=(to, TicketId(u32::MAX));
        for ((day, _), notices) in site_statuses.tickets.range(days) {
            for (name, record) in notices {
                // A notice that was tried again is counted once, by the later try.
                if notices.contains_key(&redrive_key(name)) {
                    continue;
                }
                let status = delivery_status(name, record.plan, record, state.newer.is_some());
                *counts.entry((*day, status.notice, status.stage.name())).or_default() += 1;
            }
        }
        counts
    }

    /// Watches the site: wakes when the status of a notice changes.
    pub fn watch(&self, site: &str) -> watch::Receiver<()> {
        self.0.lock().sites.entry(site.to_owned()).or_default().changed.subscribe()
    }

    /// Applies the plans of notices in a decision.
    pub fn observe(&self, subject: &Subject, decision: &Decision) {
        // The subject names an account and a site.
        let Some(site) = subject.parts().last() else { return };
        for event in &decision.events {
            if let Event::NotificationTriggered(trigger) = event {
                self.apply_plan(site, trigger);
            }
        }
    }

    fn apply_plan(&self, site: &str, trigger: &NotificationTrigger) {
        let NotificationTrigger { ticket, day, kind, occurrence, order, at, .. } = trigger;
        // The first version had only calls, whose kind has the ordinal.
        let occurrence = match kind {
            NotificationKind::Called { call, .. } => *call,
            _ => *occurrence,
        };
        let name = format!("{}#{occurrence}", kind.name());
        let sent_as_reply = matches!(kind, NotificationKind::Joined(_));
        self.begin_day(site, day.0);
        self.update(site, (day.0, *ticket), name, |record| {
            let shown_name = kind.shown_name();
            record.plan = Some(NoticePlan { order: *order, at: at.0, sent_as_reply, shown_name });
        });
    }

    fn apply_outcome(&self, record: OutcomeRecord) {
        let Some((site, ticket, name)) = parse_notice_key(record.key()) else { return };
        let site = site.to_owned();
        let name = name.to_owned();
        self.update(&site, ticket, name, |notice| notice.outcome.apply(record));
    }

    fn update(
        &self,
        site: &str,
        ticket: TicketOfDay,
        name: String,
        change: impl FnOnce(&mut NoticeRecord),
    ) {
        let mut state = self.0.lock();
        // Looked up first, since almost every notice finds its site.
        if !state.sites.contains_key(site) {
            state.sites.insert(site.to_owned(), SiteStatuses::default());
        }
        let Some(site_statuses) = state.sites.get_mut(site) else { return };
        if !site_statuses.keep_day(ticket.0) {
            return;
        }
        change(site_statuses.tickets.entry(ticket).or_default().entry(name).or_default());
        site_statuses.changed.send_replace(());
    }

    /// Makes the day the one that is kept for longest.
    fn begin_day(&self, site: &str, day: i32) {
        let mut state = self.0.lock();
        if let Some(site_statuses) = state.sites.get_mut(site)
            && site_statuses.days.last() != Some(&day)
        {
            site_statuses.days.retain(|known| *known != day);
            site_statuses.days.push(day);
            site_statuses.drop_days();
        }
    }

    /// Clears the outcomes, since their log was made anew.
    fn clear_outcomes(&self) {
        for site_statuses in self.0.lock().sites.values_mut() {
            let records = site_statuses.tickets.values_mut().flat_map(BTreeMap::values_mut);
            records.for_each(|record| record.outcome = NoticeState::default());
            site_statuses.changed.send_replace(());
        }
    }
}

impl SiteStatuses {
    /// Keeps a day that is kept already, or that is newer than one of those. Returns whether it is
    /// kept.
    fn keep_day(&mut self, day: i32) -> bool {
        if self.days.contains(&day) {
            return true;
        }
        let is_old = self.days.iter().all(|known| *known > day);
        if self.days.len() >= RETAINED_DAYS && is_old {
            return false;
        }
        // Of a day without plans yet only outcomes are known.
        self.days.insert(self.days.len().saturating_sub(1), day);
        self.drop_days();
        self.days.contains(&day)
    }

    fn drop_days(&mut self) {
        while self.days.len() > RETAINED_DAYS {
            let dropped = self.days.remove(0);
            self.tickets.retain(|(day, _), _| *day != dropped);
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

    fn apply(&mut self, stored: StoredEntry) -> Result<(), ReadError> {
        let ClockReading { now_ms, trust } = self.clock.read();
        let max_age_ms = MAX_OUTCOME_AGE.as_millis() as i64;
        if trust.is_confirmed() && stored.at_ms < now_ms - max_age_ms {
            return Ok(());
        }
        let record = envelope::decode(&stored.entry.payload).inspect_err(|error| {
            if let Some(newer) = error.newer() {
                self.statuses.set_newer(Some(newer));
            }
        })?;
        self.statuses.apply_outcome(record);
        Ok(())
    }

    fn reset(&mut self) {
        self.statuses.clear_outcomes();
        self.statuses.set_newer(None);
    }
}

/// Parses a notice's key into the site, the ticket and the rest: `hall/20779/17/called#1`.
pub(crate) fn parse_notice_key(key: &str) -> Option<(&str, TicketOfDay, &str)> {
    let mut parts = key.rsplitn(4, '/');
    let (name, ticket, day) = (parts.next()?, parts.next()?, parts.next()?);
    Some((parts.next()?, (day.parse().ok()?, TicketId(ticket.parse().ok()?)), name))
}

/// Returns the status of a notice. While `is_behind`, one without an outcome may have one that this
/// program cannot read.
fn delivery_status(
    name: &str,
    plan: Option<NoticePlan>,
    record: &NoticeRecord,
    is_behind: bool,
) -> DeliveryStatus {
    let name = parse_redrive_key(name).0;
    let (notice, occurrence) = name.split_once('#').unwrap_or((name, "1"));
    let NoticeState { attempt, outcome, receipt } = &record.outcome;
    let sent_as_reply = plan.is_some_and(|plan| plan.sent_as_reply);
    let (stage, reason) = match record.outcome.status() {
        NoticeStatus::Pending if sent_as_reply => (DeliveryStage::Delivered, None),
        NoticeStatus::Pending if is_behind => (DeliveryStage::Unknown, None),
        NoticeStatus::Pending if attempt.is_some() => (DeliveryStage::Sending, None),
        NoticeStatus::Pending => (DeliveryStage::Waiting, None),
        NoticeStatus::Accepted => (DeliveryStage::Sent, None),
        NoticeStatus::Delivered => (DeliveryStage::Delivered, None),
        NoticeStatus::NotDelivered(received) => {
            (DeliveryStage::NotDelivered, Some(received.name().to_owned()))
        }
        NoticeStatus::NotAccepted(outcome) => unsent_stage(outcome),
    };
    let channel = match (outcome, attempt) {
        (None, None) if sent_as_reply => Some(Channel::PassiveReply),
        (Some(outcome), _) => outcome.channel,
        (None, attempt) => attempt.as_ref().map(|attempt| attempt.channel),
    };
    let received_at = receipt.as_ref().map(|receipt| receipt.at);
    let ended_at = outcome.as_ref().map(|outcome| outcome.at);
    let attempted_at = attempt.as_ref().map(|attempt| attempt.at);
    DeliveryStatus {
        notice: plan.map_or(notice, |plan| plan.shown_name).to_owned(),
        occurrence: occurrence.parse().unwrap_or(1),
        at: plan.map(|plan| plan.at),
        stage,
        since: received_at.or(ended_at).or(attempted_at),
        channel,
        reason,
        attempted: outcome
            .as_ref()
            .map(|outcome| outcome.earlier_attempts.clone())
            .unwrap_or_default(),
    }
}

/// Returns the stage and the reason of a notice that was not accepted.
fn unsent_stage(outcome: DeliveryOutcome) -> (DeliveryStage, Option<String>) {
    match outcome {
        // Neither is an outcome of a notice that was not accepted.
        DeliveryOutcome::Sent { .. } => (DeliveryStage::Sent, None),
        DeliveryOutcome::Replied => (DeliveryStage::Delivered, None),
        DeliveryOutcome::Refused { name, .. } => (DeliveryStage::Failed, Some(name)),
        DeliveryOutcome::Stale => (DeliveryStage::Stale, None),
        DeliveryOutcome::Superseded => (DeliveryStage::Superseded, None),
        DeliveryOutcome::GaveUp { .. } => (DeliveryStage::Failed, Some("gave_up".to_owned())),
        DeliveryOutcome::Unknown { .. } => (DeliveryStage::Unknown, None),
        DeliveryOutcome::Unrenderable { .. } => {
            (DeliveryStage::Failed, Some("unspeakable".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests;
