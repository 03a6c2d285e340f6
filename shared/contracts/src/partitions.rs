//! Partitions of the ledger: each has logs of its own, and a hash of the site tells which one is
//! the site's.
//!
//! A position is one within the partition of its site. Nothing compares positions of two
//! partitions.

use crate::streams::{
    Consumer, DEAD_LETTERS, HISTORY, LEDGER, Log, OUTCOMES, PLANNER, REDRIVER, SETTINGS, SNAPSHOTS,
    STAFF, STAFF_SESSIONS, UNFOLLOW_FINDER, VISIT_WRITER, WEBHOOK_PLANNER,
};
use sha2::{Digest, Sha256};

/// Most partitions of a ledger.
pub const MAX_PARTITIONS: usize = 16;

/// Names of the logs of each partition, if there are several.
const NAMES: [(&str, &str); MAX_PARTITIONS] = [
    ("ledger-1", "snapshots-1"),
    ("ledger-2", "snapshots-2"),
    ("ledger-3", "snapshots-3"),
    ("ledger-4", "snapshots-4"),
    ("ledger-5", "snapshots-5"),
    ("ledger-6", "snapshots-6"),
    ("ledger-7", "snapshots-7"),
    ("ledger-8", "snapshots-8"),
    ("ledger-9", "snapshots-9"),
    ("ledger-10", "snapshots-10"),
    ("ledger-11", "snapshots-11"),
    ("ledger-12", "snapshots-12"),
    ("ledger-13", "snapshots-13"),
    ("ledger-14", "snapshots-14"),
    ("ledger-15", "snapshots-15"),
    ("ledger-16", "snapshots-16"),
];

/// Logs of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// Number of the partition, from 0.
    pub index: usize,
    /// Decisions of its sites.
    pub ledger: Log,
    /// Snapshots of its sites, and their floor.
    pub snapshots: Log,
}

/// Number of partitions of a ledger, from 1 to [`MAX_PARTITIONS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partitions(usize);

impl Partitions {
    /// Ledger in one partition, with the logs [`LEDGER`] and [`SNAPSHOTS`].
    pub const ONE: Partitions = Partitions(1);

    /// Returns `None` for a number that no ledger has.
    pub fn new(count: usize) -> Option<Partitions> {
        (1..=MAX_PARTITIONS).contains(&count).then_some(Partitions(count))
    }

    /// Number of partitions.
    pub fn count(self) -> usize {
        self.0
    }

    /// All partitions, in order.
    pub fn all(self) -> impl DoubleEndedIterator<Item = Partition> + Clone {
        (0..self.0).map(move |index| self.partition(index))
    }

    /// Returns the partition of a site, by its subject in the ledger, `account.site`: the first
    /// eight bytes of the subject's SHA-256, as a big-endian number, modulo the number of
    /// partitions.
    pub fn of(self, subject: &str) -> Partition {
        if self == Partitions::ONE {
            return self.partition(0);
        }
        let hash = Sha256::digest(subject);
        let number = hash.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte));
        self.partition((number % self.0 as u64) as usize)
    }

    /// All logs of a store with so many partitions. Those of decisions come first: a store that has
    /// another one has had all of them.
    pub fn logs(self) -> impl Iterator<Item = Log> {
        let ledgers = self.all().map(|partition| partition.ledger);
        let snapshots = self.all().map(|partition| partition.snapshots);
        let others = [SETTINGS, STAFF, STAFF_SESSIONS, OUTCOMES, HISTORY, DEAD_LETTERS];
        ledgers.chain(snapshots).chain(others)
    }

    /// All shared consumers, with their logs.
    pub fn consumers(self) -> impl Iterator<Item = (Log, Consumer)> {
        let of_decisions = self.all().flat_map(|partition| {
            [PLANNER, WEBHOOK_PLANNER, VISIT_WRITER].map(|consumer| (partition.ledger, consumer))
        });
        of_decisions.chain([(DEAD_LETTERS, REDRIVER), (OUTCOMES, UNFOLLOW_FINDER)])
    }

    fn partition(self, index: usize) -> Partition {
        let (ledger, snapshots) =
            if self.0 == 1 { (LEDGER.name, SNAPSHOTS.name) } else { NAMES[index] };
        Partition {
            index,
            ledger: Log { name: ledger, ..LEDGER },
            snapshots: Log { name: snapshots, ..SNAPSHOTS },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::{CONSUMERS, LOGS};
    use std::collections::BTreeSet;

    fn every_number() -> impl Iterator<Item = Partitions> {
        (1..=MAX_PARTITIONS).map(|count| Partitions::new(count).unwrap())
    }

    #[test]
    fn one_partition_is_the_ledger_as_it_was() {
        assert_eq!(Partitions::ONE.logs().collect::<Vec<_>>(), LOGS);
        assert_eq!(Partitions::ONE.consumers().collect::<Vec<_>>(), CONSUMERS);
        assert_eq!([0, MAX_PARTITIONS + 1].map(Partitions::new), [None, None]);
    }

    #[test]
    fn every_partition_has_logs_of_its_own_of_the_same_kind() {
        for partitions in every_number() {
            let names: BTreeSet<_> = partitions.logs().map(|log| log.name).collect();
            assert_eq!(names.len(), LOGS.len() - 2 + 2 * partitions.count());
            for Partition { index, ledger, snapshots } in partitions.all() {
                assert_eq!((ledger.retention, ledger.keep), (LEDGER.retention, LEDGER.keep));
                assert_eq!((snapshots.retention, snapshots.keep), (None, SNAPSHOTS.keep));
                assert_eq!([ledger, snapshots].map(|log| log.family()), ["ledger", "snapshots"]);
                assert_eq!(partitions.all().nth(index).unwrap().ledger, ledger);
            }
        }
        for log in LOGS {
            assert_eq!(log.family(), log.name);
        }
    }

    /// Numbers that another program computes alike: `printf main.hall | sha256sum`.
    #[test]
    fn the_partition_of_a_site_never_changes() {
        let of = |subject: &str| {
            every_number().map(|partitions| partitions.of(subject).index).collect::<Vec<_>>()
        };
        assert_eq!(of("main.hall"), VECTORS[0]);
        assert_eq!(of("gh_1.Hall-2"), VECTORS[1]);
        assert_eq!(of("a.b"), VECTORS[2]);
    }

    const VECTORS: [[usize; MAX_PARTITIONS]; 3] = [
        [0, 1, 0, 3, 4, 3, 2, 7, 3, 9, 1, 3, 4, 9, 9, 15],
        [0, 0, 1, 0, 0, 4, 1, 0, 1, 0, 6, 4, 0, 8, 10, 8],
        [0, 1, 0, 3, 2, 3, 4, 7, 0, 7, 2, 3, 2, 11, 12, 15],
    ];

    #[test]
    fn sites_with_names_in_a_row_divide_evenly() {
        const SITES: usize = 4_096;
        let shapes: [fn(usize) -> String; 4] = [
            |i| format!("main.hall-{i}"),
            |i| format!("main.{i}"),
            |i| format!("gh_{i}.hall"),
            |i| format!("a{}.b{}", i % 64, i / 64),
        ];
        for partitions in every_number() {
            for shape in shapes {
                let mut counts = vec![0_usize; partitions.count()];
                (0..SITES).for_each(|i| counts[partitions.of(&shape(i)).index] += 1);
                let mean = SITES as f64 / partitions.count() as f64;
                // Five standard deviations of a fair draw.
                let bound = 5.0 * mean.sqrt();
                for count in counts {
                    assert!((count as f64 - mean).abs() <= bound, "{count} of a mean of {mean}");
                }
            }
        }
    }
}
