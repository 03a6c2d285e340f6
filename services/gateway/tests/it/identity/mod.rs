//! Who is asking: keys and sessions, at several replicas over one ledger.

mod browser;

mod keys;
mod limits;
mod sessions;
