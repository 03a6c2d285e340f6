//! Coverage of a site by its stored snapshot, and the rule by which the next snapshot is due.

use super::changed_sites::ChangedSites;
use paihao_contracts::envelope::NewerForm;
use paihao_contracts::partitions::Partition;
use paihao_domain::Day;
use paihao_ledger::Position;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Entries of a site after which a snapshot is due at once. Replaying so many takes milliseconds.
const MAX_UNCOVERED_ENTRIES: u32 = 1_000;

/// Time after which an entry is covered in any case. What a site decided within it before a power
/// cut is lost if the site stays off for longer than the ledger's retention.
const MAX_UNCOVERED_AGE: Duration = Duration::from_secs(5 * 60);

/// Time after the turn of the day until a snapshot is due. The first decisions of a day come
/// together, and a large day turns in several.
const DAY_SETTLE_DELAY: Duration = Duration::from_secs(5);

/// Signals from the replica of a partition, which applies entries, to its writer of snapshots and
/// to the timers.
pub(super) struct CoverageSignals {
    /// The partition.
    pub(super) partition: Partition,
    followed: AtomicU64,
    /// True after the ledger was made anew, until the floor of the snapshots is stored again.
    was_reset: AtomicBool,
    newer: OnceLock<NewerForm>,
    /// Wakes the writer: a snapshot is due at once.
    pub(super) wake: Notify,
    /// Sites whose timers are to be looked at, of all partitions.
    pub(super) changed: Arc<ChangedSites>,
}

impl CoverageSignals {
    /// Creates the signals of a partition.
    pub(super) fn new(partition: Partition, changed: Arc<ChangedSites>) -> CoverageSignals {
        CoverageSignals {
            partition,
            followed: AtomicU64::new(0),
            was_reset: AtomicBool::new(false),
            newer: OnceLock::new(),
            wake: Notify::new(),
            changed,
        }
    }

    /// Position of the newest entry that the follower has applied, with all before it.
    pub(super) fn followed(&self) -> Position {
        Position(self.followed.load(Ordering::Acquire))
    }

    pub(super) fn set_followed(&self, position: Position) {
        self.followed.store(position.0, Ordering::Release);
    }

    /// Form of a snapshot that a newer program wrote and the start could not restore.
    pub(super) fn newer(&self) -> Option<NewerForm> {
        self.newer.get().copied()
    }

    pub(super) fn set_newer(&self, newer: NewerForm) {
        let _ = self.newer.set(newer);
    }

    /// Records that the ledger was made anew.
    pub(super) fn reset(&self) {
        self.set_followed(Position::START);
        self.was_reset.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Returns whether the ledger was made anew since the last call.
    pub(super) fn take_reset(&self) -> bool {
        self.was_reset.swap(false, Ordering::AcqRel)
    }

    /// Undoes the last call of [`CoverageSignals::take_reset`].
    pub(super) fn put_reset_back(&self, was_reset: bool) {
        self.was_reset.fetch_or(was_reset, Ordering::AcqRel);
    }
}

/// Coverage of one site.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    /// Newest known snapshot.
    pub(super) stored: Option<StoredSnapshot>,
    uncovered: Uncovered,
    /// Entry of the log of snapshots that is of a former ledger and is to be replaced;
    /// [`Position::START`] if this replica knows none.
    pub(super) void: Option<Position>,
}

/// Snapshot in the log of snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoredSnapshot {
    /// Position in the log of snapshots.
    pub(super) entry: Position,
    /// Business day of the site in it.
    pub(super) day: Option<Day>,
}

/// Entries of the ledger that the stored snapshot does not include.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Uncovered {
    entries: u32,
    /// Time at which the oldest of them was applied.
    since: Option<Instant>,
    /// Position of the ledger up to which none of them stands.
    floor: Position,
    /// True if one of them forgot a person, who has to leave the snapshot at once.
    forgets: bool,
}

impl Coverage {
    /// Records an entry of the site. Returns whether a snapshot is due at once.
    pub(super) fn record_entry(&mut self, followed: Position, forgets: bool) -> bool {
        let uncovered = &mut self.uncovered;
        if uncovered.since.is_none() {
            uncovered.since = Some(Instant::now());
            uncovered.floor = followed;
        }
        uncovered.entries = uncovered.entries.saturating_add(1);
        uncovered.forgets |= forgets;
        forgets || uncovered.entries == MAX_UNCOVERED_ENTRIES
    }

    /// Returns whether a snapshot of the site, which is in the business day `day`, is due.
    pub(super) fn is_due(&self, day: Option<Day>) -> bool {
        let Uncovered { entries, since, forgets, .. } = self.uncovered;
        let age = since.map_or(Duration::ZERO, |since| since.elapsed());
        let day_turned = self.stored.is_some_and(|stored| stored.day != day);
        self.void.is_some()
            || forgets
            || entries >= MAX_UNCOVERED_ENTRIES
            || age >= MAX_UNCOVERED_AGE
            || (day_turned && age >= DAY_SETTLE_DELAY)
    }

    /// Returns whether the stored snapshot is not the newest state.
    pub(super) fn is_behind(&self) -> bool {
        self.void.is_some() || self.uncovered.since.is_some()
    }

    /// Takes what a snapshot is about to cover. The state has to be read after it.
    pub(super) fn take_uncovered(&mut self) -> Uncovered {
        std::mem::take(&mut self.uncovered)
    }

    /// Puts back what could not be covered.
    pub(super) fn put_back(&mut self, failed: Uncovered) {
        if failed.since.is_none() {
            return;
        }
        let later = std::mem::replace(&mut self.uncovered, failed);
        self.uncovered.entries = failed.entries.saturating_add(later.entries);
        self.uncovered.forgets |= later.forgets;
    }

    /// Puts back what cannot be covered for now, so that it is tried again after a while.
    pub(super) fn postpone(&mut self, failed: Uncovered) {
        self.put_back(Uncovered { entries: 1, forgets: false, ..failed });
        self.uncovered.since = self.uncovered.since.map(|_| Instant::now());
    }

    /// Records the newest snapshot.
    pub(super) fn set_stored(&mut self, stored: StoredSnapshot) {
        self.stored = Some(stored);
        self.void = None;
    }

    /// Position of the ledger up to which the site is covered, if `followed` was applied.
    pub(super) fn floor(&self, followed: Position) -> Position {
        self.uncovered.since.map_or(followed, |_| self.uncovered.floor)
    }

    /// Records that the ledger was made anew: the stored snapshot is one of the former ledger.
    pub(super) fn reset(&mut self) {
        let stored = self.stored.map(|stored| stored.entry).or(self.void);
        *self = Coverage { void: stored.or(Some(Position::START)), ..Coverage::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Option<Day> = Some(Day(20_000));

    fn stored(day: Option<Day>) -> Coverage {
        let stored = Some(StoredSnapshot { entry: Position(1), day });
        Coverage { stored, ..Coverage::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_snapshot_is_due_by_count_by_age_by_the_day_and_when_somebody_was_forgotten() {
        let mut coverage = stored(TODAY);
        assert!(!coverage.is_due(TODAY));
        for _ in 1..MAX_UNCOVERED_ENTRIES {
            assert!(!coverage.record_entry(Position(9), false));
        }
        assert!(!coverage.is_due(TODAY));
        assert!(coverage.record_entry(Position(9), false) && coverage.is_due(TODAY));

        let mut coverage = stored(TODAY);
        coverage.record_entry(Position(9), false);
        tokio::time::advance(MAX_UNCOVERED_AGE).await;
        assert!(coverage.is_due(TODAY));

        let mut coverage = stored(Some(Day(19_999)));
        coverage.record_entry(Position(9), false);
        assert!(!coverage.is_due(TODAY));
        tokio::time::advance(DAY_SETTLE_DELAY).await;
        assert!(coverage.is_due(TODAY));

        let mut coverage = stored(TODAY);
        assert!(coverage.record_entry(Position(9), true) && coverage.is_due(TODAY));
    }

    #[tokio::test(start_paused = true)]
    async fn what_failed_holds_the_floor_until_it_is_covered() {
        let mut coverage = stored(TODAY);
        assert_eq!(coverage.floor(Position(9)), Position(9));
        coverage.record_entry(Position(9), true);
        let taken = coverage.take_uncovered();
        coverage.record_entry(Position(20), false);
        assert_eq!(coverage.floor(Position(30)), Position(20));
        coverage.put_back(taken);
        assert_eq!(coverage.floor(Position(30)), Position(9));
        assert!(coverage.is_due(TODAY), "still to be forgotten");
        let taken = coverage.take_uncovered();
        coverage.postpone(taken);
        assert!(!coverage.is_due(TODAY) && coverage.is_behind());
        tokio::time::advance(MAX_UNCOVERED_AGE).await;
        assert!(coverage.is_due(TODAY));
        assert_eq!(coverage.floor(Position(30)), Position(9));
    }

    #[test]
    fn a_snapshot_of_a_former_ledger_is_replaced() {
        let mut coverage = stored(TODAY);
        coverage.reset();
        coverage.reset();
        assert_eq!((coverage.void, coverage.is_due(None)), (Some(Position(1)), true));
        coverage.set_stored(StoredSnapshot { entry: Position(5), day: None });
        assert!(!coverage.is_due(None));
    }
}
