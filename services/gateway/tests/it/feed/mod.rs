//! Tests of the feed of events for the owner's other systems, from several replicas over one
//! ledger.

mod pages;
mod past;
mod resuming;
