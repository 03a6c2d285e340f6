//! What finished visits teach a gateway, and what they add up to.

#[path = "../feed/door.rs"]
#[allow(dead_code, reason = "likewise")]
mod door;
#[path = "../lines/replica.rs"]
#[allow(dead_code, reason = "the hall of the other tests, which use more of it")]
mod replica;

mod historian;
mod learning;
mod numbers;
