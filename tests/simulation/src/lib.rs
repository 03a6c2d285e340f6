//! Simulation of the whole system in one thread, on simulated time, from one seed.
//!
//! Gateways, notifiers and token services run as they are, over a simulated ledger, cache, clock
//! and WeChat. Messages are delayed and lost, processes are cut off, killed and restarted, clocks
//! are wrong, entries age out. The invariants of ARCHITECTURE.md are checked throughout, and again
//! once every fault is over. A seed replays exactly.
//!
//! In reading order: [`world`] has time, chance, trace and findings; [`link`] is the connection of
//! a process to a system; [`stores`] and [`wechat`] are the systems; [`process`] and [`fleet`] are
//! the product; [`people`] use it and [`faults`] befall it; [`checks`] are the invariants; [`run`]
//! is one run and [`sweep`] many; [`mendings`] can be taken out; [`kept`] has the seeds that found
//! something.

pub mod random;
pub mod trace;

pub mod link;
pub mod world;

pub mod calendar;
pub mod clock;
pub mod stores;
pub mod wechat;

pub mod deployment;
pub mod edge;
pub mod fleet;
pub mod mendings;
pub mod process;

pub mod faults;
pub mod people;
pub mod plan;

pub mod checks;

pub mod kept;
pub mod run;
pub mod sweep;
