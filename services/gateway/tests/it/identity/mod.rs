//! Tests of API keys and browser sessions at several replicas over one ledger.

mod browser;

mod forged;
mod former_names;
mod guesses;
mod keys;
mod kiosks;
mod limits;
mod logout;
mod seals;
mod sessions;
mod signing_keys;
