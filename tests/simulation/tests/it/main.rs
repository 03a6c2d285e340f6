//! Tests of the simulation: its ledger, the replay of seeds, and what it finds.

mod ledger;
mod seeds;
