//! Fold of the visit log into statistics, a business day at a time.
//!
//! A visit may stand in the log several times, in its last version when all entries of its day have
//! been read. The index tells which entry is the last of a day, so that only visits of days that
//! are incomplete are held.

use super::statistics::{Grouping, Statistics};
use crate::codec::visit_from_stored;
use paihao_contracts::envelope::{self, NewerForm, ReadError};
use paihao_contracts::visit::{HistoryEntry, VisitChange, VisitKey};
use paihao_domain::VisitRecord;
use paihao_ledger::{Position, StoredEntry};
use std::collections::{BTreeMap, BTreeSet};

/// Newest version of each visit of a day: ledger position of its commit, and the visit unless its
/// end was taken back.
type DayVisits = BTreeMap<VisitKey, (u64, Option<VisitRecord>)>;

/// Statistics of the visits that have ended, with the identities of those of one day.
pub(crate) struct EndedVisits {
    pub(crate) statistics: Statistics,
    /// Visits that ended on the current day.
    pub(crate) ended_today: BTreeSet<VisitKey>,
}

/// Fold of the log's entries into [`EndedVisits`].
pub(super) struct DayFold {
    incomplete: BTreeMap<i32, DayVisits>,
    /// Days with their last entries, in the order of these.
    ends: BTreeSet<(Position, i32)>,
    today: Option<i32>,
    ended: EndedVisits,
}

impl DayFold {
    /// Creates a fold of the days in this index of first and last entries.
    pub(super) fn new(
        index: &BTreeMap<i32, (Position, Position)>,
        today: Option<i32>,
        grouping: Grouping,
    ) -> DayFold {
        DayFold {
            incomplete: index.keys().map(|day| (*day, DayVisits::new())).collect(),
            ends: index.iter().map(|(day, (_, last))| (*last, *day)).collect(),
            today,
            ended: EndedVisits {
                statistics: Statistics::new(grouping),
                ended_today: BTreeSet::new(),
            },
        }
    }

    /// Applies the next entries, in their order.
    pub(super) fn apply(&mut self, entries: Vec<StoredEntry>) -> Result<(), NewerForm> {
        for stored in entries {
            if let Some(HistoryEntry { commit, records, .. }) = parse_entry(&stored)? {
                records.into_iter().for_each(|record| self.add(commit, record));
            }
            while let Some((last, day)) = self.ends.first().copied()
                && last <= stored.position
            {
                self.ends.pop_first();
                self.complete(day);
            }
        }
        Ok(())
    }

    /// Returns the result, with the visits of all days.
    pub(super) fn finish(mut self) -> EndedVisits {
        let days: Vec<_> = self.incomplete.keys().copied().collect();
        days.into_iter().for_each(|day| self.complete(day));
        self.ended
    }

    fn add(&mut self, commit: u64, record: VisitChange) {
        let key = record.key();
        let Some(visits) = self.incomplete.get_mut(&key.0) else { return };
        let newest = visits.entry(key).or_insert((0, None));
        if commit >= newest.0 {
            let visit = match record {
                VisitChange::Ended { visit, .. } => Some(visit_from_stored(*visit)),
                VisitChange::Retracted { .. } => None,
            };
            *newest = (commit, visit);
        }
    }

    fn complete(&mut self, day: i32) {
        for (key, (_, visit)) in self.incomplete.remove(&day).into_iter().flatten() {
            let Some(visit) = visit else { continue };
            self.ended.statistics.add(&visit);
            if self.today == Some(day) {
                self.ended.ended_today.insert(key);
            }
        }
    }
}

/// Parses an entry. A malformed one was logged when the projection read it.
fn parse_entry(stored: &StoredEntry) -> Result<Option<HistoryEntry>, NewerForm> {
    match envelope::decode(&stored.entry.payload) {
        Ok(entry) => Ok(Some(entry)),
        Err(ReadError::Newer(newer)) => Err(newer),
        Err(ReadError::Malformed(_)) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use paihao_contracts::commit;
    use paihao_ledger::{Entry, Subject};
    use proptest::prelude::*;

    fn visit(day: i32, ticket: u32, served_ms: i64) -> commit::VisitRecord {
        commit::VisitRecord {
            day,
            queue: if ticket.is_multiple_of(2) { "a" } else { "b" }.into(),
            counter: Some("1".into()),
            taken_at: i64::from(day) * 86_400_000 + i64::from(ticket) * 60_000,
            called_at: Some(60_000),
            started_at: Some(60_000),
            ended_at: 60_000 + served_ms,
            slot_ms: Some(served_ms),
            serving_ms: Some(served_ms),
            implausible: false,
            counts: commit::TicketCounts::default(),
            called_out_of_order: false,
            quoted: commit::QuotedWait { ahead: 0, minutes: None, cold: true },
            basis: None,
            overtaken: Default::default(),
            end: commit::VisitOutcome::Served,
        }
    }

    fn change((day, ticket, served_ms): (i32, u32, Option<i64>)) -> VisitChange {
        let visit = visit(day, ticket, served_ms.unwrap_or_default());
        match served_ms {
            Some(_) => VisitChange::Ended { ticket, visit: Box::new(visit) },
            None => VisitChange::Retracted { ticket, day, taken_at: visit.taken_at },
        }
    }

    fn stored(position: u64, commit: u64, records: Vec<VisitChange>) -> StoredEntry {
        let zone = "Asia/Shanghai".into();
        let entry = HistoryEntry { v: 1, commit, zone, records };
        StoredEntry {
            position: Position(position),
            subject: Subject::new(&["shop", "hall"]).unwrap(),
            at_ms: 0,
            entry: Entry::new(serde_json::to_vec(&entry).unwrap()),
        }
    }

    fn grouping() -> Grouping {
        Grouping { by_hour: true, zone: TimeZone::UTC, queue: None }
    }

    fn index(log: &[(u64, Vec<VisitChange>)]) -> BTreeMap<i32, (Position, Position)> {
        let mut index = BTreeMap::new();
        for (position, (_, records)) in (1..).map(Position).zip(log) {
            for record in records {
                index.entry(record.key().0).or_insert((position, position)).1 = position;
            }
        }
        index
    }

    /// Visits that count, by the definition: of each the version of the largest commit.
    fn newest_versions(log: &[(u64, Vec<VisitChange>)]) -> DayVisits {
        let mut newest = DayVisits::new();
        for (commit, records) in log {
            for record in records {
                let version = newest.entry(record.key()).or_insert((0, None));
                if *commit >= version.0 {
                    let ended = match record {
                        VisitChange::Ended { visit, .. } => Some((**visit).clone()),
                        VisitChange::Retracted { .. } => None,
                    };
                    *version = (*commit, ended.map(visit_from_stored));
                }
            }
        }
        newest
    }

    proptest! {
        /// Days that overlap, entries out of the order of their commits and twice, ends taken back.
        #[test]
        fn the_fold_counts_what_the_definition_says(
            log in prop::collection::vec(
                (1u64..40, prop::collection::vec((0i32..4, 1u32..6, prop::option::of(1i64..9)), 1..4)),
                0..40,
            ),
            batch in 1usize..7,
        ) {
            let log: Vec<(u64, Vec<_>)> = log
                .into_iter()
                .map(|(commit, records)| (commit, records.into_iter().map(change).collect()))
                .collect();
            let mut fold = DayFold::new(&index(&log), Some(2), grouping());
            let entries: Vec<_> = (1..)
                .zip(&log)
                .map(|(position, (commit, records))| stored(position, *commit, records.clone()))
                .collect();
            for entries in entries.chunks(batch) {
                fold.apply(entries.to_vec()).unwrap();
            }
            prop_assert!(fold.incomplete.is_empty(), "a day is held after its last entry");
            let ended = fold.finish();
            let expected = newest_versions(&log);
            let mut statistics = Statistics::new(grouping());
            let counted = || expected.iter().filter_map(|(key, (_, v))| Some((key, v.as_ref()?)));
            counted().for_each(|(_, visit)| statistics.add(visit));
            let today: BTreeSet<_> = counted().map(|(key, _)| *key).filter(|key| key.0 == 2).collect();
            prop_assert_eq!(&ended.ended_today, &today);
            let totals = |statistics: &Statistics| {
                let cells: Vec<_> = statistics.cells.iter().map(|(key, tally)| {
                    (key.clone(), tally.taken, tally.served, tally.services.quantile(50))
                }).collect();
                (cells, statistics.total.served)
            };
            prop_assert_eq!(totals(&ended.statistics), totals(&statistics));
        }
    }

    #[test]
    fn a_day_is_held_no_longer_than_until_its_last_entry() {
        let log: Vec<(u64, Vec<_>)> =
            (0..400).map(|day| (1, vec![change((day, 1, Some(1)))])).collect();
        let mut fold = DayFold::new(&index(&log), None, grouping());
        for (position, (commit, records)) in (1..).zip(log) {
            fold.apply(vec![stored(position, commit, records)]).unwrap();
            let held = fold.incomplete.values().filter(|visits| !visits.is_empty()).count();
            assert_eq!(held, 0, "after entry {position}");
        }
        assert_eq!(fold.finish().statistics.total.served, 400);
    }
}
