//! Notices and webhooks from commit to outcome, over embedded stores and a simulated WeChat.

mod support;

mod account_checks;
mod channels;
mod clocks;
mod delivery;
mod faults;
mod isolation;
mod newer;
mod order;
mod person_tags;
mod receipts;
mod redrive;
mod stored_instants;
mod templates;
mod ticket_log;
mod traces;
mod update;
mod webhooks;
