//! Who is asking: keys and sessions, at several replicas over one ledger.

#[path = "../lines/replica.rs"]
#[allow(dead_code, reason = "the hall of the other tests, which use more of it")]
mod replica;

#[path = "../feed/door.rs"]
#[allow(dead_code, reason = "the gateways of the other tests, which use more of them")]
mod door;

mod browser;

mod keys;
mod limits;
mod sessions;
