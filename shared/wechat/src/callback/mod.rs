//! Codec of callbacks, the pushes that WeChat sends to us.
//!
//! In the order of processing: [`CallbackQuery`] holds the query of the address; [`Protection`]
//! checks it against the account's configuration and decrypts the body; [`Message`] is the content;
//! [`text_reply`] and [`news_reply`] build the reply, and [`ReplyEncryptor`] encrypts it.

mod query;
mod signature;

mod crypt;
mod protection;

mod parse;
mod xml;

mod event;
mod free_text;
mod message;

mod reply;

pub use crypt::{AesKey, DecryptError, InvalidAesKey, decrypt, encrypt};
pub use event::{
    AuthorizationChange, Event, GeoLocation, SubscriptionChoice, SubscriptionDelivery,
    TemplateDeliveryResult,
};
pub use message::{Message, MessageKind};
pub use parse::{XmlError, parse};
pub use protection::{
    CallbackError, FormerMode, Mode, Protection, ReplyEncryptor, VerifiedCallback,
};
pub use query::{CallbackQuery, QueryError};
pub use reply::{Article, MAX_ARTICLES, news_reply, text_reply, transfer_reply};
pub use signature::{
    DEFAULT_TIMESTAMP_WINDOW, created_near, msg_signature, signature, skew_s, verify, within_window,
};
