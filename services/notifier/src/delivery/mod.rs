//! Delivery of notices: from the work queue to WeChat, once each and in the order of their ticket.
//!
//! The [`worker`] takes a notice and selects one of its [`channels`]. The [`attempt`] is claimed in
//! the [`ticket_log`], which also has its result; [`send`] calls WeChat, [`classify`] decides the
//! next step, and [`finish`] records the outcome. The cache holds only what may be lost:
//! [`planned_order`], [`send_window`] and [`sent_index`].

pub(crate) mod worker;

mod account_places;
mod attempt;

pub mod ticket_state;

pub(crate) mod ticket_log;

pub mod channels;

pub(crate) mod planned_order;
pub(crate) mod send;
pub(crate) mod send_window;
pub(crate) mod sent_index;

pub mod classify;

pub(crate) mod finish;
pub(crate) mod takeover;
