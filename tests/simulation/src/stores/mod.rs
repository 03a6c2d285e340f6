//! Simulated stores: a ledger and a cache in memory, each reached over a link with faults.

pub mod cache;
pub mod ledger;
