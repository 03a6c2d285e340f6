//! Commands for decisions that concern more tickets than one entry of the ledger takes.
//!
//! Each batch is a decision of its own. The remainder stands in the site's state, so that any
//! replica can continue.

use crate::day_rollover;
use crate::model::ids::QueueId;
use crate::model::remainder::Remainder;
use crate::model::rules::Rules;
use crate::model::site::Site;
use crate::model::time::DecisionInput;
use crate::protocol::command::{Act, Command, QueueState};

/// Command that must be decided before any other. A business day ends and begins as a whole, so the
/// first command of a new day waits for it.
pub fn day_close_command(site: &Site, rules: &Rules, now: &DecisionInput) -> Option<Command> {
    let batch = day_rollover::next_batch(site, rules, now)?;
    let day = site.day?.0;
    Some(Command::by_system(&format!("closeday/{day}/{}", batch.left_before), Act::CloseDay))
}

/// Commands for the next batch of each queue's remainders.
pub(crate) fn continuation_commands<'a>(
    site: &'a Site,
    rules: &'a Rules,
) -> impl Iterator<Item = Command> + 'a {
    let lines = rules.queues.keys().filter_map(|queue| Some((queue, site.lines.get(queue)?)));
    lines.flat_map(|(queue, line)| {
        let clear = line.uncleared.as_ref().map(|remainder| {
            batch_command(remainder, "sweep", queue, Act::ContinueClearQueue(queue.clone()))
        });
        // Two states may be set at one time.
        let verb = match site.queue_state(rules, queue) {
            QueueState::Halted => "tell",
            QueueState::Closed => "tell-closed",
            QueueState::Open => "tell-open",
            QueueState::Paused => "tell-paused",
        };
        let notify = line.unnotified.as_ref().map(|remainder| {
            batch_command(remainder, verb, queue, Act::ContinueNotifyQueue(queue.clone()))
        });
        clear.into_iter().chain(notify)
    })
}

/// Command for the next batch of a queue's remainder. Every replica derives the same id.
fn batch_command(remainder: &Remainder, verb: &str, queue: &QueueId, act: Act) -> Command {
    let since = remainder.since.0;
    let remaining = remainder.tickets.len();
    Command::by_system(&format!("{verb}/{}/{since}/{remaining}", queue.as_str()), act)
}
