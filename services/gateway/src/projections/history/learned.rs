//! What one replica keeps of the history: what each queue's visits have taught, how well people were
//! told the truth lately, and where in the log each day stands. Its size goes with the sites and
//! their days, not with the visits.

use crate::stored::visit_in;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use paihao_contracts::history::{HistoryEntry, Record, VisitKey};
use paihao_domain::{Accuracy, EndedVisit, Model};
use paihao_ledger::{Position, Subject};
use std::collections::{BTreeMap, BTreeSet};

/// So many days of each site are remembered visit by visit: an entry is written twice at most as
/// long after its commit as the ledger keeps that.
const KNOWN_DAYS: i32 = 4;

/// So many days count for how well people are told the truth.
const RECENT_DAYS: i32 = 28;

/// Days of a site whose place in the log is remembered.
const PLACED_DAYS: usize = 1_200;

#[derive(Default)]
pub(super) struct Learned {
    sites: BTreeMap<Subject, OfSite>,
    recent: BTreeMap<i32, Accuracy>,
}

#[derive(Default)]
struct OfSite {
    model: Model,
    known: BTreeSet<VisitKey>,
    /// By business day: the first and the last entry that say something of it.
    places: BTreeMap<i32, (Position, Position)>,
}

impl Learned {
    pub(super) fn model(&self, site: &Subject) -> Model {
        self.sites.get(site).map(|of_site| of_site.model.clone()).unwrap_or_default()
    }

    pub(super) fn accuracy(&self) -> Accuracy {
        let mut all = Accuracy::default();
        self.recent.values().for_each(|day| all.merge(day));
        all
    }

    /// Between which entries everything stands that is said of visits that ended on these days.
    pub(super) fn place(&self, site: &Subject, from: i32, to: i32) -> Option<(Position, Position)> {
        let days = || self.sites.get(site).into_iter().flat_map(|s| s.places.range(from..=to));
        let first = days().map(|(_, (first, _))| *first).min()?;
        Some((first, days().map(|(_, (_, last))| *last).max()?))
    }

    pub(super) fn add(&mut self, site: &Subject, position: Position, entry: HistoryEntry) {
        let of_site = self.sites.entry(site.clone()).or_default();
        for record in entry.records {
            let key = record.key();
            of_site.place_of(key.0, position);
            // Of an end that was taken back, what it taught stays: it is one visit of many.
            let Record::Ended { visit, .. } = record else { continue };
            if !of_site.is_new(key) {
                continue;
            }
            let visit = visit_in(*visit);
            if let Some(lesson) = visit.lesson() {
                of_site.model.learn(&visit.queue, &lesson);
            }
            score(self.recent.entry(key.0).or_default(), &visit, &entry.zone);
        }
        let newest = self.recent.keys().next_back().copied().unwrap_or(0);
        while self.recent.first_key_value().is_some_and(|(day, _)| *day <= newest - RECENT_DAYS) {
            self.recent.pop_first();
        }
    }
}

impl OfSite {
    fn place_of(&mut self, day: i32, position: Position) {
        let place = self.places.entry(day).or_insert((position, position));
        place.1 = position;
        if self.places.len() > PLACED_DAYS {
            self.places.pop_first();
        }
    }

    fn is_new(&mut self, key: VisitKey) -> bool {
        let newest = self.known.last().map_or(key.0, |(day, ..)| *day);
        if key.0 <= newest - KNOWN_DAYS {
            return false;
        }
        if key.0 > newest {
            self.known = self.known.split_off(&(key.0 - KNOWN_DAYS, 0, i64::MIN));
        }
        self.known.insert(key)
    }
}

/// Counts a visit whose wait can be held against what was told.
pub(super) fn score(accuracy: &mut Accuracy, visit: &EndedVisit, zone: &str) {
    let (Some(waited_s), Some(basis), Some(range)) =
        (visit.comparable_wait_s(), visit.basis, visit.told.estimate)
    else {
        return;
    };
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let hour = hour(visit.taken_at.0, &zone);
    accuracy.add(visit.told.ahead, hour, basis.median_s, range.high * 60, waited_s);
}

/// The hour of an instant by the clocks of a place.
pub(super) fn hour(unix_ms: i64, zone: &TimeZone) -> u8 {
    let at = Timestamp::from_millisecond(unix_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(zone.clone()).hour().unsigned_abs()
}
