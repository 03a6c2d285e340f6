//! End-to-end tests of the program through its processes and HTTP interfaces.
//!
//! WeChat is simulated; NATS, Redis and SQLite are real.

#![expect(
    clippy::disallowed_methods,
    reason = "tests play the outside world, with a client of their own"
)]

mod support;

mod accounts;
mod accounts_of_the_file;
mod acme;
mod alerts;
mod backlog;
mod backup;
mod bad_input;
mod callback_modes;
mod clocks;
mod demo;
mod demo_day;
mod doctor;
mod erasure;
mod failures;
mod feed;
mod hostile;
mod https;
mod linearizability;
mod load;
mod login;
mod menu;
mod migration;
mod mode_changes;
mod newer;
mod nginx;
mod notices;
mod openapi_fuzz;
mod permanent_codes;
mod rehearsal;
mod reported;
mod settings;
mod shapes;
mod statistics;
mod templates;
mod tokens;
mod traces;
mod two_systems;
mod webhooks;
mod wechatpy;
mod without_codes;
