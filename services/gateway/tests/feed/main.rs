//! What happened, told to the owner's other systems by several replicas over one ledger.

#[path = "../lines/replica.rs"]
#[allow(dead_code, reason = "the hall of the other tests, which use more of it")]
mod replica;

mod door;

mod pages;
mod past;
mod resuming;
