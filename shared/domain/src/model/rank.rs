//! Place of a ticket in a line.

use crate::model::time::Timestamp;

/// Place in a line; the smaller rank is earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    /// Priority class, 0 first.
    pub class: u8,
    /// Effective arrival, which a return, a transfer or a reordering changes. It never runs
    /// backwards within a site, whatever the replicas' clocks do, so that the order of the ledger
    /// is the order of the line.
    pub arrival: Timestamp,
    /// Tie-breaker: the ordinal of the ticket, or of the ticket that it was placed beside.
    pub sequence: u32,
    /// Offset from the ticket that it was placed beside: negative before, positive behind; 0 for
    /// its own place.
    pub offset: i32,
}
