//! Check of the answers to people, against the line as the ledger has it.

use super::findings::FindingKind;
use super::line::Lines;
use crate::edge::{Reply, Request};
use crate::world::World;
use std::sync::Arc;

/// Check of answers.
pub struct Answers {
    lines: Arc<Lines>,
}

impl Answers {
    /// Creates the check against these lines.
    pub fn new(lines: Arc<Lines>) -> Answers {
        Answers { lines }
    }

    /// Checks a number in the reply to a scan.
    pub fn check_number(&self, world: &World, site: &str, person: &str, number: &str) {
        if !self.lines.has_had(site, person, number) {
            world.report(
                FindingKind::NumberNotDurable,
                format_args!(
                    "{person} was told {number} at {site}, which the ledger does not have"
                ),
            );
        }
    }

    /// Checks that a repeat of a request got the first answer.
    pub fn check_repeat(&self, world: &World, request: &Request, first: &Reply, again: &Reply) {
        let decided = |reply: &Reply| reply.status < 300;
        if decided(first) && decided(again) && first.body != again.body {
            let key = &request.key;
            let (first, again) = (&first.body, &again.body);
            world.report(
                FindingKind::AnswerChanged,
                format_args!("the repeat of {key:?} got {again} after {first}"),
            );
        }
    }

    /// Checks that one press called one person at most.
    pub fn check_calls(&self, world: &World, request: &Request, calls: u64) {
        if calls > 1 {
            let key = &request.key;
            world.report(
                FindingKind::CommandTwice,
                format_args!("the press {key:?} called {calls} people"),
            );
        }
    }

    /// Number of calls at a counter so far.
    pub fn calls_at(&self, site: &str, counter: &str) -> u64 {
        self.lines.calls_at(site, counter)
    }
}
