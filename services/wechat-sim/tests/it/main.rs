//! Tests of the simulator over HTTP, against the documented behaviour of WeChat.
#![expect(clippy::disallowed_methods, reason = "tests call over HTTP")]

mod api;
mod calls;
mod control;
mod fake;
mod faults;
mod hostile;
mod library;
mod menus;
mod pushes;
mod send;
mod table;
mod wechatpy;
