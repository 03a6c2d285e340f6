//! What is told of one ticket: to its holder behind the link, and to staff.

#[path = "../feed/door.rs"]
#[allow(dead_code, reason = "the gateways of the other tests, which use more of them")]
mod door;
#[path = "../lines/replica.rs"]
#[allow(dead_code, reason = "the hall of the other tests, which use more of it")]
mod replica;

mod link;
mod notices;
