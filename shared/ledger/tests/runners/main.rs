//! Tests of projections and workers over a ledger in memory, under a paused clock.

mod memory;

mod projection;
mod worker;
