//! Composition root of the program: the only crate that picks adapters and joins the services.
//!
//! In reading order: [`config`] is every setting; [`ports`] opens the stores, and [`operator_key`]
//! reads what seals their secrets; `new_accounts` refuses tokens that can be guessed; [`compose`]
//! starts the services on them; [`acme`] gets the certificate of its port; `storage` watches their
//! size, `backlog` what waits in them, and [`trace_export`] hands on their traces; [`reload`]
//! applies changes of the configuration while they run; [`demo`] and [`simulator`] serve first
//! looks and tests; [`rehearsal`] lets everything be tried before there is an account, on the
//! WeChat that a demo has (`simulated`), and `restart` has the process start again, on the
//! [`sockets`] that it has; [`doctor`]
//! checks deployments, and `stored_settings` reads theirs; [`backup`] copies its ledger, and
//! [`divide`] divides it;
//! [`first_manager`] lets its first manager in; [`service`] installs it for systemd; [`settings`],
//! [`menu`], [`account`], [`site`] and [`health`] are commands that call a running process;
//! [`cli`] parses the command line.

pub mod acme;
mod backlog;
mod clock_references;
pub mod compose;
pub mod config;
pub mod ports;
pub mod reload;

pub mod account;
pub mod backup;
pub mod demo;
pub mod divide;
pub mod doctor;
pub mod first_manager;
mod gateway_client;
pub mod health;
pub mod menu;
mod new_accounts;
pub mod operator_key;
mod plain_http;
mod private_file;
pub mod rehearsal;
mod restart;
pub mod service;
pub mod settings;
mod simulated;
pub mod simulator;
pub mod site;
pub mod sockets;
mod storage;
mod stored_settings;
pub mod trace_export;

pub mod cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
