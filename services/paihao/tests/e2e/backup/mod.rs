//! Tests of backup, restore and move, from either shape to either.

mod content;
mod full;
mod partitions;
mod programs;
mod refusals;
mod store;
mod stores;
mod world;
