//! Notices and webhooks from commit to outcome, over embedded stores and a simulated WeChat.

mod support;

mod account_checks;
mod channels;
mod delivery;
mod isolation;
mod newer;
mod order;
mod receipts;
mod redrive;
mod templates;
mod webhooks;
