//! State of a site: its tickets, lines, counters and rules.

pub(crate) mod actor;
pub(crate) mod ids;
pub(crate) mod lane;
pub(crate) mod line;
pub(crate) mod memory;
pub(crate) mod moves;
pub(crate) mod notices;
pub(crate) mod rules;
pub(crate) mod site;
pub(crate) mod ticket;
pub(crate) mod time;
pub(crate) mod visit;
