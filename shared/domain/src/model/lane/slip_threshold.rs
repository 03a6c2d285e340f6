//! Threshold of a notice of a longer wait, and the position in a lane that it belongs to.

use crate::estimate::slip_threshold_s;
use crate::model::ids::TicketId;
use crate::model::rank::Rank;
use crate::model::ticket::Ticket;
use crate::model::time::Timestamp;

/// Position in a lane, unique for each ticket.
pub(crate) type Position = (Rank, TicketId);

/// Threshold from which a waiting holder gets a notice that the wait has grown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SlipThreshold {
    /// Expected turn, at or after which the notice is due.
    pub(crate) limit: Timestamp,
    /// Earliest time of the notice.
    pub(crate) from: Timestamp,
}

impl SlipThreshold {
    /// Threshold of a holder who never gets the notice.
    pub(super) const NEVER: SlipThreshold =
        SlipThreshold { limit: Timestamp(i64::MAX), from: Timestamp(i64::MAX) };

    /// Threshold of a ticket; `None` if it has no WeChat holder, no quoted wait, or no template
    /// left in its budget.
    pub(crate) fn for_ticket(ticket: &Ticket) -> Option<SlipThreshold> {
        let expected = ticket.expected_turn_at()?;
        let from = ticket.person.as_ref().and(ticket.notifications.slip_allowed_from())?;
        let quoted_ms = expected.since_ms(ticket.taken_at).max(0);
        let quoted_s = u32::try_from(quoted_ms / 1_000).unwrap_or(u32::MAX);
        let limit = ticket.taken_at.plus_ms(i64::from(slip_threshold_s(quoted_s)) * 1_000);
        Some(SlipThreshold { limit, from })
    }

    /// Returns `true` if the notice is due at `at` for a holder who still has `minutes` to wait.
    pub(crate) fn is_exceeded(&self, at: Timestamp, minutes: u32) -> bool {
        self.from <= at && self.limit <= at.plus_minutes(minutes)
    }

    /// Lower bound of two thresholds, field by field: neither is exceeded before it.
    pub(super) fn min_of(self, other: SlipThreshold) -> SlipThreshold {
        SlipThreshold { limit: self.limit.min(other.limit), from: self.from.min(other.from) }
    }
}
