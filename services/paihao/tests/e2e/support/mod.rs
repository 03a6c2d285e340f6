//! Support of the end-to-end tests: deployments to start, and an HTTP client.

pub mod cluster;
pub mod gateway;
pub mod http;
