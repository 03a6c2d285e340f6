//! Notices from commit to outcome, over embedded stores and a simulated WeChat.

mod world;

mod channels;
mod delivery;
mod isolation;
mod order;
mod receipts;
mod redrive;
mod upkeep;
