//! Callbacks: what WeChat pushes to us, checked, read and answered.
//!
//! In the order in which one is handled: [`CallbackQuery`] is what stands in its address;
//! [`Protection`] checks it, by the account's configuration alone, and opens it; [`Message`] is
//! what it says; [`text_reply`] and [`news_reply`] answer it, and [`ReplyEncryptor`] encrypts the answer.

mod query;
mod signature;

mod crypt;
mod protection;

mod parse;
mod xml;

mod event;
mod message;

mod reply;

pub use crypt::{AesKey, DecryptError, InvalidAesKey, decrypt, encrypt};
pub use event::{
    AuthorizationChange, Event, GeoLocation, SubscriptionChoice, SubscriptionDelivery,
    TemplateDeliveryResult,
};
pub use message::{Message, MessageKind};
pub use parse::{XmlError, parse};
pub use protection::{CallbackError, Mode, Protection, ReplyEncryptor, VerifiedCallback};
pub use query::{CallbackQuery, QueryError};
pub use reply::{Article, MAX_ARTICLES, news_reply, text_reply};
pub use signature::{
    DEFAULT_TIMESTAMP_WINDOW, msg_signature, signature, skew_s, verify, within_window,
};
