//! Recent commands of a site and their answers, so that a repeated command gets the first answer.

use crate::model::ids::CommandId;
use crate::model::time::Timestamp;
use crate::protocol::event::Decision;
use crate::protocol::outcome::Outcome;
use imbl::{OrdMap, Vector};
use std::sync::Arc;

/// Retention of a decided command: 15 minutes. WeChat repeats a callback within 15 seconds; a
/// client that repeats an API call later than this must read the state first.
pub const COMMAND_RETENTION_MS: i64 = 15 * 60 * 1000;

/// Recorded answer to a command that was decided a while ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedAnswer {
    /// Fingerprint of the command.
    pub fingerprint: u64,
    /// Time of the decision.
    pub at: Timestamp,
    /// Outcome of the decision.
    pub outcome: Outcome,
}

/// Commands decided within the retention, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RecentCommands {
    by_id: OrdMap<CommandId, Arc<RecordedAnswer>>,
    in_order: Vector<(Timestamp, CommandId)>,
}

impl RecentCommands {
    pub(crate) fn get(&self, id: &CommandId) -> Option<&RecordedAnswer> {
        self.by_id.get(id).map(|recorded| &**recorded)
    }

    /// Commands with their answers, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (CommandId, &RecordedAnswer)> {
        self.in_order.iter().filter_map(|(_, id)| Some((*id, self.get(id)?)))
    }

    pub(crate) fn record(&mut self, decision: &Decision) {
        while let Some((at, id)) = self.in_order.front().cloned() {
            if !decision.at.is_after(at, COMMAND_RETENTION_MS + 1) {
                break;
            }
            self.in_order.pop_front();
            self.by_id.remove(&id);
        }
        let recorded = RecordedAnswer {
            fingerprint: decision.fingerprint,
            at: decision.at,
            outcome: decision.outcome.clone(),
        };
        self.by_id.insert(decision.command, Arc::new(recorded));
        self.in_order.push_back((decision.at, decision.command));
    }
}

impl FromIterator<(CommandId, RecordedAnswer)> for RecentCommands {
    fn from_iter<I: IntoIterator<Item = (CommandId, RecordedAnswer)>>(commands: I) -> Self {
        let mut recent = RecentCommands::default();
        for (id, recorded) in commands {
            recent.in_order.push_back((recorded.at, id));
            recent.by_id.insert(id, Arc::new(recorded));
        }
        recent
    }
}
