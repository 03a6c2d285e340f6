//! State of the projection of visits: the forecast model of each queue, the accuracy of recent
//! quotes, and the positions of each day in the log. Its size depends on the number of sites and
//! days, and not of visits.

use crate::codec::visit_from_stored;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use paihao_contracts::visit::{HistoryEntry, VisitChange, VisitKey};
use paihao_domain::{Accuracy, ForecastModel, VisitRecord};
use paihao_ledger::{Position, Subject};
use std::collections::{BTreeMap, BTreeSet};

/// Number of days of each site for which visits are deduplicated: a visit may be logged again as
/// long as the ledger has its commit.
const DEDUPLICATION_DAYS: i32 = 4;

/// Number of days that count for the accuracy.
const ACCURACY_WINDOW_DAYS: i32 = 28;

/// Largest number of days of a site whose positions are indexed.
const MAX_INDEXED_DAYS: usize = 1_200;

#[derive(Default)]
pub(super) struct ForecastState {
    sites: BTreeMap<Subject, SiteForecast>,
    accuracy_by_day: BTreeMap<i32, Accuracy>,
}

#[derive(Default)]
struct SiteForecast {
    model: ForecastModel,
    seen_visits: BTreeSet<VisitKey>,
    /// First and last entry of each business day.
    positions_by_day: BTreeMap<i32, (Position, Position)>,
}

impl ForecastState {
    pub(super) fn model(&self, site: &Subject) -> ForecastModel {
        self.sites.get(site).map(|site_forecast| site_forecast.model.clone()).unwrap_or_default()
    }

    pub(super) fn accuracy(&self) -> Accuracy {
        let mut all = Accuracy::default();
        self.accuracy_by_day.values().for_each(|day| all.merge(day));
        all
    }

    /// Returns the range of entries with all visits that ended on these days.
    pub(super) fn position_range(
        &self,
        site: &Subject,
        from: i32,
        to: i32,
    ) -> Option<(Position, Position)> {
        let days =
            || self.sites.get(site).into_iter().flat_map(|s| s.positions_by_day.range(from..=to));
        let first = days().map(|(_, (first, _))| *first).min()?;
        Some((first, days().map(|(_, (_, last))| *last).max()?))
    }

    pub(super) fn apply(&mut self, site: &Subject, position: Position, entry: HistoryEntry) {
        let site_forecast = self.sites.entry(site.clone()).or_default();
        for record in entry.records {
            let key = record.key();
            site_forecast.index_day(key.0, position);
            // The observation of an end that was undone is kept: it is one visit of many.
            let VisitChange::Ended { visit, .. } = record else { continue };
            if !site_forecast.insert_if_new(key) {
                continue;
            }
            let visit = visit_from_stored(*visit);
            if let Some(observation) = visit.observation() {
                site_forecast.model.learn(&visit.queue, &observation);
            }
            score_visit(self.accuracy_by_day.entry(key.0).or_default(), &visit, &entry.zone);
        }
        let newest = self.accuracy_by_day.keys().next_back().copied().unwrap_or(0);
        while self
            .accuracy_by_day
            .first_key_value()
            .is_some_and(|(day, _)| *day <= newest - ACCURACY_WINDOW_DAYS)
        {
            self.accuracy_by_day.pop_first();
        }
    }
}

impl SiteForecast {
    fn index_day(&mut self, day: i32, position: Position) {
        let range = self.positions_by_day.entry(day).or_insert((position, position));
        range.1 = position;
        if self.positions_by_day.len() > MAX_INDEXED_DAYS {
            self.positions_by_day.pop_first();
        }
    }

    fn insert_if_new(&mut self, key: VisitKey) -> bool {
        let newest = self.seen_visits.last().map_or(key.0, |(day, ..)| *day);
        if key.0 <= newest - DEDUPLICATION_DAYS {
            return false;
        }
        if key.0 > newest {
            self.seen_visits =
                self.seen_visits.split_off(&(key.0 - DEDUPLICATION_DAYS, 0, i64::MIN));
        }
        self.seen_visits.insert(key)
    }
}

/// Scores a visit, if its wait can be compared with the quoted one.
pub(super) fn score_visit(accuracy: &mut Accuracy, visit: &VisitRecord, zone: &str) {
    let (Some(waited_s), Some(basis), Some(range)) =
        (visit.comparable_wait_s(), visit.basis, visit.quoted.estimate)
    else {
        return;
    };
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let hour = hour_of_day(visit.taken_at.0, &zone);
    accuracy.add(visit.quoted.ahead, hour, basis.median_s, range.high * 60, waited_s);
}

/// Returns the hour of an instant in a time zone.
pub(super) fn hour_of_day(unix_ms: i64, zone: &TimeZone) -> u8 {
    let at = Timestamp::from_millisecond(unix_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(zone.clone()).hour().unsigned_abs()
}
