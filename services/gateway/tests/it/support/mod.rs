//! Gateways over one ledger, without any network.

pub mod door;
pub mod replica;
