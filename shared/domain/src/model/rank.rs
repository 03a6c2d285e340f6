//! Place of a ticket in a line.

use crate::model::time::Timestamp;

/// A place in a line: smaller is earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    /// Priority class, 0 first.
    pub class: u8,
    /// Effective arrival: the one knob that returning, transferring and reordering turn. It never
    /// runs backwards within a site, whatever the replicas' clocks do, so that the order of the
    /// ledger is the order of the line.
    pub arrival: Timestamp,
    /// Breaks ties: the sequence of the ticket, or of the one it was put beside.
    pub sequence: u32,
    /// Before (negative) or behind (positive) the ticket it was put beside; 0 for one's own place.
    pub offset: i32,
}
