//! Counts of a gateway's core in one thread, on simulated time and on a ledger in memory: what a
//! decision costs in instructions ([`decisions`]), what is asked of a long line ([`looks`]), and
//! what is kept in bytes ([`memory`]).
//!
//! Neither depends on what else the machine does. The allocator is that of whoever links this.

pub mod commands;
pub mod gateway;
pub mod ledger;

pub mod decisions;
pub mod looks;
pub mod memory;
