//! Analysis of the workspace's sources: module graph, names and documentation statistics.
//!
//! The gates in `tests/gates` hold rules over it; `cargo run -p architecture` prints its figures.

pub mod files;
pub mod syntax;

pub mod graph;
mod references;
mod resolve;

pub mod prose;
pub mod suites;
pub mod vocabulary;
