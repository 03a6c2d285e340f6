//! Calls by the system itself, at counters whose owner has set that.
//!
//! The system leaves room for a person: it calls a moment after the counter is free, so that
//! whoever is there can take a break, close, or take something back before; and once something was
//! taken back, it waits until a person calls.

use crate::model::ids::CounterId;
use crate::model::rules::Rules;
use crate::model::site::Site;
use crate::model::time::{DecisionInput, Timestamp};
use crate::next_ticket::next_ticket;

/// Time from when a counter is free until the system calls there.
pub(crate) const AUTO_CALL_DELAY_MS: i64 = 5_000;

impl Site {
    /// Time at which the system calls the next ticket to a counter, if nobody acts before; `None`
    /// if it calls nobody there.
    pub fn auto_call_due_at(
        &self,
        rules: &Rules,
        id: &CounterId,
        now: &DecisionInput,
    ) -> Option<Timestamp> {
        let counter_rules = rules.counters.get(id)?;
        let counter = self.counters.get(id)?;
        let is_free = counter.is_open() && counter.serving.is_none();
        if !counter_rules.auto_next || !is_free || counter.auto_call_paused {
            return None;
        }
        next_ticket(self, rules, counter_rules)?;
        let due = match counter.free_since {
            Some(since) if !now.at.is_after(since, AUTO_CALL_DELAY_MS) => {
                since.plus_ms(AUTO_CALL_DELAY_MS)
            }
            _ => now.at,
        };
        Some(due)
    }

    /// Returns whether the system would call to this free counter, but waits for a person.
    pub fn is_auto_call_paused(&self, rules: &Rules, id: &CounterId) -> bool {
        let is_automatic = rules.counters.get(id).is_some_and(|rules| rules.auto_next);
        let counter = self.counter(id);
        is_automatic && counter.auto_call_paused && counter.is_open() && counter.serving.is_none()
    }
}
