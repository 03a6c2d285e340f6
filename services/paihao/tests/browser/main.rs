//! Tests of the pages of `paihao demo` in a real browser, and their pictures if they are wanted.

#![expect(
    clippy::disallowed_methods,
    reason = "tests play the outside world and wait in real time"
)]

mod browser;
mod demo;
mod window;

mod account;
mod accounts;
mod customer;
mod dead_letters;
mod manage;
mod menu;
mod newcomer;
mod phones;
mod statistics;
mod templates;
mod templates_of_accounts;

mod console;
mod console_layout;
mod console_line;
mod counters;

mod board_and_kiosk;
mod board_layout;
mod first_day;
mod first_day_cluster;
mod first_day_secrets;
mod first_day_trouble;
mod first_load;
mod handover;
mod hours;
mod kiosk;
mod kiosk_layout;
mod login;
mod look;
mod reconnect;
mod rehearsal;
mod rehearse_again;
mod staff_screens;
mod trades;

mod accessibility;
mod guide_pictures;
mod languages;
mod members;
mod odd_links;
mod old_browsers;
mod pictures;
mod signing_keys;
