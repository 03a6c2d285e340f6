//! End-to-end tests of the program through its processes and HTTP interfaces.
//!
//! WeChat is simulated; NATS, Redis and SQLite are real.

#![expect(
    clippy::disallowed_methods,
    reason = "tests play the outside world, with a client of their own"
)]

mod support;

mod bad_input;
mod callback_modes;
mod demo;
mod doctor;
mod erasure;
mod failures;
mod feed;
mod hostile;
mod linearizability;
mod load;
mod login;
mod newer;
mod notices;
mod permanent_codes;
mod settings;
mod shapes;
mod statistics;
mod tokens;
mod webhooks;
