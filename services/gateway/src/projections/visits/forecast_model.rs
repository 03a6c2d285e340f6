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
use std::ops::RangeInclusive;

/// Number of days with visits of each site for which visits are deduplicated: a visit may be logged
/// again as long as the ledger has its commit. Days are counted rather than subtracted, so that one
/// in the future, where a wrong clock was, takes the place of one and no more.
const DEDUPLICATION_DAYS: usize = 6;

/// Number of days with visits that count for the accuracy.
const ACCURACY_WINDOW_DAYS: usize = 28;

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
    seen_visits: BTreeMap<i32, BTreeSet<VisitKey>>,
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

    /// Returns the first and the last entry of each of these days that has visits.
    pub(super) fn positions_by_day(
        &self,
        site: &Subject,
        days: RangeInclusive<i32>,
    ) -> BTreeMap<i32, (Position, Position)> {
        let indexed = self.sites.get(site).map(|site| site.positions_by_day.range(days));
        indexed.into_iter().flatten().map(|(day, positions)| (*day, *positions)).collect()
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
        while self.accuracy_by_day.len() > ACCURACY_WINDOW_DAYS {
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
        let is_full = self.seen_visits.len() >= DEDUPLICATION_DAYS;
        let oldest = self.seen_visits.first_key_value().map(|(day, _)| *day);
        if is_full && oldest.is_some_and(|oldest| key.0 < oldest) {
            return false;
        }
        let is_new = self.seen_visits.entry(key.0).or_default().insert(key);
        if self.seen_visits.len() > DEDUPLICATION_DAYS {
            self.seen_visits.pop_first();
        }
        is_new
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
    let promised_s = range.promised_minutes().map(|minutes| minutes * 60);
    accuracy.add(visit.quoted.ahead, hour, basis.median_s, promised_s, waited_s);
}

/// Returns the hour of an instant in a time zone.
pub(super) fn hour_of_day(unix_ms: i64, zone: &TimeZone) -> u8 {
    let at = Timestamp::from_millisecond(unix_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(zone.clone()).hour().unsigned_abs()
}
