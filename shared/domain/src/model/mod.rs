//! State of a site: its tickets, lines, counters and rules.

pub(crate) mod actor;
pub(crate) mod counter_act;
pub(crate) mod ids;
pub(crate) mod lane;
pub(crate) mod line;
pub(crate) mod notification;
pub(crate) mod position_changes;
pub(crate) mod quoted_wait;
pub(crate) mod rank;
pub(crate) mod rare;
pub(crate) mod recent_commands;
pub(crate) mod remainder;
pub(crate) mod rules;
pub(crate) mod site;
pub(crate) mod standing;
pub(crate) mod ticket;
pub(crate) mod ticket_act;
pub(crate) mod time;
pub(crate) mod visit;
pub(crate) mod visit_progress;
