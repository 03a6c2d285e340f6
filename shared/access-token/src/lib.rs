//! How everybody but the token service gets an access token: [`TokenReader`] reads what the service
//! stored, remembers it, and reports by fingerprint a token that WeChat refused.
//!
//! Nobody here ever fetches a token: there is one fetcher, the token service.

mod reader;
mod slot;

pub use reader::{TokenReader, TokenReaderOptions};
pub use slot::CachedToken;
