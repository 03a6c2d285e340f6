//! Gates: what ARCHITECTURE.md says of the whole tree, asked of the tree itself.
//!
//! Each has been seen to fail. One that goes red is not to be widened without changing the
//! sentence that it holds.

mod repository;

mod alerts;
mod commands;
mod dashboards;
mod dependencies;
mod deploy;
mod digests;
mod documents;
mod kubernetes;
mod links;
mod metrics;
mod modules;
mod packages;
mod reports;
mod sources;
mod unused;
mod vocabulary;
