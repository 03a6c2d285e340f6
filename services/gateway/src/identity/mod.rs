//! Members of staff, their browser sessions, login by scanning, and paired kiosks.
//!
//! Members and sessions are stored in logs that every replica follows, so that each replica knows
//! all of them, also after a restart.

pub(crate) mod browser_sessions;
pub(crate) mod error;
pub(crate) mod former_names;
pub(crate) mod key_uses;
pub(crate) mod kiosk_pairing;
pub(crate) mod record_macs;
pub(crate) mod roster;
pub(crate) mod roster_log;
mod roster_seals;
pub(crate) mod sealed_members;
mod session_cache;

pub mod login;
pub(crate) mod oauth;

#[cfg(test)]
mod tests;
