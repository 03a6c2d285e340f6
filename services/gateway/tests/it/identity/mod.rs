//! Tests of API keys and browser sessions at several replicas over one ledger.

mod browser;

mod keys;
mod limits;
mod logout;
mod seals;
mod sessions;
mod signing_keys;
