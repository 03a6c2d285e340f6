//! Texts of notices, rendered with the settings of account and site; pure functions.
//!
//! - [`policy`]: channels, templates and texts of an account for each kind of notice, and
//!   the texts of a site;
//! - [`render`]: rendering of a notice, with placeholders replaced;
//! - [`sample`]: sample notice of each kind, for previews and checks;
//! - [`mapping`]: what each field of a template may say, and proposals from its label and type;
//! - [`words`]: words that people write, and the action of each;
//! - [`check`]: faults of texts, words and templates.
//!
//! The notifier sends these texts and the gateway previews them, so both show the same.

mod exact;
mod field_text;
mod length;
pub mod mapping;
pub mod policy;
pub mod render;

pub mod check;
pub mod sample;
pub mod words;

pub use policy::{AccountPolicies, NoticePolicy};
