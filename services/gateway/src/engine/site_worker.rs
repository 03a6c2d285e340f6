//! Worker of one site: decides its commands in order, appends the decisions and answers.
//!
//! Commands that arrive while an entry is being appended form the next batch. On a conflict no
//! command is lost: the worker waits until its replica has the missing entries, and decides again.

use super::append_spans::AppendSpans;
use super::command_queue::{
    Answer, CommandOutcome, CommandQueue, MAX_BATCH_COMMANDS, PendingCommand, SubmitError,
};
use super::first_run::{FirstRun, Run, StartsTasks};
use super::followers::Followers;
use super::view::{PendingWrite, SiteReplica, SiteSnapshot};
use crate::codec;
use crate::site::SiteSettings;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::{Clock, ClockReading, ClockTrust};
use paihao_chassis::tasks::Tasks;
use paihao_chassis::trace;
use paihao_domain::{
    Act, Command, CommandId, Decision, DecisionInput, DecisionResult, ForecastModel, Site,
    day_close_command, decide, due_commands, next_due_after,
};
use paihao_ledger::{AppendError, ExpectedPosition, Ledger, Position, Subject};
use parking_lot::{Mutex, RwLock};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Longest time for a command to become durable; after it the sender gets an error instead.
/// WeChat waits five seconds for its answer.
pub const SUBMIT_TIMEOUT: Duration = Duration::from_secs(4);

/// Shortest time between two rounds of the timers.
pub(super) const MIN_TIMER_GAP: Duration = Duration::from_millis(20);

/// Longest time between two looks at a site, since the machine's clock may be set and the machine
/// may sleep.
const POLL_INTERVAL: Duration = Duration::from_secs(30);

/// Time until a due command that was not decided is tried again, unless the state changes before.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Time until the answers to due commands are looked for again: they come a moment after the state
/// has changed.
const ANSWER_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Time between two looks at a clock that is not to be trusted.
const CLOCK_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Longest wait for the replica to read the entry that a conflict named.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(1);

/// Source of the models that waits are forecast with.
pub trait Forecasts: Send + Sync {
    /// Returns the current model of the site with this subject.
    fn model(&self, site: &Subject) -> ForecastModel;
}

/// Context that the workers of all sites share.
pub(super) struct WorkerContext {
    pub(super) forecasts: Arc<dyn Forecasts>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) followers: Followers,
    pub(super) closed: CancellationToken,
    pub(super) tasks: Tasks,
}

/// Worker that decides for one site, each time with the settings of that moment. A site that nobody
/// asks about has no task. The first command is decided by its own request; what has come meanwhile
/// starts a task, which ends when no command is left.
pub(super) struct SiteWorker {
    settings: RwLock<Arc<SiteSettings>>,
    pub(super) replica: Arc<SiteReplica>,
    context: Arc<WorkerContext>,
    queue: Mutex<CommandQueue>,
    /// Answers to the commands that were proposed last.
    proposed: Mutex<Vec<oneshot::Receiver<Answer>>>,
}

/// Decisions on a batch, made on a given snapshot.
struct DecidedBatch {
    decisions: Vec<Decision>,
    /// Index in the batch of the command of each decision.
    commands: Vec<usize>,
    /// Site after the decisions.
    site: Arc<Site>,
    answers: Vec<Answer>,
}

impl SiteWorker {
    pub(super) fn new(
        settings: Arc<SiteSettings>,
        replica: Arc<SiteReplica>,
        context: Arc<WorkerContext>,
    ) -> SiteWorker {
        SiteWorker {
            settings: RwLock::new(settings),
            replica,
            context,
            queue: Mutex::default(),
            proposed: Mutex::default(),
        }
    }

    /// Returns the settings, as they are now.
    pub(super) fn settings(&self) -> Arc<SiteSettings> {
        self.settings.read().clone()
    }

    /// Replaces the settings. The next decision is made with these.
    pub(super) fn replace_settings(&self, settings: &Arc<SiteSettings>) {
        if !Arc::ptr_eq(&self.settings.read(), settings) {
            *self.settings.write() = settings.clone();
            self.replica.notify();
        }
    }

    /// Decides a command of a request, in its turn. `None` if it is declined.
    pub(super) fn submit(
        self: &Arc<Self>,
        command: Command,
        other_ids: Vec<CommandId>,
    ) -> Option<FirstRun> {
        let (reply, answer) = oneshot::channel();
        let trace = trace::current();
        let pending = PendingCommand { command, other_ids, trace, reply, expires_at: None };
        let is_first = self.enqueue([pending])?;
        let run = is_first.then(|| Box::pin(self.clone().run_once()) as Run);
        Some(FirstRun::new(run, answer, self.clone()))
    }

    fn enqueue(&self, commands: impl IntoIterator<Item = PendingCommand>) -> Option<bool> {
        if self.context.closed.is_cancelled() {
            return None;
        }
        self.queue.lock().add(commands)
    }

    /// Decides what is in the queue until nothing is.
    async fn run(self: Arc<Self>) {
        if self.is_ready().await {
            while let Some(batch) = self.take_batch() {
                self.process_batch(batch).await;
            }
        }
    }

    /// Decides what is in the queue now, and leaves what comes meanwhile to a task.
    async fn run_once(self: Arc<Self>) {
        if !self.is_ready().await {
            return;
        }
        if let Some(batch) = self.take_batch() {
            self.process_batch(batch).await;
        }
        if self.queue.lock().goes_on() {
            self.start_task(Box::pin(self.clone().run()));
        }
    }

    // The lock is held for the call alone, and not while the batch is decided.
    fn take_batch(&self) -> Option<Vec<PendingCommand>> {
        self.queue.lock().take_batch()
    }

    /// Waits until the replica has caught up. Nothing is decided before: all entries of the site
    /// may have aged out, so that an append on the empty state would succeed although its snapshot
    /// holds a line. Gives the commands up and returns `false` if the engine closes before.
    async fn is_ready(&self) -> bool {
        let WorkerContext { followers, closed, .. } = &*self.context;
        let follower = followers.of(self.replica.partition());
        if !follower.caught_up() {
            let caught_up = closed.run_until_cancelled(follower.until_caught_up()).await;
            if caught_up.is_none() {
                *self.queue.lock() = CommandQueue::default();
                return false;
            }
        }
        true
    }

    fn decision_input(&self, settings: &SiteSettings, reading: ClockReading) -> DecisionInput {
        settings
            .calendar
            .at(reading.now_ms)
            .with_model(self.context.forecasts.model(&settings.subject))
            .with_confirmation(reading.trust.is_confirmed())
    }

    /// Proposes the commands that are due, and returns the time until the next look, as far as this
    /// replica knows.
    pub(super) fn run_timers(self: &Arc<Self>) -> Duration {
        let snapshot = self.replica.now();
        let reading = self.context.clock.read();
        if snapshot.unreadable {
            return POLL_INTERVAL;
        }
        if !reading.trust.may_propose() {
            return CLOCK_POLL_INTERVAL;
        }
        if self.has_open_proposals() {
            return ANSWER_POLL_INTERVAL;
        }
        let settings = self.settings();
        let now = self.decision_input(&settings, reading);
        let mut due = due_commands(&snapshot.site, &settings.rules, &now);
        if !due.is_empty() {
            due.truncate(MAX_BATCH_COMMANDS);
            self.propose(due);
            // If it is still due then, the rules refuse it for now, or the ledger is unavailable.
            return RETRY_DELAY;
        }
        match next_due_after(&snapshot.site, &settings.rules, &now) {
            Some(next) => Duration::from_millis(next.since_ms(now.at).max(0) as u64)
                .clamp(MIN_TIMER_GAP, POLL_INTERVAL),
            None => POLL_INTERVAL,
        }
    }

    fn propose(self: &Arc<Self>, due: Vec<Command>) {
        // The time limit is that of a person's command.
        let expires_at = Some(Instant::now() + SUBMIT_TIMEOUT);
        let (batch, answers): (Vec<_>, Vec<_>) = due
            .into_iter()
            .map(|command| {
                let (reply, response) = oneshot::channel();
                let other_ids = Vec::new();
                (PendingCommand { command, other_ids, trace: None, reply, expires_at }, response)
            })
            .unzip();
        *self.proposed.lock() = answers;
        if self.enqueue(batch) == Some(true) {
            self.start_task(Box::pin(self.clone().run()));
        }
    }

    /// Returns whether due commands are still without an answer, and logs the answers.
    fn has_open_proposals(&self) -> bool {
        let mut proposed = self.proposed.lock();
        proposed.retain_mut(|answer| match answer.try_recv() {
            Ok(answer) => {
                if let Ok(decided) = answer {
                    let site = &*self.settings().facts.id;
                    tracing::info!(site, outcome = decided.outcome.name(), "due command decided");
                }
                false
            }
            Err(TryRecvError::Empty) => true,
            Err(TryRecvError::Closed) => false,
        });
        !proposed.is_empty()
    }

    /// Decides every command of the batch, appends the decisions and answers.
    async fn process_batch(&self, mut batch: Vec<PendingCommand>) {
        metrics::histogram!("paihao_desk_batch_commands").record(batch.len() as f64);
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
        // Halved while the entry is larger than the ledger accepts.
        let mut max_commands = MAX_BATCH_COMMANDS;
        loop {
            // A sender that has received an error must not get a ticket afterwards.
            batch.retain(PendingCommand::is_wanted);
            if batch.is_empty() {
                return;
            }
            let snapshot = self.replica.now();
            if snapshot.unreadable {
                return reject_all(batch, SubmitError::Unreadable);
            }
            let settings = self.settings();
            let reading = self.context.clock.read();
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
                Some(command) => self.decide_batch(
                    &settings,
                    &snapshot,
                    [|_: &Site| Cow::Borrowed(command)],
                    &now,
                ),
                None => self.decide_batch(
                    &settings,
                    &snapshot,
                    batch[..count].iter().map(|request| |site: &Site| request.as_known_by(site)),
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
        commands: impl IntoIterator<Item = impl Fn(&Site) -> Cow<'a, Command>>,
        now: &DecisionInput,
    ) -> DecidedBatch {
        let mut site = None::<Box<Site>>;
        let mut decisions = Vec::new();
        let mut indices = Vec::new();
        let results = commands.into_iter().enumerate().map(|(index, command)| {
            let before = site.as_deref().unwrap_or(&snapshot.site);
            match decide(before, &settings.rules, &command(before), now)? {
                DecisionResult::AlreadyDecided(recorded) => {
                    Ok(CommandOutcome { outcome: recorded.outcome, at: recorded.at })
                }
                DecisionResult::Decided(decision, after) => {
                    site = Some(after);
                    let outcome =
                        CommandOutcome { outcome: decision.outcome.clone(), at: decision.at };
                    decisions.push(decision);
                    indices.push(index);
                    Ok(outcome)
                }
            }
        });
        let answers = results.collect();
        let site = site.map_or_else(|| snapshot.site.clone(), Arc::from);
        DecidedBatch { decisions, commands: indices, site, answers }
    }

    async fn append(
        &self,
        settings: &SiteSettings,
        snapshot: &SiteSnapshot,
        (decisions, site): (Vec<Decision>, Arc<Site>),
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
        let log = &self.replica.partition().ledger;
        self.context.ledger.append(log, &settings.subject, expect, spans.add_to(entry)).await
    }

    /// Returns whether the snapshot has every entry of the site in the ledger; if not, waits for
    /// the missing ones. Returns `None` if the ledger does not answer. Only the newest state may
    /// lead to a refusal.
    async fn is_current(&self, snapshot: &SiteSnapshot) -> Option<bool> {
        let log = &self.replica.partition().ledger;
        let last = self.context.ledger.last(log, &self.replica.subject).await.ok()?;
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

impl StartsTasks for SiteWorker {
    fn start_task(&self, run: Run) {
        self.context.tasks.spawn_vital("site-worker", run);
    }
}

fn send_answers(batch: impl Iterator<Item = PendingCommand>, answers: Vec<Answer>) {
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
