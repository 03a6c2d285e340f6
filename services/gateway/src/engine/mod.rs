//! Engine: follows the ledger, which holds the lines of all sites, and decides commands by
//! appending to it.
//!
//! - `append_spans`: the traces that an append belongs to;
//! - `view`: the replica of one site, and its snapshots;
//! - `replica`: the projection of each partition of the ledger onto its sites;
//! - `followers`: the followers of all partitions;
//! - `site_worker`: the worker that decides the commands of a site and appends the decisions;
//! - `changed_sites`: signals to the timers;
//! - `timers`: the task that proposes what is due by time, of all sites;
//! - `registry`: the current sites with their settings and workers;
//! - `snapshot_log`: stored snapshots, from which a start restores the sites;
//! - `snapshot_writer`: the task of each partition that stores a snapshot of a site when `coverage`
//!   says so;
//! - `past_decisions`: the decisions that restored snapshots include, for the observer;
//! - `as_of`: snapshots of a site at a past instant.

mod append_spans;
pub(crate) mod as_of;
mod changed_sites;
mod coverage;
mod followers;
mod past_decisions;
mod registry;
mod replica;
mod site_worker;
mod snapshot_log;
mod snapshot_writer;
mod timers;
mod view;

pub use site_worker::{CommandOutcome, Forecasts, SUBMIT_TIMEOUT, SubmitError};
pub use view::{DecisionObserver, SiteSnapshot};

use crate::site::SiteSettings;
use followers::Followers;
use paihao_chassis::clock::Clock;
use paihao_chassis::tasks::Tasks;
use paihao_chassis::trace;
use paihao_contracts::envelope::NewerForm;
use paihao_domain::{Act, Actor, Command, CommandId, Day, DecisionInput};
use paihao_ledger::projection::Follow;
use paihao_ledger::{Ledger, Position};
use registry::{SiteHandles, SiteRegistry};
use replica::{PartitionReplica, Replica};
use site_worker::{PendingCommand, WorkerContext};
use snapshot_log::SnapshotRestorer;
use snapshot_writer::SnapshotWriter;
use std::collections::BTreeMap;
use std::sync::Arc;
use timers::SiteTimers;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Engine of this deployment. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    registry: Arc<SiteRegistry>,
    forecasts: Arc<dyn Forecasts>,
    followers: Followers,
}

impl Engine {
    /// Restores the sites from their snapshots, begins to follow the ledger, and runs the timers
    /// and the workers of the sites. All run until `closed`, which comes once the requests under
    /// way have been answered.
    pub fn start(
        sites: &BTreeMap<String, Arc<SiteSettings>>,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        forecasts: Arc<dyn Forecasts>,
        observer: DecisionObserver,
        closed: &CancellationToken,
        tasks: &Tasks,
    ) -> Engine {
        let replica = Replica::new(ledger.partitions(), observer);
        let follow = |of_partition: PartitionReplica| {
            let log = of_partition.partition.ledger;
            let restorer = SnapshotRestorer::new(ledger.clone(), of_partition.clone());
            let follow = Follow::new(ledger.clone(), log, closed.clone()).restoring(restorer);
            follow.start_decoding_ahead(of_partition)
        };
        let partitions = replica.partitions().all().map(|partition| replica.of(partition));
        let (followers, following): (_, Vec<_>) = partitions.clone().map(follow).unzip();
        let followers = Followers::new(replica.partitions(), followers);
        let context = Arc::new(WorkerContext {
            forecasts: forecasts.clone(),
            ledger: ledger.clone(),
            clock,
            followers: followers.clone(),
            closed: closed.clone(),
            tasks: tasks.clone(),
        });
        let registry = Arc::new(SiteRegistry {
            handles: parking_lot::RwLock::default(),
            replica: replica.clone(),
            ledger,
            context,
        });
        registry.set_sites(sites);
        following.into_iter().for_each(|following| tasks.spawn_vital("follower", following));
        tasks.spawn_vital("timers", SiteTimers::new(registry.clone()).run());
        for of_partition in partitions {
            let follower = followers.of(&of_partition.partition).clone();
            let writer = SnapshotWriter::new(registry.clone(), of_partition.clone());
            tasks.spawn_vital("snapshots", writer.run(follower, closed.clone()));
            let past = past_decisions::observe(registry.clone(), of_partition, closed.clone());
            tasks.spawn("past-decisions", past);
        }
        Engine { registry, forecasts, followers }
    }

    /// Replaces the sites and their settings: each decision is made with the settings that are
    /// there when it is made. A worker of a site that is gone answers the commands that it had
    /// received.
    pub fn set_sites(&self, sites: &BTreeMap<String, Arc<SiteSettings>>) {
        self.registry.set_sites(sites);
    }

    /// Decides a command, appends the decision and returns its outcome.
    ///
    /// Returns within [`SUBMIT_TIMEOUT`]. After `SubmitError::Unavailable` the command may still
    /// have been written; submitting it again with the same id returns its outcome.
    pub async fn submit(
        &self,
        site: &str,
        command: Command,
    ) -> Result<CommandOutcome, SubmitError> {
        self.submit_known_as(site, command, Vec::new()).await
    }

    /// Submits the act of a push. The first id is stored; by another one a program of another
    /// generation may have decided it.
    pub async fn submit_of_push(
        &self,
        site: &str,
        ids: &[CommandId],
        actor: Actor,
        act: Act,
        day: Option<Day>,
    ) -> Result<CommandOutcome, SubmitError> {
        let Some((id, other_ids)) = ids.split_first() else { return Err(SubmitError::Unavailable) };
        let command = Command { id: *id, fingerprint: 0, actor, act, day };
        self.submit_known_as(site, command, other_ids.to_vec()).await
    }

    async fn submit_known_as(
        &self,
        site: &str,
        command: Command,
        other_ids: Vec<CommandId>,
    ) -> Result<CommandOutcome, SubmitError> {
        let handle = self.handles().get(site).cloned().ok_or(SubmitError::UnknownSite)?;
        trace::note_site(site);
        let (reply, response) = oneshot::channel();
        let request =
            PendingCommand { command, other_ids, trace: trace::current(), reply, expires_at: None };
        if !handle.submit([request]) {
            return Err(SubmitError::Unavailable);
        }
        match tokio::time::timeout(SUBMIT_TIMEOUT, response).await {
            Ok(Ok(result)) => result,
            _ => Err(SubmitError::Unavailable),
        }
    }

    /// Returns the settings of a site, as they are now.
    pub fn settings(&self, site: &str) -> Option<Arc<SiteSettings>> {
        self.handles().get(site).map(|handle| handle.settings())
    }

    /// Returns the settings of all sites, as they are now.
    pub fn all_settings(&self) -> impl Iterator<Item = Arc<SiteSettings>> + use<> {
        let settings: Vec<_> = self.handles().values().map(|handle| handle.settings()).collect();
        settings.into_iter()
    }

    /// Returns the state of a site that this replica has now.
    pub fn snapshot(&self, site: &str) -> Option<SiteSnapshot> {
        self.handles().get(site).map(|handle| handle.replica.now())
    }

    /// Returns whether this replica knows that a command was decided within the last minutes.
    pub fn has_decided(&self, site: &str, command: &CommandId) -> bool {
        let snapshot = self.snapshot(site);
        snapshot.is_some_and(|snapshot| snapshot.site.has_decided(command))
    }

    /// Returns the state of a site with every entry that is in the ledger at the call. A refusal
    /// that rests on an older snapshot may be outdated.
    pub async fn latest_snapshot(&self, site: &str) -> Result<SiteSnapshot, SubmitError> {
        let handle = self.handles().get(site).cloned().ok_or(SubmitError::UnknownSite)?;
        let read = async {
            let partition = handle.replica.partition();
            self.followers.of(partition).until_caught_up().await;
            let subject = &handle.replica.subject;
            let last = self.registry.ledger.last(&partition.ledger, subject).await;
            let newest = last.map_err(|_| SubmitError::Unavailable)?;
            let position = newest.map_or(Position::START, |entry| entry.position);
            let mut snapshots = handle.replica.watch();
            let snapshot = snapshots
                .wait_for(|snapshot| snapshot.position >= position || snapshot.unreadable)
                .await;
            snapshot.map(|snapshot| snapshot.clone()).map_err(|_| SubmitError::Unavailable)
        };
        tokio::time::timeout(SUBMIT_TIMEOUT, read).await.unwrap_or(Err(SubmitError::Unavailable))
    }

    /// Waits until this replica has every entry that is in the ledger at the call, of all sites.
    /// What it does not know then, nobody had said.
    pub async fn until_current(&self) -> Result<(), SubmitError> {
        let current = self.followers.until_head(&*self.registry.ledger, SUBMIT_TIMEOUT);
        current.await.map_err(|_| SubmitError::Unavailable)
    }

    /// Watches a site: wakes when its state or its settings change.
    pub fn watch(&self, site: &str) -> Option<watch::Receiver<SiteSnapshot>> {
        self.handles().get(site).map(|handle| handle.replica.watch())
    }

    /// Returns the input of a decision at an instant, in Unix milliseconds, with the site's
    /// forecast model.
    pub fn decision_input(&self, settings: &SiteSettings, at_ms: i64) -> DecisionInput {
        settings.calendar.at(at_ms).with_model(self.forecasts.model(&settings.subject))
    }

    fn handles(&self) -> SiteHandles {
        self.registry.handles.read().clone()
    }

    /// Returns whether the ledger has been read up to its head at the start.
    pub fn caught_up(&self) -> bool {
        self.followers.caught_up()
    }

    /// Returns the form of an entry of the ledger that a newer program wrote, or of a snapshot in
    /// whose place the ledger did not do.
    pub fn newer(&self) -> Option<NewerForm> {
        self.followers.newer().or_else(|| self.registry.replica.newer_snapshot())
    }

    /// Waits until [`Engine::caught_up`].
    pub async fn until_caught_up(&self) {
        self.followers.until_caught_up().await;
    }
}
