//! What concerns more people than one entry of the ledger takes is decided in pieces, each a
//! decision of its own. What is left stands in the site's state, so that any replica goes on with it.

use crate::day_rollover;
use crate::model::ids::QueueId;
use crate::model::remainder::Remainder;
use crate::model::rules::Rules;
use crate::model::site::Site;
use crate::model::time::DecisionInput;
use crate::protocol::command::{Act, Command};

/// What has to be decided before anything else: a business day ends and begins as a whole, and
/// whatever comes first in the new one has to wait for that.
pub fn day_close_command(site: &Site, rules: &Rules, now: &DecisionInput) -> Option<Command> {
    let piece = day_rollover::next_batch(site, rules, now)?;
    let day = site.day?.0;
    Some(Command::by_system(&format!("closeday/{day}/{}", piece.left_before), Act::CloseDay))
}

/// The next piece of what was begun with the people of each queue.
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
