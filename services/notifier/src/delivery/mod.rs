//! Delivery of notices: from the work queue to WeChat, once each and in the order of their ticket.
//!
//! The [`worker`] takes a notice and selects one of its [`channels`]. [`ticket_order`] and
//! [`attempt_lease`] decide which replica may attempt it, [`send`] calls WeChat, [`classify`]
//! decides the next step, and [`finish`] records the outcome in the [`outcome_log`].

pub(crate) mod worker;

pub mod attempt_lease;
pub mod ticket_order;

pub(crate) mod account_permits;

pub mod channels;

pub(crate) mod send;
pub(crate) mod send_window;
pub(crate) mod sent_index;

pub mod classify;

pub(crate) mod finish;
pub(crate) mod outcome_log;
