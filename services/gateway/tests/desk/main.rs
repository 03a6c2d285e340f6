//! A site as those who work there see it, asked over HTTP.

#[path = "../feed/door.rs"]
#[allow(dead_code, reason = "the door of the other tests, which use more of it")]
mod door;
#[path = "../lines/replica.rs"]
#[allow(dead_code, reason = "the hall of the other tests, which use more of it")]
mod replica;

mod seen;
mod told;
