//! Support of the end-to-end tests: deployments to start, the engine alone, and an HTTP client.

pub mod cluster;
pub mod collector;
pub mod engine;
pub mod gateway;
pub mod http;
pub mod leaks;
pub mod wrong_clock;
