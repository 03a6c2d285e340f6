//! Whole stories, told to the program from outside: its processes, its HTTP interfaces, and a
//! simulated WeChat; NATS, Redis and SQLite are real.

#![expect(
    clippy::disallowed_methods,
    reason = "tests play the outside world, with a client of their own"
)]

mod cluster;
mod http;
mod town;

mod bad_input;
mod book;
mod crowd;
mod demo;
mod doctor;
mod doors;
mod failures;
mod feed;
mod forgetting;
mod history;
mod hostile;
mod linear;
mod login;
mod modes;
mod notices;
mod shapes;
mod tokens;
mod webhooks;
