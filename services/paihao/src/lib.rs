//! The program as a library: the only place that picks adapters and puts services together.
//!
//! In reading order: [`demo_config`] is what can be set; [`ports`] opens the stores; [`compose`] starts
//! the services on them; [`reload_interval`] hands on what changes while they run; [`demo`] and [`build_simulator`] are for looking and testing; [`doctor`] looks
//! for what would go wrong; [`cli`] is what is typed.

pub mod compose;
pub mod config;
pub mod ports;
pub mod reload;

pub mod demo;
pub mod doctor;
pub mod health;
pub mod settings;
pub mod simulator;

pub mod cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
