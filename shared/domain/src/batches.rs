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
use crate::protocol::command::{Act, Command};

/// Command that must be decided before any other. A business day ends and begins as a whole, so the
/// first command of a new day waits for it.
pub fn day_close_command(site: &Site, rules: &Rules, now: &DecisionInput) -> Option<Command> {
    let piece = day_rollover::next_batch(site, rules, now)?;
    let day = site.day?.0;
    Some(Command::by_system(&format!("closeday/{day}/{}", piece.left_before), Act::CloseDay))
}

/// Commands for the next batch of each queue's remainders.
pub(crate) fn continuation_commands<'a>(
    site: &'a Site,
    rules: &'a Rules,
) -> impl Iterator<Item = Command> + 'a {
    let lines = rules.queues.keys().filter_map(|queue| Some((queue, site.lines.get(queue)?)));
    lines.flat_map(|(queue, line)| {
        let sweep = Act::ContinueClearQueue(queue.clone());
        let sweep = line.uncleared.as_ref().map(|rest| batch_command(rest, "sweep", queue, sweep));
        let tell = Act::ContinueNotifyQueue(queue.clone());
        let tell = line.unnotified.as_ref().map(|rest| batch_command(rest, "tell", queue, tell));
        sweep.into_iter().chain(tell)
    })
}

/// Command for the next batch of a queue's remainder. Every replica derives the same id.
fn batch_command(remainder: &Remainder, verb: &str, queue: &QueueId, act: Act) -> Command {
    let since = remainder.since.0;
    let left = remainder.tickets.len();
    Command::by_system(&format!("{verb}/{}/{since}/{left}", queue.as_str()), act)
}
