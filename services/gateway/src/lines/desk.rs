//! One site's desk: takes commands in order, decides them, writes them down, answers.
//!
//! While an entry is on its way to the ledger the next commands gather, and then go as one. On a
//! conflict nothing is lost: the desk waits until its view holds what it had missed, and decides
//! again.

use super::places::CurrentBook;
use super::view::{Draft, SiteView, View};
use crate::book::SiteBook;
use crate::projections::history::History;
use crate::stored;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::Clock;
use paihao_chassis::trace::{self, Traceparent};
use paihao_contracts::names::LEDGER;
use paihao_domain::{
    Answer, Command, Decision, Now, Outcome, Refusal, Site, Timestamp, decide, due, first_of_all,
    next_due,
};
use paihao_ledger::{AppendError, Expect, Ledger, Position};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Commands that go as one entry at most; keeps an entry far below what a store takes.
const BATCH: usize = 256;

/// Between two looks at what time has brought about, however much happens.
const APART: Duration = Duration::from_millis(20);

/// Before what was due and not decided is tried again, unless something happens.
const AGAIN: Duration = Duration::from_secs(1);

/// A desk looks this often without a reason, too: the machine's clock may be set, and a machine that
/// slept has timers that did.
const LOOK: Duration = Duration::from_secs(30);

/// How long to wait for the follower to bring what a conflict spoke of, before looking again.
const CATCH_UP: Duration = Duration::from_secs(1);

/// What was decided, now or when the command came first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The outcome.
    pub outcome: Outcome,
    /// When it was decided.
    pub at: Timestamp,
}

/// Why there is no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Declined {
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such site.
    #[error("there is no such site")]
    UnknownSite,
    /// The ledger did not take it in time.
    #[error("the ledger did not take it in time")]
    Unavailable,
    /// A newer program wrote to this site's ledger.
    #[error("a newer program wrote what this one cannot read")]
    Unreadable,
}

/// A command and the way back to who asked.
pub(super) struct Request {
    pub(super) command: Command,
    /// The trace of who asked; the entry goes on with it.
    pub(super) trace: Option<Traceparent>,
    pub(super) reply: oneshot::Sender<Result<Answered, Declined>>,
}

/// Decides for one site, each time with what the owner has set up by then.
pub(super) struct Desk {
    book: Arc<CurrentBook>,
    view: Arc<SiteView>,
    history: History,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
}

/// What may have changed what is due.
struct News {
    views: watch::Receiver<View>,
    clock: Option<watch::Receiver<i64>>,
}

impl News {
    /// Comes when something has happened since it was last seen.
    async fn come(&mut self) {
        let moved = async {
            let Some(clock) = &mut self.clock else { return std::future::pending().await };
            if clock.changed().await.is_err() {
                // Nobody can set it any more.
                std::future::pending().await
            }
        };
        tokio::select! {
            changed = self.views.changed() => if changed.is_err() { std::future::pending().await },
            () = moved => {}
        }
    }

    fn seen(&mut self) {
        self.views.mark_unchanged();
        self.clock.iter_mut().for_each(watch::Receiver::mark_unchanged);
    }
}

/// What a batch comes to on a given view.
struct Sitting {
    decisions: Vec<Decision>,
    /// The site after them.
    site: Site,
    answers: Vec<Result<Answered, Declined>>,
}

impl Desk {
    pub(super) fn new(
        book: Arc<CurrentBook>,
        view: Arc<SiteView>,
        history: History,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Desk { book, view, history, ledger, clock }
    }

    /// Serves until nobody can ask any more: the door has closed, and what was asked is answered.
    /// What time brings about is decided once the view is `caught_up`, by every replica: one lands.
    /// It is looked for when something has happened, and at the next moment at which it may come.
    pub(super) async fn run(
        self,
        mut requests: mpsc::Receiver<Request>,
        mut caught_up: watch::Receiver<bool>,
        closed: CancellationToken,
    ) {
        let mut batch = Vec::new();
        let mut news = News { views: self.view.watch(), clock: self.clock.moves() };
        let (mut looked, mut next) = (Instant::now(), Instant::now());
        loop {
            let taken = tokio::select! {
                biased;
                () = tokio::time::sleep_until(next), if *caught_up.borrow() => {
                    news.seen();
                    let wait = self.look().await;
                    looked = Instant::now();
                    next = looked + wait;
                    continue;
                }
                taken = requests.recv_many(&mut batch, BATCH) => taken,
                () = closed.cancelled() => return,
                () = news.come() => {
                    next = next.min(looked + APART);
                    continue;
                }
                Ok(()) = caught_up.changed() => continue,
            };
            if taken == 0 {
                return;
            }
            metrics::histogram!("paihao_desk_batch_commands").record(taken as f64);
            self.settle(std::mem::take(&mut batch)).await;
        }
    }

    fn now(&self, book: &SiteBook) -> Now {
        book.calendar.now(self.clock.now_ms()).knowing(self.history.model(&book.subject))
    }

    /// Decides what time has brought about, and says how long nothing more will come by itself, as
    /// far as this replica knows.
    async fn look(&self) -> Duration {
        let something = self.bring_about().await;
        let (view, book) = (self.view.now(), self.book.now());
        if view.unreadable {
            return LOOK;
        }
        let now = self.now(&book);
        match next_due(&view.site, &book.rules, &now) {
            // It was not decided: the rules refuse it for now, or the ledger is away.
            Some(next) if next <= now.at && something => AGAIN,
            Some(next) => {
                Duration::from_millis(next.since_ms(now.at).max(0) as u64).clamp(APART, LOOK)
            }
            None => LOOK,
        }
    }

    /// Decides what time alone has brought about. Says whether there was anything.
    async fn bring_about(&self) -> bool {
        let view = self.view.now();
        if view.unreadable {
            return false;
        }
        let book = self.book.now();
        let mut due = due(&view.site, &book.rules, &self.now(&book));
        due.truncate(BATCH);
        let (batch, waiting): (Vec<_>, Vec<_>) = due
            .into_iter()
            .map(|command| {
                let (reply, answer) = oneshot::channel();
                (Request { command, trace: None, reply }, answer)
            })
            .unzip();
        if batch.is_empty() {
            return false;
        }
        // A ledger that is away is waited for no longer than by a person: people ask meanwhile.
        let _ = tokio::time::timeout(super::PATIENCE, self.settle(batch)).await;
        for mut answer in waiting {
            if let Ok(Ok(answered)) = answer.try_recv() {
                let site = &*book.facts.id;
                tracing::info!(site, outcome = answered.outcome.name(), "time has brought about");
            }
        }
        true
    }

    /// Brings every request of the batch to its answer.
    async fn settle(&self, mut batch: Vec<Request>) {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
        // So many at once, unless that is more than the ledger takes.
        let mut most = BATCH;
        loop {
            // Somebody who was already told "not now" must not get a number behind their back.
            batch.retain(|request| !request.reply.is_closed());
            if batch.is_empty() {
                return;
            }
            let view = self.view.now();
            if view.unreadable {
                return answer_all(batch, Declined::Unreadable);
            }
            let book = self.book.now();
            let first = first_of_all(&view.site, &book.rules, &self.now(&book));
            let asked = batch.len().min(most);
            let sitting = match &first {
                Some(command) => self.sit(&book, &view, std::slice::from_ref(command)),
                None => {
                    self.sit(&book, &view, batch[..asked].iter().map(|request| &request.command))
                }
            };
            if sitting.decisions.is_empty() {
                match self.is_newest(&view).await {
                    Some(true) if first.is_some() => {
                        return answer_all(batch, Declined::Unavailable);
                    }
                    Some(true) => answer(batch.drain(..asked), sitting.answers),
                    Some(false) => {}
                    None => backoff.wait().await,
                }
                continue;
            }
            let Sitting { decisions, site, answers } = sitting;
            match self.write(&book, &view, (decisions, site), batch[0].trace).await {
                Ok(position) => {
                    self.view.stands(position);
                    if first.is_none() {
                        answer(batch.drain(..asked), answers);
                    }
                }
                Err(AppendError::Conflict { found, .. }) => {
                    metrics::counter!("paihao_desk_conflicts_total").increment(1);
                    self.catch_up(view.position, found).await;
                }
                // Many large ones may have come together.
                Err(AppendError::TooLarge { .. }) if first.is_none() && asked > 1 => {
                    most = asked / 2;
                }
                Err(AppendError::TooLarge { size, limit }) => {
                    let site = &*book.facts.id;
                    tracing::error!(site, size, limit, "a commit is larger than the ledger takes");
                    match first {
                        Some(_) => return answer_all(batch, Declined::Unavailable),
                        None => answer_all(batch.drain(..asked), Declined::Unavailable),
                    }
                }
                // It may have been written: the next round finds out, since the ids are remembered.
                Err(AppendError::Unavailable(_)) => {
                    metrics::counter!("paihao_desk_unavailable_total").increment(1);
                    backoff.wait().await;
                    self.is_newest(&view).await;
                }
            }
        }
    }

    /// Decides commands together, each on what the ones before it led to.
    fn sit<'a>(
        &self,
        book: &SiteBook,
        view: &View,
        commands: impl IntoIterator<Item = &'a Command>,
    ) -> Sitting {
        let now = self.now(book);
        let mut site = view.site.clone();
        let mut decisions = Vec::new();
        let answers =
            commands.into_iter().map(|command| match decide(&site, &book.rules, command, &now)? {
                Answer::Remembered(known) => Ok(Answered { outcome: known.outcome, at: known.at }),
                Answer::Decided(decision, after) => {
                    site = *after;
                    let answered = Answered { outcome: decision.outcome.clone(), at: decision.at };
                    decisions.push(decision);
                    Ok(answered)
                }
            });
        let answers = answers.collect();
        Sitting { decisions, site, answers }
    }

    async fn write(
        &self,
        book: &SiteBook,
        view: &View,
        (decisions, site): (Vec<Decision>, Site),
        trace: Option<Traceparent>,
    ) -> Result<Position, AppendError> {
        let expect = match view.position {
            Position::START => Expect::Nothing,
            position => Expect::At(position),
        };
        let mut entry = stored::encode(&book.facts, &decisions);
        self.view.draft(view, Draft { payload: entry.payload.clone(), decisions, site });
        if let Some(trace) = trace {
            entry = entry.with_header(trace::HEADER, trace.to_string());
        }
        self.ledger.append(&LEDGER, &book.subject, expect, entry).await
    }

    /// Whether nothing stands in the ledger that the view does not hold; if something does, waits
    /// for it. `None` if the ledger does not say. A refusal is given only on what is true now.
    async fn is_newest(&self, view: &View) -> Option<bool> {
        let last = self.ledger.last(&LEDGER, &self.view.subject).await.ok()?;
        let found = last.map(|recorded| recorded.position);
        if found.is_none_or(|found| found <= view.position) {
            return Some(true);
        }
        self.catch_up(view.position, found).await;
        Some(false)
    }

    /// Waits until the view has changed to hold what the ledger was found to hold.
    async fn catch_up(&self, known: Position, found: Option<Position>) {
        let Some(found) = found else { return self.view.aged_out() };
        let mut views = self.view.watch();
        let news = views.wait_for(|view| view.position >= found || view.position < known);
        let _ = tokio::time::timeout(CATCH_UP, news).await;
    }
}

fn answer(batch: impl Iterator<Item = Request>, answers: Vec<Result<Answered, Declined>>) {
    for (request, answer) in batch.zip(answers) {
        // The asker may have left; the decision stands all the same.
        let _ = request.reply.send(answer);
    }
}

fn answer_all(batch: impl IntoIterator<Item = Request>, declined: Declined) {
    for request in batch {
        let _ = request.reply.send(Err(declined.clone()));
    }
}
