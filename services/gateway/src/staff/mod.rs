//! Who works here, which browsers they are logged in with, and who is asking.
//!
//! All of it stands in logs that every replica follows, so that any of them knows everybody, and a
//! restart forgets nobody.

pub(crate) mod register;
pub(crate) mod roster;
pub(crate) mod sessions;

pub(crate) mod asker;

#[cfg(test)]
mod tests;
