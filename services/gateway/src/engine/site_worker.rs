//! Worker of one site: decides its commands in order, appends the decisions and answers.
//!
//! Commands that arrive while an entry is being appended form the next batch. On a conflict no
//! command is lost: the worker waits until its replica has the missing entries, and decides again.

use super::append_spans::AppendSpans;
use super::followers::Followers;
use super::view::{PendingWrite, SiteReplica, SiteSnapshot};
use crate::codec;
use crate::site::SiteSettings;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::{Clock, ClockReading, ClockTrust};
use paihao_chassis::tasks::Tasks;
use paihao_chassis::trace::Traceparent;
use paihao_domain::{
    Act, Command, CommandId, Decision, DecisionInput, DecisionResult, ForecastModel, Outcome,
    Refusal, Site, Timestamp, day_close_command, decide, due_commands, next_due_after,
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

/// Most commands in one entry, which keeps it far below the largest that a store takes.
const MAX_BATCH_COMMANDS: usize = 256;

/// Commands that may wait for one site's worker; more are declined at once.
const MAX_QUEUED_COMMANDS: usize = 4096;

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
    /// Other ids by which the command may have been decided.
    pub(super) other_ids: Vec<CommandId>,
    /// Trace of the request, which the entry continues.
    pub(super) trace: Option<Traceparent>,
    pub(super) reply: oneshot::Sender<Answer>,
    /// Time at which the answer is no longer wanted; `None` if the sender drops its end then.
    pub(super) expires_at: Option<Instant>,
}

impl PendingCommand {
    /// Returns the command under the id by which the site knows it, if it does.
    fn as_known_by(&self, site: &Site) -> Cow<'_, Command> {
        match self.other_ids.iter().find(|id| site.has_decided(id)) {
            Some(id) => Cow::Owned(Command { id: *id, ..self.command.clone() }),
            None => Cow::Borrowed(&self.command),
        }
    }

    fn is_wanted(&self) -> bool {
        !self.reply.is_closed() && self.expires_at.is_none_or(|end| Instant::now() < end)
    }
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
/// asks about has no task: the first command starts one, which ends when none is left.
pub(super) struct SiteWorker {
    settings: RwLock<Arc<SiteSettings>>,
    pub(super) replica: Arc<SiteReplica>,
    context: Arc<WorkerContext>,
    queue: Mutex<CommandQueue>,
    /// Answers to the commands that were proposed last.
    proposed: Mutex<Vec<oneshot::Receiver<Answer>>>,
}

/// Commands that wait for the worker.
#[derive(Default)]
struct CommandQueue {
    waiting: Vec<PendingCommand>,
    /// True while a task takes them.
    is_running: bool,
}

type Answer = Result<CommandOutcome, SubmitError>;

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

    /// Puts commands into the queue, and starts a task if none takes them. Returns whether they
    /// were accepted.
    pub(super) fn submit(
        self: &Arc<Self>,
        commands: impl IntoIterator<Item = PendingCommand>,
    ) -> bool {
        if self.context.closed.is_cancelled() {
            return false;
        }
        let mut queue = self.queue.lock();
        if queue.waiting.len() >= MAX_QUEUED_COMMANDS {
            return false;
        }
        queue.waiting.extend(commands);
        if !std::mem::replace(&mut queue.is_running, true) {
            self.context.tasks.spawn_vital("site-worker", self.clone().run());
        }
        true
    }

    /// Decides what is in the queue. It decides nothing before the replica has caught up: all
    /// entries of the site may have aged out, so that an append on the empty state would succeed
    /// although its snapshot holds a line.
    async fn run(self: Arc<Self>) {
        let WorkerContext { followers, closed, .. } = &*self.context;
        let follower = followers.of(self.replica.partition());
        if !follower.caught_up() {
            let caught_up = closed.run_until_cancelled(follower.until_caught_up()).await;
            if caught_up.is_none() {
                *self.queue.lock() = CommandQueue::default();
                return;
            }
        }
        while let Some(batch) = self.next_batch() {
            metrics::histogram!("paihao_desk_batch_commands").record(batch.len() as f64);
            self.process_batch(batch).await;
        }
    }

    /// Takes the commands that have gathered; with none the task ends.
    fn next_batch(&self) -> Option<Vec<PendingCommand>> {
        let mut queue = self.queue.lock();
        if queue.waiting.is_empty() {
            // What a storm of commands took is given back.
            *queue = CommandQueue::default();
            return None;
        }
        if queue.waiting.len() <= MAX_BATCH_COMMANDS {
            return Some(std::mem::take(&mut queue.waiting));
        }
        Some(queue.waiting.drain(..MAX_BATCH_COMMANDS).collect())
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
        self.submit(batch);
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
