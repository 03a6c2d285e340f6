//! What people are told: a notice in the words of its account and its site; pure.
//!
//! - [`notice_policy`]: how an account says each kind of notice, and where a site has words of its own;
//! - [`render`]: a notice in those words, with what stands in braces replaced;
//! - [`sample`]: a notice of each kind as it could be, to look at words before anybody is told them;
//! - [`check`]: what is wrong with words and templates.
//!
//! The notifier says what this makes, the gateway shows it beforehand: so both show the same.

mod field_text;
pub mod policy;
pub mod render;

pub mod check;
pub mod sample;

pub use policy::{AccountPolicies, NoticePolicy};
