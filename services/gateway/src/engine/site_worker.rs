//! Worker of one site: decides its commands in order, appends the decisions and answers.
//!
//! Commands that arrive while an entry is being appended form the next batch. On a conflict no
//! command is lost: the worker waits until its replica has the missing entries, and decides again.

use super::append_spans::AppendSpans;
use super::view::{PendingWrite, SiteReplica, SiteSnapshot};
use crate::codec;
use crate::site::SiteSettings;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::{Clock, ClockReading, ClockTrust};
use paihao_chassis::trace::Traceparent;
use paihao_contracts::streams::LEDGER;
use paihao_domain::{
    Act, Command, Decision, DecisionInput, DecisionResult, ForecastModel, Outcome, Refusal, Site,
    Timestamp, day_close_command, decide, due_commands, next_due_at,
};
use paihao_ledger::{AppendError, ExpectedPosition, Follower, Ledger, Position, Subject};
use parking_lot::RwLock;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Longest time for a command to become durable; after it the sender gets an error instead.
/// WeChat waits five seconds for its answer.
pub const SUBMIT_TIMEOUT: Duration = Duration::from_secs(4);

/// Most commands in one entry, which keeps it far below the largest that a store takes.
const MAX_BATCH_COMMANDS: usize = 256;

/// Shortest time between two runs of the timers.
const MIN_TIMER_GAP: Duration = Duration::from_millis(20);

/// Time until a due command that was not decided is tried again, unless the state changes before.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Longest time between two runs of the timers, since the machine's clock may be set and the
/// machine may sleep.
const POLL_INTERVAL: Duration = Duration::from_secs(30);

/// Time between two looks at a clock that is not to be trusted.
const CLOCK_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Longest wait for the replica to read the entry that a conflict named.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(1);

/// Source of the models that waits are forecast with.
pub trait Forecasts: Send + Sync {
    /// Returns the current model of the site with this subject.
    fn model(&self, site: &Subject) -> ForecastModel;
}

/// Current settings of one site, read again for each decision.
pub(super) struct CurrentSettings(RwLock<Arc<SiteSettings>>);

impl CurrentSettings {
    pub(super) fn new(settings: Arc<SiteSettings>) -> CurrentSettings {
        CurrentSettings(RwLock::new(settings))
    }

    pub(super) fn now(&self) -> Arc<SiteSettings> {
        self.0.read().clone()
    }

    pub(super) fn replace(&self, settings: Arc<SiteSettings>) {
        *self.0.write() = settings;
    }
}

/// Outcome of a command, decided now or when the command came first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandOutcome {
    /// The outcome.
    pub outcome: Outcome,
    /// Time of the decision.
    pub at: Timestamp,
}

/// Reason why there is no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The rules refuse the command.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such site.
    #[error("there is no such site")]
    UnknownSite,
    /// The ledger did not take the decision in time.
    #[error("the ledger did not take it in time")]
    Unavailable,
    /// A newer program wrote to this site's ledger.
    #[error("a newer program wrote what this one cannot read")]
    Unreadable,
}

/// Command with the channel for its answer.
pub(super) struct PendingCommand {
    pub(super) command: Command,
    /// Trace of the request, which the entry continues.
    pub(super) trace: Option<Traceparent>,
    pub(super) reply: oneshot::Sender<Result<CommandOutcome, SubmitError>>,
}

/// Worker that decides for one site, each time with the settings of that moment.
pub(super) struct SiteWorker {
    pub(super) settings: Arc<CurrentSettings>,
    pub(super) replica: Arc<SiteReplica>,
    pub(super) forecasts: Arc<dyn Forecasts>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) clock: Arc<dyn Clock>,
}

/// Signals after which other commands may be due.
struct WakeSignals {
    snapshots: watch::Receiver<SiteSnapshot>,
    clock: Option<watch::Receiver<i64>>,
}

impl WakeSignals {
    /// Waits until something has happened since the last [`WakeSignals::mark_seen`].
    async fn wait(&mut self) {
        let clock_set = async {
            let Some(clock) = &mut self.clock else { return std::future::pending().await };
            if clock.changed().await.is_err() {
                // The clock can no longer be set.
                std::future::pending().await
            }
        };
        tokio::select! {
            changed = self.snapshots.changed() => if changed.is_err() { std::future::pending().await },
            () = clock_set => {}
        }
    }

    fn mark_seen(&mut self) {
        self.snapshots.mark_unchanged();
        self.clock.iter_mut().for_each(watch::Receiver::mark_unchanged);
    }
}

/// Decisions on a batch, made on a given snapshot.
struct DecidedBatch {
    decisions: Vec<Decision>,
    /// Index in the batch of the command of each decision.
    commands: Vec<usize>,
    /// Site after the decisions.
    site: Site,
    answers: Vec<Result<CommandOutcome, SubmitError>>,
}

impl SiteWorker {
    /// Runs until the registry drops the channel or `closed` is cancelled. It decides nothing
    /// before the replica has caught up: all entries of the site may have aged out, so that an
    /// append on the empty state would succeed although its snapshot holds a line. The timers run
    /// when the state or the clock changes, and at the next time at which a command may be due.
    /// They run at every replica, and one of the decisions is appended.
    pub(super) async fn run(
        self,
        mut requests: mpsc::Receiver<PendingCommand>,
        follower: Follower<()>,
        closed: CancellationToken,
    ) {
        tokio::select! {
            () = follower.until_caught_up() => {}
            () = closed.cancelled() => return,
        }
        let mut batch = Vec::new();
        let mut wake_signals =
            WakeSignals { snapshots: self.replica.watch(), clock: self.clock.adjustments() };
        let mut last_run = Instant::now();
        let mut next_run = last_run;
        loop {
            let received = tokio::select! {
                biased;
                () = tokio::time::sleep_until(next_run), if follower.caught_up() => {
                    wake_signals.mark_seen();
                    let wait = self.run_timers().await;
                    last_run = Instant::now();
                    next_run = last_run + wait;
                    continue;
                }
                received = requests.recv_many(&mut batch, MAX_BATCH_COMMANDS) => received,
                () = closed.cancelled() => return,
                () = wake_signals.wait() => {
                    next_run = next_run.min(last_run + MIN_TIMER_GAP);
                    continue;
                }
                () = follower.until_caught_up(), if !follower.caught_up() => continue,
            };
            if received == 0 {
                return;
            }
            metrics::histogram!("paihao_desk_batch_commands").record(received as f64);
            self.process_batch(std::mem::take(&mut batch)).await;
        }
    }

    fn decision_input(&self, settings: &SiteSettings, reading: ClockReading) -> DecisionInput {
        settings
            .calendar
            .at(reading.now_ms)
            .with_model(self.forecasts.model(&settings.subject))
            .with_confirmation(reading.trust.is_confirmed())
    }

    /// Decides the commands that are due, and returns the time until the next one, as far as this
    /// replica knows.
    async fn run_timers(&self) -> Duration {
        let had_due_commands = self.decide_due().await;
        let snapshot = self.replica.now();
        let settings = self.settings.now();
        let reading = self.clock.read();
        if snapshot.unreadable {
            return POLL_INTERVAL;
        }
        if !reading.trust.may_propose() {
            return CLOCK_POLL_INTERVAL;
        }
        let now = self.decision_input(&settings, reading);
        match next_due_at(&snapshot.site, &settings.rules, &now) {
            // It is still due: the rules refuse it for now, or the ledger is unavailable.
            Some(next) if next <= now.at && had_due_commands => RETRY_DELAY,
            Some(next) => Duration::from_millis(next.since_ms(now.at).max(0) as u64)
                .clamp(MIN_TIMER_GAP, POLL_INTERVAL),
            None => POLL_INTERVAL,
        }
    }

    /// Decides the commands that are due by time alone. Returns whether there were any.
    async fn decide_due(&self) -> bool {
        let snapshot = self.replica.now();
        let reading = self.clock.read();
        if snapshot.unreadable || !reading.trust.may_propose() {
            return false;
        }
        let settings = self.settings.now();
        let mut due =
            due_commands(&snapshot.site, &settings.rules, &self.decision_input(&settings, reading));
        due.truncate(MAX_BATCH_COMMANDS);
        let (batch, replies): (Vec<_>, Vec<_>) = due
            .into_iter()
            .map(|command| {
                let (reply, response) = oneshot::channel();
                (PendingCommand { command, trace: None, reply }, response)
            })
            .unzip();
        if batch.is_empty() {
            return false;
        }
        // The time limit is that of a person's command, since such commands wait meanwhile.
        let _ = tokio::time::timeout(SUBMIT_TIMEOUT, self.process_batch(batch)).await;
        for mut reply in replies {
            if let Ok(Ok(decided)) = reply.try_recv() {
                let site = &*settings.facts.id;
                tracing::info!(site, outcome = decided.outcome.name(), "due command decided");
            }
        }
        true
    }

    /// Decides every command of the batch, appends the decisions and answers.
    async fn process_batch(&self, mut batch: Vec<PendingCommand>) {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
        // Halved while the entry is larger than the ledger accepts.
        let mut max_commands = MAX_BATCH_COMMANDS;
        loop {
            // A sender that has received an error must not get a ticket afterwards.
            batch.retain(|request| !request.reply.is_closed());
            if batch.is_empty() {
                return;
            }
            let snapshot = self.replica.now();
            if snapshot.unreadable {
                return reject_all(batch, SubmitError::Unreadable);
            }
            let settings = self.settings.now();
            let reading = self.clock.read();
            if reading.trust == ClockTrust::Unchecked {
                return reject_all(batch, SubmitError::Unavailable);
            }
            // Whoever forces the day on vouches for the clock.
            let vouched = |request: &PendingCommand| {
                matches!(request.command.act, Act::ResetDay { force: true })
                    && request.command.actor.is_manager()
            };
            let now = self.decision_input(&settings, reading);
            let now =
                now.with_confirmation(reading.trust.is_confirmed() || batch.iter().any(vouched));
            let day_close = day_close_command(&snapshot.site, &settings.rules, &now);
            let count = batch.len().min(max_commands);
            let decided = match &day_close {
                Some(command) => {
                    self.decide_batch(&settings, &snapshot, std::slice::from_ref(command), &now)
                }
                None => self.decide_batch(
                    &settings,
                    &snapshot,
                    batch[..count].iter().map(|request| &request.command),
                    &now,
                ),
            };
            if decided.decisions.is_empty() {
                match self.is_current(&snapshot).await {
                    Some(true) if day_close.is_some() => {
                        return reject_all(batch, SubmitError::Unavailable);
                    }
                    Some(true) => send_answers(batch.drain(..count), decided.answers),
                    Some(false) => {}
                    None => backoff.wait().await,
                }
                continue;
            }
            let DecidedBatch { decisions, commands, site, answers } = decided;
            // The end of a day is caused by the first command after it, which is that of index 0.
            let traces = commands.iter().map(|index| batch[*index].trace);
            let spans = AppendSpans::begin(&settings.facts.id, traces);
            let appended = self.append(&settings, &snapshot, (decisions, site), &spans).await;
            spans.end(&appended);
            match appended {
                Ok(position) => {
                    self.replica.confirm(position);
                    if day_close.is_none() {
                        send_answers(batch.drain(..count), answers);
                    }
                }
                Err(AppendError::Conflict { found, .. }) => {
                    metrics::counter!("paihao_desk_conflicts_total").increment(1);
                    self.catch_up(snapshot.position, found).await;
                }
                // Several large commands may have come together.
                Err(AppendError::TooLarge { .. }) if day_close.is_none() && count > 1 => {
                    max_commands = count / 2;
                }
                Err(AppendError::TooLarge { size, limit }) => {
                    let site = &*settings.facts.id;
                    tracing::error!(site, size, limit, "a commit is larger than the ledger takes");
                    match day_close {
                        Some(_) => return reject_all(batch, SubmitError::Unavailable),
                        None => reject_all(batch.drain(..count), SubmitError::Unavailable),
                    }
                }
                // The entry may have been written; the next round finds its command ids.
                Err(AppendError::Unavailable(_)) => {
                    metrics::counter!("paihao_desk_unavailable_total").increment(1);
                    backoff.wait().await;
                    self.is_current(&snapshot).await;
                }
            }
        }
    }

    /// Decides commands together, each on the state after the ones before it.
    fn decide_batch<'a>(
        &self,
        settings: &SiteSettings,
        snapshot: &SiteSnapshot,
        commands: impl IntoIterator<Item = &'a Command>,
        now: &DecisionInput,
    ) -> DecidedBatch {
        let mut site = snapshot.site.clone();
        let mut decisions = Vec::new();
        let mut indices = Vec::new();
        let results = commands.into_iter().enumerate().map(|(index, command)| {
            match decide(&site, &settings.rules, command, now)? {
                DecisionResult::AlreadyDecided(recorded) => {
                    Ok(CommandOutcome { outcome: recorded.outcome, at: recorded.at })
                }
                DecisionResult::Decided(decision, after) => {
                    site = *after;
                    let outcome =
                        CommandOutcome { outcome: decision.outcome.clone(), at: decision.at };
                    decisions.push(decision);
                    indices.push(index);
                    Ok(outcome)
                }
            }
        });
        let answers = results.collect();
        DecidedBatch { decisions, commands: indices, site, answers }
    }

    async fn append(
        &self,
        settings: &SiteSettings,
        snapshot: &SiteSnapshot,
        (decisions, site): (Vec<Decision>, Site),
        spans: &AppendSpans,
    ) -> Result<Position, AppendError> {
        let expect = match snapshot.position {
            Position::START => ExpectedPosition::Empty,
            position => ExpectedPosition::At(position),
        };
        let entry = codec::encode(&settings.facts, &decisions);
        self.replica.set_pending(
            snapshot,
            PendingWrite { payload: entry.payload.clone(), decisions, site },
        );
        self.ledger.append(&LEDGER, &settings.subject, expect, spans.add_to(entry)).await
    }

    /// Returns whether the snapshot has every entry of the site in the ledger; if not, waits for
    /// the missing ones. Returns `None` if the ledger does not answer. Only the newest state may
    /// lead to a refusal.
    async fn is_current(&self, snapshot: &SiteSnapshot) -> Option<bool> {
        let last = self.ledger.last(&LEDGER, &self.replica.subject).await.ok()?;
        let newest = last.map(|entry| entry.position);
        if newest.is_none_or(|newest| newest <= snapshot.position) {
            return Some(true);
        }
        self.catch_up(snapshot.position, newest).await;
        Some(false)
    }

    /// Waits until the replica has the entry at `target`, coming from `start`. Without a target the
    /// entries of the site have aged out.
    async fn catch_up(&self, start: Position, target: Option<Position>) {
        let Some(target) = target else { return self.replica.mark_aged_out(start) };
        let mut snapshots = self.replica.watch();
        let caught_up =
            snapshots.wait_for(|snapshot| snapshot.position >= target || snapshot.position < start);
        let _ = tokio::time::timeout(CATCH_UP_TIMEOUT, caught_up).await;
    }
}

fn send_answers(
    batch: impl Iterator<Item = PendingCommand>,
    answers: Vec<Result<CommandOutcome, SubmitError>>,
) {
    for (request, answer) in batch.zip(answers) {
        // The sender may be gone; the decision is valid all the same.
        let _ = request.reply.send(answer);
    }
}

fn reject_all(batch: impl IntoIterator<Item = PendingCommand>, error: SubmitError) {
    for request in batch {
        let _ = request.reply.send(Err(error.clone()));
    }
}
