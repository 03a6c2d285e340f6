//! Statistics of visits: counts, durations, accuracy and fairness, as docs/reference/statistics.md
//! defines them.

use super::forecast_model::{hour_of_day, score_visit};
use jiff::tz::TimeZone;
use paihao_domain::{
    Accuracy, CloseReason, OvertakeCounts, QueueId, Ticket, Timestamp, VisitOutcome, VisitRecord,
};
use std::collections::BTreeMap;

/// Key of a cell of the table: business day, hour if figures are by the hour, queue.
pub(crate) type CellKey = (i32, Option<u8>, QueueId);

/// Totals of visits of one cell, or of several.
#[derive(Debug, Clone, Default)]
pub(crate) struct VisitTally {
    pub(crate) taken: u32,
    pub(crate) served: u32,
    pub(crate) missed: u32,
    pub(crate) left: u32,
    pub(crate) void: u32,
    pub(crate) ongoing: u32,
    pub(crate) missed_calls: u32,
    pub(crate) waits: Durations,
    pub(crate) services: Durations,
    pub(crate) accuracy: Accuracy,
    pub(crate) overtaken_people: u32,
    pub(crate) overtaken: OvertakeCounts,
}

/// Durations in whole seconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Durations(Vec<u32>);

impl Durations {
    fn add(&mut self, ms: i64) {
        self.0.push(u32::try_from(ms.max(0) / 1_000).unwrap_or(u32::MAX));
    }

    pub(crate) fn count(&self) -> u32 {
        self.0.len() as u32
    }

    /// Returns the shortest of the times that at least this share of them, in percent, does not
    /// exceed; `None` if there are none.
    pub(crate) fn quantile(&self, percent: usize) -> Option<u32> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (percent * sorted.len()).div_ceil(100).max(1);
        sorted.get(rank - 1).copied()
    }
}

impl VisitTally {
    fn add(&mut self, visit: &VisitRecord, zone: &str) {
        self.taken += 1;
        *match visit.end {
            VisitOutcome::Served => &mut self.served,
            VisitOutcome::Closed(CloseReason::Expired) => &mut self.missed,
            VisitOutcome::Closed(CloseReason::DayClosed | CloseReason::QueueCleared) => {
                &mut self.void
            }
            VisitOutcome::Closed(
                CloseReason::ByCustomer | CloseReason::ByStaff | CloseReason::Duplicate,
            ) => &mut self.left,
        } += 1;
        self.missed_calls += visit.counts.misses;
        if let Some(waited_ms) = visit.waited_ms() {
            self.waits.add(waited_ms);
        }
        if let Some(service_ms) = visit.service_ms().filter(|_| !visit.implausible) {
            self.services.add(service_ms);
        }
        score_visit(&mut self.accuracy, visit, zone);
        self.overtaken_people += u32::from(visit.overtaken.total() > 0);
        let OvertakeCounts { priority, returned, transferred, resumed, taken_back, out_of_order } =
            visit.overtaken;
        self.overtaken.priority += priority;
        self.overtaken.returned += returned;
        self.overtaken.transferred += transferred;
        self.overtaken.resumed += resumed;
        self.overtaken.taken_back += taken_back;
        self.overtaken.out_of_order += out_of_order;
    }
}

/// Selection of visits, and the cells that they count in.
#[derive(Debug, Clone)]
pub(crate) struct Grouping {
    /// True if figures are by the hour, false by the day.
    pub(crate) by_hour: bool,
    /// Time zone of hours.
    pub(crate) zone: TimeZone,
    /// Only queue that counts; every queue if absent.
    pub(crate) queue: Option<QueueId>,
}

/// Statistics of a site.
#[derive(Debug)]
pub(crate) struct Statistics {
    grouping: Grouping,
    pub(crate) cells: BTreeMap<CellKey, VisitTally>,
    /// Totals of all queues by business day, and hour if figures are by the hour. They are not
    /// derived from the cells, since medians do not add up.
    pub(crate) all_queues: BTreeMap<(i32, Option<u8>), VisitTally>,
    pub(crate) total: VisitTally,
}

impl Statistics {
    /// Creates the statistics of no visit.
    pub(crate) fn new(grouping: Grouping) -> Statistics {
        Statistics {
            grouping,
            cells: BTreeMap::new(),
            all_queues: BTreeMap::new(),
            total: VisitTally::default(),
        }
    }

    /// Adds a visit that has ended, if it is selected.
    pub(crate) fn add(&mut self, visit: &VisitRecord) {
        let zone = self.grouping.zone.clone();
        let name = zone.iana_name().unwrap_or("UTC");
        for tally in self.matching_tallies(visit.day.0, visit.taken_at, &visit.queue) {
            tally.add(visit, name);
        }
    }

    /// Adds a live ticket of this day, if it is selected.
    pub(crate) fn add_ongoing(&mut self, ticket: &Ticket, day: i32) {
        for tally in self.matching_tallies(day, ticket.taken_at, &ticket.queue) {
            tally.taken += 1;
            tally.ongoing += 1;
        }
    }

    /// Returns the tallies that a visit counts in; none if its queue is not selected.
    fn matching_tallies(
        &mut self,
        day: i32,
        taken_at: Timestamp,
        queue: &QueueId,
    ) -> impl Iterator<Item = &mut VisitTally> {
        let Grouping { by_hour, zone, queue: selected } = &self.grouping;
        let is_selected = selected.as_ref().is_none_or(|selected| selected == queue);
        let hour = by_hour.then(|| hour_of_day(taken_at.0, zone));
        let tallies = is_selected.then(|| {
            let cell = self.cells.entry((day, hour, queue.clone())).or_default();
            [cell, self.all_queues.entry((day, hour)).or_default(), &mut self.total]
        });
        tallies.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_and_nine_of_ten_are_not_exceeded() {
        let quantiles = |count: i64| {
            let mut times = Durations::default();
            (1..=count).rev().for_each(|s| times.add(s * 1_000));
            (times.quantile(50), times.quantile(90))
        };
        assert_eq!(quantiles(0), (None, None));
        assert_eq!(quantiles(1), (Some(1), Some(1)));
        assert_eq!(quantiles(4), (Some(2), Some(4)));
        assert_eq!(quantiles(10), (Some(5), Some(9)));
    }
}
