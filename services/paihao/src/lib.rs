//! Composition root of the program: the only crate that picks adapters and joins the services.
//!
//! In reading order: [`config`] is every setting; [`ports`] opens the stores; [`compose`] starts
//! the services on them; [`reload`] applies changes of the configuration while they run; [`demo`]
//! and [`simulator`] serve first looks and tests; [`doctor`] checks a deployment; [`settings`] and
//! [`health`] are commands that call a running process; [`cli`] parses the command line.

pub mod compose;
pub mod config;
pub mod ports;
pub mod reload;

pub mod demo;
pub mod doctor;
pub mod health;
mod plain_http;
pub mod settings;
pub mod simulator;

pub mod cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
