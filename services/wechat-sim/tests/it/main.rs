//! The simulator over its HTTP interfaces, held to what is known of WeChat.
#![expect(clippy::disallowed_methods, reason = "tests call over HTTP")]

mod api;
mod calls;
mod control;
mod fake;
mod faults;
mod hostile;
mod pushes;
mod send;
