//! Versioned types that cross a process boundary, with their stored form, and the names of streams
//! and cache keys.
//!
//! The crate makes no decisions. The gateway converts the domain's own types. A function that
//! combines several records of one thing stands beside their type, because it is part of their
//! meaning.

pub mod envelope;
pub mod partitions;
pub mod streams;
mod tagged;

pub mod account_credentials;
pub mod callback_faults;
pub mod commit;
pub mod dead_letter;
pub mod kiosk_pairing;
pub mod login;
pub mod menu;
pub mod migrating_members;
pub mod notice;
pub mod outcome;
pub mod public_event;
pub mod receipt;
pub mod send_window;
pub mod session;
pub mod settings;
pub mod settings_log;
pub mod site_logo;
pub mod snapshot;
pub mod staff;
pub mod stored_secret;
pub mod template_test;
pub mod ticket_link;
pub mod ticket_record;
pub mod token;
pub mod unfollowed;
pub mod validation_error;
pub mod visit;
pub mod webhook;
pub mod webhook_deliveries;
