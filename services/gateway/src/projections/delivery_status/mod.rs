//! Delivery status of the notices about each ticket: the plans of the ledger, joined with the log
//! of outcomes. Kept in memory, for the last days of each site.

mod site_notices;

pub(crate) use site_notices::TicketOfDay;

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
use parking_lot::{Mutex, RwLock};
use site_notices::{NoticeView, RETAINED_DAYS, SiteNotices, TicketNotices};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

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

/// Delivery status of every notice of the days that are kept. Cheap to clone.
#[derive(Clone, Default)]
pub struct DeliveryStatusProjection(Arc<ProjectionState>);

#[derive(Default)]
struct ProjectionState {
    /// Form of an outcome that a newer program wrote.
    newer: Mutex<Option<NewerForm>>,
    sites: RwLock<BTreeMap<String, Arc<Mutex<SiteNotices>>>>,
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
        *self.0.newer.lock()
    }

    fn set_newer(&self, newer: Option<NewerForm>) {
        *self.0.newer.lock() = newer;
    }

    /// Returns the notices of a site, if any are known.
    fn site(&self, site: &str) -> Option<Arc<Mutex<SiteNotices>>> {
        self.0.sites.read().get(site).cloned()
    }

    fn site_or_new(&self, site: &str) -> Arc<Mutex<SiteNotices>> {
        // Looked up first, since almost every notice finds its site.
        self.site(site)
            .unwrap_or_else(|| self.0.sites.write().entry(site.to_owned()).or_default().clone())
    }

    /// Returns the notices about a ticket of a business day, in the order in which they were
    /// planned.
    pub fn for_ticket(&self, site: &str, day: i32, ticket: TicketId) -> Vec<DeliveryStatus> {
        let is_behind = self.newer().is_some();
        let Some(site) = self.site(site) else { return Vec::new() };
        let site = site.lock();
        let Some(notices) = site.ticket((day, ticket)) else { return Vec::new() };
        // A notice that was tried again has the plan of the first try.
        let plan = |name: &str| notices.get(parse_redrive_key(name).0)?.plan;
        let mut records: Vec<_> =
            notices.iter().map(|notice| NoticeView { plan: plan(notice.name), ..notice }).collect();
        records.sort_by_key(|notice| (notice.plan.map_or(u32::MAX, |p| p.order), notice.name));
        records.into_iter().map(|notice| delivery_status(notice, is_behind)).collect()
    }

    /// Returns the order number of the newest known notice of a ticket; 0 if none is known.
    pub(crate) fn latest_order(&self, site: &str, day: i32, ticket: TicketId) -> u32 {
        let Some(site) = self.site(site) else { return 0 };
        let site = site.lock();
        let notices = site.ticket((day, ticket)).into_iter().flat_map(TicketNotices::iter);
        let plans = notices.filter_map(|notice| notice.plan);
        plans.map(|plan| plan.order).max().unwrap_or(0)
    }

    /// Returns the number of attempts to deliver a notice; `None` until the last one has ended.
    pub(crate) fn attempts(&self, key: &str) -> Option<u32> {
        let (site, ticket, name) = parse_notice_key(key)?;
        let site = self.site(site)?;
        let site = site.lock();
        let notice = site.ticket(ticket)?.get(name)?;
        Some(notice.outcome?.outcome.as_ref()?.attempts)
    }

    /// Counts the notices of a site by business day, kind and stage. Only of the days that are
    /// kept.
    pub fn count_by_stage(
        &self,
        site: &str,
        from: i32,
        to: i32,
    ) -> BTreeMap<(i32, String, &'static str), u32> {
        let is_behind = self.newer().is_some();
        let mut counts = BTreeMap::new();
        let Some(site) = self.site(site) else { return counts };
        for (day, notices) in site.lock().tickets_of_days(from, to) {
            for notice in notices.iter() {
                // A notice that was tried again is counted once, by the later try.
                if notices.get(&redrive_key(notice.name)).is_some() {
                    continue;
                }
                let status = delivery_status(notice, is_behind);
                *counts.entry((day, status.notice, status.stage.name())).or_default() += 1;
            }
        }
        counts
    }

    /// Watches the site: wakes when the status of a notice changes.
    pub fn watch(&self, site: &str) -> watch::Receiver<()> {
        self.site_or_new(site).lock().watch()
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
        let site = self.site_or_new(site);
        site.lock().apply_plan((day.0, *ticket), kind, occurrence, (*order, at.0));
    }

    fn apply_outcome(&self, mut record: OutcomeRecord) {
        // The place of the record says what its key says.
        let key = record.take_key();
        let Some((site, ticket, name)) = parse_notice_key(&key) else { return };
        self.site_or_new(site).lock().apply_outcome(ticket, name, record);
    }

    /// Clears the outcomes, since their log was made anew.
    fn clear_outcomes(&self) {
        let sites: Vec<_> = self.0.sites.read().values().cloned().collect();
        sites.iter().for_each(|site| site.lock().clear_outcomes());
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
fn delivery_status(notice: NoticeView<'_>, is_behind: bool) -> DeliveryStatus {
    let NoticeView { name, plan, outcome } = notice;
    let name = parse_redrive_key(name).0;
    let (notice, occurrence) = name.split_once('#').unwrap_or((name, "1"));
    let nothing = NoticeState::default();
    let state = outcome.unwrap_or(&nothing);
    let NoticeState { attempt, outcome, receipt } = state;
    let sent_as_reply = plan.is_some_and(|plan| plan.sent_as_reply);
    let (stage, reason) = match state.status() {
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
