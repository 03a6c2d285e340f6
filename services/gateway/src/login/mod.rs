//! Logging in by scanning.

pub mod settings;
