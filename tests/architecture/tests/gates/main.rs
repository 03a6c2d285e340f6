//! Gates: what ARCHITECTURE.md says of the whole tree, asked of the tree itself.
//!
//! Each has been seen to fail. One that goes red is not to be widened without changing the
//! sentence that it holds.

mod repository;

mod commands;
mod dependencies;
mod deploy;
mod documents;
mod links;
mod modules;
mod sources;
mod unused;
mod vocabulary;
