//! Callbacks: what WeChat pushes to us, checked, read and answered.
//!
//! In the order in which one is handled: [`CallbackQuery`] is what stands in its address;
//! [`Protection`] checks it, by the account's configuration alone, and opens it; [`Message`] is
//! what it says; [`text_reply`] and [`news_reply`] answer it, and [`Seal`] encrypts the answer.

mod query;
mod signature;

mod crypt;
mod protection;

mod parse;
mod xml;

mod event;
mod message;

mod reply;

pub use crypt::{AesKey, BadKey, Undecipherable, decrypt, encrypt};
pub use event::{AuthorizationChange, Delivered, Event, NoticeChoice, NoticeSent, Place};
pub use message::{Kind, Message};
pub use parse::{BadXml, parse};
pub use protection::{BadCallback, Mode, Opened, Protection, Seal};
pub use query::{BadQuery, CallbackQuery};
pub use reply::{Article, MOST_ARTICLES, news_reply, text_reply};
pub use signature::{DEFAULT_WINDOW, msg_signature, signature, skew_s, verify, within_window};
