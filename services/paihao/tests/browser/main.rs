//! Tests of the pages of `paihao demo` in a real browser, with screenshots in `target/pictures`.

#![expect(
    clippy::disallowed_methods,
    reason = "tests play the outside world and wait in real time"
)]

mod browser;
mod demo;
mod window;

mod account;
mod customer;
mod dead_letters;
mod manage;
mod menu;
mod newcomer;
mod phones;
mod statistics;
mod templates;

mod console;
mod console_layout;
mod console_line;
mod counters;

mod board_and_kiosk;
mod board_layout;
mod first_day;
mod handover;
mod kiosk;
mod kiosk_layout;
mod login;
mod reconnect;
mod trades;

mod accessibility;
mod languages;
mod members;
mod odd_links;
mod old_browsers;
mod pictures;
