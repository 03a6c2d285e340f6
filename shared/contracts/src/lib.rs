//! What crosses a process boundary: names, and versioned types with their stored form.
//!
//! Nothing here decides anything. The domain's own types are converted at the edge. What several
//! records of one thing add up to belongs to their meaning, and stands beside them.

pub mod streams;

pub mod commit;
pub mod dead_letter;
pub mod login;
pub mod notice;
pub mod outcome;
pub mod public_event;
pub mod receipt;
pub mod send_window;
pub mod session;
pub mod settings;
pub mod settings_log;
pub mod staff;
pub mod ticket_link;
pub mod token;
pub mod validation_error;
pub mod visit;
pub mod webhook;
