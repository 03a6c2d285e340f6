//! The pages of `paihao demo` in a real browser: what people see and press, page by page, and the
//! pictures of it in `target/pictures`.

#![expect(
    clippy::disallowed_methods,
    reason = "tests play the outside world and wait in real time"
)]

mod browser;
mod demo;
mod window;

mod customer;
mod letters;
mod manage;
mod newcomer;
mod numbers;
mod phones;

mod console;
mod counters;

mod away;
mod hall;
mod login;

mod access;
mod accessibility;
mod languages;
mod pictures;
