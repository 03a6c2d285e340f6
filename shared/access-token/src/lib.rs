//! Reader of access tokens for all users except the token service: [`TokenReader`] reads the stored
//! token, caches it, and reports by fingerprint a token that WeChat refused.
//!
//! This crate never fetches a token: the token service is the only fetcher.

mod reader;
mod slot;

pub use reader::{TokenReader, TokenReaderOptions};
pub use slot::CachedToken;
