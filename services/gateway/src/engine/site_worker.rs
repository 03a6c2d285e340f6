//! Worker of one site: decides its commands in order, appends the decisions and answers.
//!
//! While an entry is being appended the next commands gather, and then go as one batch. On a
//! conflict no command is lost: the worker waits until its replica holds the entries that it had
//! missed, and decides again.

use super::view::{PendingWrite, SiteReplica, SiteSnapshot};
use crate::codec;
use crate::site::SiteSettings;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::Clock;
use paihao_chassis::trace::{self, Traceparent};
use paihao_contracts::streams::LEDGER;
use paihao_domain::{
    Command, Decision, DecisionInput, DecisionResult, ForecastModel, Outcome, Refusal, Site,
    Timestamp, day_close_command, decide, due_commands, next_due_at,
};
use paihao_ledger::{AppendError, ExpectedPosition, Follower, Ledger, Position, Subject};
use parking_lot::RwLock;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Longest time for a command to become durable; after it the sender is told that it did not.
/// WeChat waits five seconds for its answer.
pub const SUBMIT_TIMEOUT: Duration = Duration::from_secs(4);

/// Most commands in one entry, which keeps it far below the largest that a store takes.
const MAX_BATCH_COMMANDS: usize = 256;

/// Shortest time between two runs of the timers, however much happens.
const MIN_TIMER_GAP: Duration = Duration::from_millis(20);

/// Time until a due command that was not decided is tried again, unless something happens.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Longest time between two runs of the timers: the machine's clock may be set, and the timers of a
/// machine that slept have slept too.
const POLL_INTERVAL: Duration = Duration::from_secs(30);

/// Longest wait for the replica to read the entry that a conflict named.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(1);

/// Source of the models that waits are forecast with.
pub trait Forecasts: Send + Sync {
    /// The model of the site whose decisions stand under this subject, as learned so far.
    fn model(&self, site: &Subject) -> ForecastModel;
}

/// The settings of one site, read anew for each decision.
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
    /// Trace of the request; the entry carries it on.
    pub(super) trace: Option<Traceparent>,
    pub(super) reply: oneshot::Sender<Result<CommandOutcome, SubmitError>>,
}

/// Worker that decides for one site, each time with the settings of that moment.
pub(super) struct SiteWorker {
    settings: Arc<CurrentSettings>,
    replica: Arc<SiteReplica>,
    forecasts: Arc<dyn Forecasts>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
}

/// Signals after which other commands may be due.
struct WakeSignals {
    snapshots: watch::Receiver<SiteSnapshot>,
    clock: Option<watch::Receiver<i64>>,
}

impl WakeSignals {
    /// Waits until something has happened since the last [`WakeSignals::mark_seen`].
    async fn wait(&mut self) {
        let moved = async {
            let Some(clock) = &mut self.clock else { return std::future::pending().await };
            if clock.changed().await.is_err() {
                // The clock can no longer be set.
                std::future::pending().await
            }
        };
        tokio::select! {
            changed = self.snapshots.changed() => if changed.is_err() { std::future::pending().await },
            () = moved => {}
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
    /// The site after them.
    site: Site,
    answers: Vec<Result<CommandOutcome, SubmitError>>,
}

impl SiteWorker {
    pub(super) fn new(
        book: Arc<CurrentSettings>,
        view: Arc<SiteReplica>,
        forecasts: Arc<dyn Forecasts>,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        SiteWorker { settings: book, replica: view, forecasts, ledger, clock }
    }

    /// Runs until the registry drops the channel or `closed` comes. The timers run once the replica
    /// has caught up, at every replica: one of their decisions lands. They run when something has
    /// happened, and at the next moment at which a command may be due.
    pub(super) async fn run(
        self,
        mut requests: mpsc::Receiver<PendingCommand>,
        follower: Follower<()>,
        closed: CancellationToken,
    ) {
        let mut batch = Vec::new();
        let mut news =
            WakeSignals { snapshots: self.replica.watch(), clock: self.clock.adjustments() };
        let (mut looked, mut next) = (Instant::now(), Instant::now());
        loop {
            let taken = tokio::select! {
                biased;
                () = tokio::time::sleep_until(next), if follower.caught_up() => {
                    news.mark_seen();
                    let wait = self.run_timers().await;
                    looked = Instant::now();
                    next = looked + wait;
                    continue;
                }
                taken = requests.recv_many(&mut batch, MAX_BATCH_COMMANDS) => taken,
                () = closed.cancelled() => return,
                () = news.wait() => {
                    next = next.min(looked + MIN_TIMER_GAP);
                    continue;
                }
                () = follower.until_caught_up(), if !follower.caught_up() => continue,
            };
            if taken == 0 {
                return;
            }
            metrics::histogram!("paihao_desk_batch_commands").record(taken as f64);
            self.process_batch(std::mem::take(&mut batch)).await;
        }
    }

    fn decision_input(&self, book: &SiteSettings) -> DecisionInput {
        book.calendar.at(self.clock.now_ms()).with_model(self.forecasts.model(&book.subject))
    }

    /// Decides the commands that are due, and returns the time until the next one, as far as this
    /// replica knows.
    async fn run_timers(&self) -> Duration {
        let something = self.decide_due().await;
        let (view, book) = (self.replica.now(), self.settings.now());
        if view.unreadable {
            return POLL_INTERVAL;
        }
        let now = self.decision_input(&book);
        match next_due_at(&view.site, &book.rules, &now) {
            // It was not decided: the rules refuse it for now, or the ledger is unavailable.
            Some(next) if next <= now.at && something => RETRY_DELAY,
            Some(next) => Duration::from_millis(next.since_ms(now.at).max(0) as u64)
                .clamp(MIN_TIMER_GAP, POLL_INTERVAL),
            None => POLL_INTERVAL,
        }
    }

    /// Decides the commands that are due by time alone. Returns whether there were any.
    async fn decide_due(&self) -> bool {
        let view = self.replica.now();
        if view.unreadable {
            return false;
        }
        let book = self.settings.now();
        let mut due = due_commands(&view.site, &book.rules, &self.decision_input(&book));
        due.truncate(MAX_BATCH_COMMANDS);
        let (batch, waiting): (Vec<_>, Vec<_>) = due
            .into_iter()
            .map(|command| {
                let (reply, answer) = oneshot::channel();
                (PendingCommand { command, trace: None, reply }, answer)
            })
            .unzip();
        if batch.is_empty() {
            return false;
        }
        // The wait for the ledger is no longer than that of a person's command: such commands come
        // meanwhile.
        let _ = tokio::time::timeout(SUBMIT_TIMEOUT, self.process_batch(batch)).await;
        for mut answer in waiting {
            if let Ok(Ok(answered)) = answer.try_recv() {
                let site = &*book.facts.id;
                tracing::info!(site, outcome = answered.outcome.name(), "time has brought about");
            }
        }
        true
    }

    /// Decides every command of the batch, appends the decisions and answers.
    async fn process_batch(&self, mut batch: Vec<PendingCommand>) {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
        // Halved while the batch is larger than the ledger takes.
        let mut most = MAX_BATCH_COMMANDS;
        loop {
            // A sender that was told "unavailable" already must not get a number afterwards.
            batch.retain(|request| !request.reply.is_closed());
            if batch.is_empty() {
                return;
            }
            let view = self.replica.now();
            if view.unreadable {
                return reject_all(batch, SubmitError::Unreadable);
            }
            let book = self.settings.now();
            let first = day_close_command(&view.site, &book.rules, &self.decision_input(&book));
            let asked = batch.len().min(most);
            let sitting = match &first {
                Some(command) => self.decide_batch(&book, &view, std::slice::from_ref(command)),
                None => self.decide_batch(
                    &book,
                    &view,
                    batch[..asked].iter().map(|request| &request.command),
                ),
            };
            if sitting.decisions.is_empty() {
                match self.is_current(&view).await {
                    Some(true) if first.is_some() => {
                        return reject_all(batch, SubmitError::Unavailable);
                    }
                    Some(true) => send_answers(batch.drain(..asked), sitting.answers),
                    Some(false) => {}
                    None => backoff.wait().await,
                }
                continue;
            }
            let DecidedBatch { decisions, site, answers } = sitting;
            match self.append(&book, &view, (decisions, site), batch[0].trace).await {
                Ok(position) => {
                    self.replica.confirm(position);
                    if first.is_none() {
                        send_answers(batch.drain(..asked), answers);
                    }
                }
                Err(AppendError::Conflict { found, .. }) => {
                    metrics::counter!("paihao_desk_conflicts_total").increment(1);
                    self.catch_up(view.position, found).await;
                }
                // Several large commands may have come together.
                Err(AppendError::TooLarge { .. }) if first.is_none() && asked > 1 => {
                    most = asked / 2;
                }
                Err(AppendError::TooLarge { size, limit }) => {
                    let site = &*book.facts.id;
                    tracing::error!(site, size, limit, "a commit is larger than the ledger takes");
                    match first {
                        Some(_) => return reject_all(batch, SubmitError::Unavailable),
                        None => reject_all(batch.drain(..asked), SubmitError::Unavailable),
                    }
                }
                // The entry may have been written. The next round finds out, since the ids are
                // remembered.
                Err(AppendError::Unavailable(_)) => {
                    metrics::counter!("paihao_desk_unavailable_total").increment(1);
                    backoff.wait().await;
                    self.is_current(&view).await;
                }
            }
        }
    }

    /// Decides commands together, each on the state after the ones before it.
    fn decide_batch<'a>(
        &self,
        book: &SiteSettings,
        view: &SiteSnapshot,
        commands: impl IntoIterator<Item = &'a Command>,
    ) -> DecidedBatch {
        let now = self.decision_input(book);
        let mut site = view.site.clone();
        let mut decisions = Vec::new();
        let answers =
            commands.into_iter().map(|command| match decide(&site, &book.rules, command, &now)? {
                DecisionResult::AlreadyDecided(known) => {
                    Ok(CommandOutcome { outcome: known.outcome, at: known.at })
                }
                DecisionResult::Decided(decision, after) => {
                    site = *after;
                    let answered =
                        CommandOutcome { outcome: decision.outcome.clone(), at: decision.at };
                    decisions.push(decision);
                    Ok(answered)
                }
            });
        let answers = answers.collect();
        DecidedBatch { decisions, site, answers }
    }

    async fn append(
        &self,
        book: &SiteSettings,
        view: &SiteSnapshot,
        (decisions, site): (Vec<Decision>, Site),
        trace: Option<Traceparent>,
    ) -> Result<Position, AppendError> {
        let expect = match view.position {
            Position::START => ExpectedPosition::Empty,
            position => ExpectedPosition::At(position),
        };
        let mut entry = codec::encode(&book.facts, &decisions);
        self.replica
            .set_pending(view, PendingWrite { payload: entry.payload.clone(), decisions, site });
        if let Some(trace) = trace {
            entry = entry.with_header(trace::TRACEPARENT_HEADER, trace.to_string());
        }
        self.ledger.append(&LEDGER, &book.subject, expect, entry).await
    }

    /// Returns whether the snapshot holds every entry of the site in the ledger; if not, waits for
    /// the missing ones. `None` if the ledger does not answer. A refusal is given only on the
    /// newest state.
    async fn is_current(&self, view: &SiteSnapshot) -> Option<bool> {
        let last = self.ledger.last(&LEDGER, &self.replica.subject).await.ok()?;
        let found = last.map(|recorded| recorded.position);
        if found.is_none_or(|found| found <= view.position) {
            return Some(true);
        }
        self.catch_up(view.position, found).await;
        Some(false)
    }

    /// Waits until the replica holds the entry that was found in the ledger.
    async fn catch_up(&self, known: Position, found: Option<Position>) {
        let Some(found) = found else { return self.replica.mark_aged_out() };
        let mut views = self.replica.watch();
        let news = views.wait_for(|view| view.position >= found || view.position < known);
        let _ = tokio::time::timeout(CATCH_UP_TIMEOUT, news).await;
    }
}

fn send_answers(
    batch: impl Iterator<Item = PendingCommand>,
    answers: Vec<Result<CommandOutcome, SubmitError>>,
) {
    for (request, answer) in batch.zip(answers) {
        // The sender may be gone; the decision stands all the same.
        let _ = request.reply.send(answer);
    }
}

fn reject_all(batch: impl IntoIterator<Item = PendingCommand>, declined: SubmitError) {
    for request in batch {
        let _ = request.reply.send(Err(declined.clone()));
    }
}
