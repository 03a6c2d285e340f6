//! Callbacks: what WeChat pushes to us, checked, read and answered.
//!
//! Plain mode only so far. Secure mode (issue 3) adds a decryption between [`verify`] and
//! [`parse`] and an encryption after [`text_reply`]; [`CallbackQuery`] already carries its fields.

mod message;
mod parse;
mod query;
mod reply;
mod signature;
mod xml;

pub use message::{EventName, Kind, Message};
pub use parse::{BadXml, parse};
pub use query::{BadQuery, CallbackQuery};
pub use reply::text_reply;
pub use signature::{DEFAULT_WINDOW, signature, verify, within_window};
