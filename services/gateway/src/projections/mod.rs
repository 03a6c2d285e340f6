//! Read models folded from logs of the ledger.

pub mod fates;
pub(crate) mod feed;
pub mod history;
pub(crate) mod letters;
