//! Followers of all partitions of the ledger.

use paihao_contracts::envelope::NewerForm;
use paihao_contracts::partitions::{Partition, Partitions};
use paihao_ledger::Ledger;
use paihao_ledger::projection::{Follower, NotReached};
use std::sync::Arc;
use std::time::Duration;

/// Followers of the partitions, in their order. Cheap to clone.
#[derive(Clone)]
pub(super) struct Followers {
    partitions: Partitions,
    of_each: Arc<[Follower<()>]>,
}

impl Followers {
    /// Creates the followers of these partitions, one for each.
    pub(super) fn new(partitions: Partitions, of_each: Vec<Follower<()>>) -> Followers {
        Followers { partitions, of_each: of_each.into() }
    }

    /// Returns the follower of a partition.
    pub(super) fn of(&self, partition: &Partition) -> &Follower<()> {
        &self.of_each[partition.index]
    }

    /// Returns whether every partition has been read up to its head at the start.
    pub(super) fn caught_up(&self) -> bool {
        self.of_each.iter().all(Follower::caught_up)
    }

    /// Waits until [`Followers::caught_up`], or following ends.
    pub(super) async fn until_caught_up(&self) {
        for follower in &*self.of_each {
            follower.until_caught_up().await;
        }
    }

    /// Waits until every entry is applied that any partition has at the call.
    pub(super) async fn until_head(
        &self,
        ledger: &dyn Ledger,
        limit: Duration,
    ) -> Result<(), NotReached> {
        let reached = self.partitions.all().map(|partition| async move {
            self.of(&partition).until_head(ledger, &partition.ledger, limit).await
        });
        futures::future::try_join_all(reached).await.map(drop)
    }

    /// Returns the form of an entry that a newer program wrote.
    pub(super) fn newer(&self) -> Option<NewerForm> {
        self.of_each.iter().find_map(Follower::newer)
    }
}
