//! The book while gateways run: changed through the API, followed by every replica.

mod shop;

mod changing;
mod refused;
mod whole;
