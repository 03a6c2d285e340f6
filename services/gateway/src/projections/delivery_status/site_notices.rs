//! Notices of one site by day and ticket, in little memory.
//!
//! Of almost every ticket of a long line one notice is known: its number, in the reply to the scan.
//! It takes no allocation of its own. A day is a map of its own, so that it leaves as a whole.

use paihao_contracts::outcome::{NoticeState, OutcomeRecord};
use paihao_domain::{NotificationKind, TicketId};
use std::collections::BTreeMap;
use tokio::sync::watch;

/// Number of days of each site that are kept: today, the two days before, and one more, which may
/// be a day in the future where a wrong clock was.
pub(super) const RETAINED_DAYS: usize = 4;

/// Business day and ticket, within a site.
pub(crate) type TicketOfDay = (i32, TicketId);

/// Name of the notice that a reply to a scan contains, the only one of its kind of a ticket.
const JOINED: &str = "joined#1";

/// Notices of the days of a site that are kept.
#[derive(Default)]
pub(super) struct SiteNotices {
    /// Days, the one planned last at the end.
    days: Vec<DayNotices>,
    /// `None` until somebody watches the site.
    changed: Option<watch::Sender<()>>,
}

struct DayNotices {
    day: i32,
    tickets: BTreeMap<TicketId, TicketNotices>,
}

/// Notices of a ticket.
pub(super) enum TicketNotices {
    /// Only [`JOINED`] is known, and no outcome of it.
    Joined { order: u32, at: i64 },
    /// Any others.
    Records(Box<NoticeRecords>),
}

/// Records of a ticket's notices, as they came.
#[derive(Default)]
pub(super) struct NoticeRecords(Vec<NoticeRecord>);

#[derive(Default)]
struct NoticeRecord {
    /// Last part of the notice's key.
    name: Box<str>,
    plan: Option<NoticePlan>,
    outcome: Option<Box<NoticeState>>,
}

/// Plan of a notice.
#[derive(Clone, Copy)]
pub(super) struct NoticePlan {
    pub(super) order: u32,
    pub(super) at: i64,
    /// True if the reply to the scan contains it, so that nothing is sent.
    pub(super) sent_as_reply: bool,
    /// Kind of notice as it is shown; its key may have the name of an older one.
    pub(super) shown_name: &'static str,
}

/// A notice of a ticket.
#[derive(Clone, Copy)]
pub(super) struct NoticeView<'a> {
    /// Last part of its key.
    pub(super) name: &'a str,
    pub(super) plan: Option<NoticePlan>,
    /// `None` if no outcome and no attempt is recorded.
    pub(super) outcome: Option<&'a NoticeState>,
}

impl SiteNotices {
    /// Returns the notices of a ticket.
    pub(super) fn ticket(&self, (day, ticket): TicketOfDay) -> Option<&TicketNotices> {
        self.days.iter().find(|known| known.day == day)?.tickets.get(&ticket)
    }

    /// Returns the notices of all tickets of these days, both included, with their days.
    pub(super) fn tickets_of_days(
        &self,
        from: i32,
        to: i32,
    ) -> impl Iterator<Item = (i32, &TicketNotices)> {
        let days = self.days.iter().filter(move |known| (from..=to).contains(&known.day));
        days.flat_map(|known| known.tickets.values().map(|notices| (known.day, notices)))
    }

    /// Watches the site: wakes when a notice changes.
    pub(super) fn watch(&mut self) -> watch::Receiver<()> {
        self.changed.get_or_insert_with(watch::Sender::default).subscribe()
    }

    /// Applies the plan of a notice, and makes its day the one that is kept for longest.
    pub(super) fn apply_plan(
        &mut self,
        (day, ticket): TicketOfDay,
        kind: &NotificationKind,
        occurrence: u32,
        (order, at): (u32, i64),
    ) {
        self.begin_day(day);
        let Some(tickets) = self.tickets_mut(day) else { return };
        let sent_as_reply = matches!(kind, NotificationKind::Joined(_));
        if sent_as_reply && occurrence == 1 && !tickets.contains_key(&ticket) {
            tickets.insert(ticket, TicketNotices::Joined { order, at });
        } else {
            let name = format!("{}#{occurrence}", kind.name());
            let shown_name = kind.shown_name();
            tickets.entry(ticket).or_default().record_mut(&name).plan =
                Some(NoticePlan { order, at, sent_as_reply, shown_name });
        }
        self.notify();
    }

    /// Applies a record of the notice with this name.
    pub(super) fn apply_outcome(
        &mut self,
        (day, ticket): TicketOfDay,
        name: &str,
        record: OutcomeRecord,
    ) {
        let Some(tickets) = self.tickets_mut(day) else { return };
        let notice = tickets.entry(ticket).or_default().record_mut(name);
        let state = notice.outcome.get_or_insert_default();
        state.apply(record);
        // What was tried tells nothing more.
        if state.outcome.is_some() {
            state.attempt = None;
        }
        self.notify();
    }

    /// Clears the outcomes, since their log was made anew.
    pub(super) fn clear_outcomes(&mut self) {
        for notices in self.days.iter_mut().flat_map(|known| known.tickets.values_mut()) {
            if let TicketNotices::Records(records) = notices {
                records.0.iter_mut().for_each(|record| record.outcome = None);
            }
        }
        self.notify();
    }

    fn notify(&self) {
        if let Some(changed) = &self.changed {
            changed.send_replace(());
        }
    }

    /// Makes the day the one that is kept for longest.
    fn begin_day(&mut self, day: i32) {
        if self.days.last().is_some_and(|newest| newest.day == day) {
            return;
        }
        let known = self.days.iter().position(|known| known.day == day);
        let begun = known.map(|index| self.days.remove(index));
        self.days.push(begun.unwrap_or(DayNotices { day, tickets: BTreeMap::new() }));
        self.drop_days();
    }

    /// Returns the tickets of a day that is kept already, or that is newer than one of those.
    fn tickets_mut(&mut self, day: i32) -> Option<&mut BTreeMap<TicketId, TicketNotices>> {
        if !self.days.iter().any(|known| known.day == day) {
            let is_old = self.days.iter().all(|known| known.day > day);
            if self.days.len() >= RETAINED_DAYS && is_old {
                return None;
            }
            // Of a day without plans yet only outcomes are known.
            let index = self.days.len().saturating_sub(1);
            self.days.insert(index, DayNotices { day, tickets: BTreeMap::new() });
            self.drop_days();
        }
        self.days.iter_mut().find(|known| known.day == day).map(|known| &mut known.tickets)
    }

    fn drop_days(&mut self) {
        let over = self.days.len().saturating_sub(RETAINED_DAYS);
        self.days.drain(..over);
    }

    #[cfg(test)]
    pub(super) fn retained_days(&self) -> Vec<i32> {
        let mut days: Vec<_> = self.days.iter().map(|known| known.day).collect();
        days.sort_unstable();
        days
    }
}

impl Default for TicketNotices {
    fn default() -> Self {
        TicketNotices::Records(Box::default())
    }
}

impl TicketNotices {
    pub(super) fn iter(&self) -> impl Iterator<Item = NoticeView<'_>> {
        let (joined, records) = match self {
            TicketNotices::Joined { order, at } => (Some(joined_plan(*order, *at)), &[][..]),
            TicketNotices::Records(records) => (None, &records.0[..]),
        };
        let joined =
            joined.map(|plan| NoticeView { name: JOINED, plan: Some(plan), outcome: None });
        let records = records.iter().map(|record| NoticeView {
            name: &record.name,
            plan: record.plan,
            outcome: record.outcome.as_deref(),
        });
        joined.into_iter().chain(records)
    }

    /// Returns the notice with this name.
    pub(super) fn get(&self, name: &str) -> Option<NoticeView<'_>> {
        self.iter().find(|notice| notice.name == name)
    }

    fn record_mut(&mut self, name: &str) -> &mut NoticeRecord {
        if let TicketNotices::Joined { order, at } = *self {
            let plan = Some(joined_plan(order, at));
            let joined = NoticeRecord { name: JOINED.into(), plan, outcome: None };
            *self = TicketNotices::Records(Box::new(NoticeRecords(vec![joined])));
        }
        let TicketNotices::Records(records) = self else { unreachable!("made records above") };
        let known = records.0.iter().position(|record| *record.name == *name);
        let index = known.unwrap_or_else(|| {
            records.0.push(NoticeRecord { name: name.into(), ..NoticeRecord::default() });
            records.0.len() - 1
        });
        &mut records.0[index]
    }
}

fn joined_plan(order: u32, at: i64) -> NoticePlan {
    NoticePlan { order, at, sent_as_reply: true, shown_name: "joined" }
}
