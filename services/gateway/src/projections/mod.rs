//! Projections: read models of logs of the ledger.

pub(crate) mod dead_letters;
pub mod delivery_status;
pub(crate) mod feed;
pub mod visits;
