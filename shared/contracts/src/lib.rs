//! What crosses a process boundary: names, and versioned types with their stored form.
//!
//! Nothing here decides anything. The domain's own types are converted at the edge. What several
//! records of one thing add up to belongs to their meaning, and stands beside them.

pub mod names;

pub mod allowance;
pub mod book;
pub mod commit;
pub mod dead_letter;
pub mod history;
pub mod link;
pub mod login;
pub mod notice;
pub mod outcome;
pub mod public;
pub mod receipt;
pub mod session;
pub mod setup;
pub mod staff;
pub mod token;
pub mod unsound;
pub mod webhook;
