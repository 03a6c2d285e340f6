//! Settings of running gateways: changed through the API, followed by every replica.

mod client;

mod changing;
mod refused;
mod whole;
