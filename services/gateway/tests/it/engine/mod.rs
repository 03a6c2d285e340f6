//! Tests of engines of several replicas over one ledger, without a network.

mod agreement;
mod changing;
mod clocks;
mod crowds;
mod leaving;
mod partitions;
mod sleeping;
mod snapshot_faults;
mod snapshots;
mod time;
mod trouble;
