//! What happened, told to the owner's other systems by several replicas over one ledger.

mod pages;
mod past;
mod resuming;
