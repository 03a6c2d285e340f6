//! Members of staff, their browser sessions, and login by scanning.
//!
//! Members and sessions stand in logs that every replica follows, so that each knows everybody, and
//! a restart forgets nobody.

pub(crate) mod browser_sessions;
pub(crate) mod error;
pub(crate) mod roster;
pub(crate) mod roster_log;

pub mod login;
pub(crate) mod oauth;

#[cfg(test)]
mod tests;
