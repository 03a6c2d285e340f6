//! Tests of settings that are changed through the API and followed by every replica.

mod client;
mod menu;

mod accounts;
mod changing;
mod hours;
mod ids;
mod look;
mod names;
mod refused;
mod starting;
mod templates;
mod whole;
