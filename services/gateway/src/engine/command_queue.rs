//! Queue of the commands of one site, and their answers.

use paihao_chassis::trace::Traceparent;
use paihao_domain::{Command, CommandId, Outcome, Refusal, Site, Timestamp};
use std::borrow::Cow;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Most commands in one entry, which keeps it far below the largest that a store takes.
pub(super) const MAX_BATCH_COMMANDS: usize = 256;

/// Commands that may wait for one site's worker; more are declined at once.
const MAX_QUEUED_COMMANDS: usize = 4096;

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

pub(super) type Answer = Result<CommandOutcome, SubmitError>;

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
    pub(super) fn as_known_by(&self, site: &Site) -> Cow<'_, Command> {
        match self.other_ids.iter().find(|id| site.has_decided(id)) {
            Some(id) => Cow::Owned(Command { id: *id, ..self.command.clone() }),
            None => Cow::Borrowed(&self.command),
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        !self.reply.is_closed() && self.expires_at.is_none_or(|end| Instant::now() < end)
    }
}

/// Commands that wait for the worker.
#[derive(Default)]
pub(super) struct CommandQueue {
    waiting: Vec<PendingCommand>,
    /// True while a run takes them.
    is_running: bool,
}

impl CommandQueue {
    /// Adds commands. Returns whether no run takes them yet, so that the caller has to start one;
    /// `None` if they are declined.
    pub(super) fn add(
        &mut self,
        commands: impl IntoIterator<Item = PendingCommand>,
    ) -> Option<bool> {
        if self.waiting.len() >= MAX_QUEUED_COMMANDS {
            return None;
        }
        self.waiting.extend(commands);
        Some(!std::mem::replace(&mut self.is_running, true))
    }

    /// Returns whether the run goes on. It ends when no command waits.
    pub(super) fn goes_on(&mut self) -> bool {
        if self.waiting.is_empty() {
            // What a storm of commands took is given back.
            *self = CommandQueue::default();
        }
        self.is_running
    }

    /// Takes the commands that have gathered. `None` if none has, and the run ends.
    pub(super) fn take_batch(&mut self) -> Option<Vec<PendingCommand>> {
        if !self.goes_on() {
            return None;
        }
        if self.waiting.len() <= MAX_BATCH_COMMANDS {
            return Some(std::mem::take(&mut self.waiting));
        }
        Some(self.waiting.drain(..MAX_BATCH_COMMANDS).collect())
    }
}
