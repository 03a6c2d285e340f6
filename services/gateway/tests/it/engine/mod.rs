//! Engines of several replicas over one ledger, without any network.

mod agreement;
mod changing;
mod crowds;
mod sleeping;
mod time;
mod trouble;
