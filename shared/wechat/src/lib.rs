//! WeChat as this project uses it: API client, return codes, and codec of callbacks.
//!
//! This is the only crate that builds an HTTP client for WeChat. Secrets stop at its boundary: no
//! value that leaves it, errors above all, prints an access token, a secret or an openid.
//!
//! In reading order: [`codes`] is the table of return codes; [`Client`] makes calls; [`traffic`]
//! limits them; [`AccountClient`] combines client, tokens and limits; [`template`] knows the rules
//! of a template's fields; [`callback`] reads pushes, [`forward`] passes them on to other systems
//! within [`private_targets`], and [`probe`] sends them for a test.

mod person_tags;
mod secret;

pub mod codes;

mod api;
mod error;
mod json;

mod client;
mod hosts;

pub mod menu;
mod message;
pub mod migration;
mod qr;
mod quota;
pub mod template;
pub mod text;
mod token;
mod user;

mod transport;

pub mod traffic;

mod account_client;

pub mod callback;

pub mod forward;
pub mod private_targets;

pub mod probe;

pub use account_client::{AccountClient, AccountClientError, TokenSource, TokenUnavailable};
pub use api::Api;
pub use client::{Client, ClientBuildError, ClientOptions, Endpoints, ProxyAddress};
pub use codes::FailureClass;
pub use error::{CallError, Refusal};
pub use message::SubscriptionNotice;
pub use person_tags::PersonTags;
pub use qr::{Picture, QrCode, QrRequest};
pub use quota::{Quota, RateLimit};
pub use secret::{AccessToken, AppId, AppSecret, CallbackToken, OpenId, UnionId, fingerprint};
pub use template::{MessageId, MiniProgramPage, TemplateMessage};
pub use token::IssuedToken;
pub use traffic::CallPriority;
pub use transport::{Transport, TransportError, TransportResponse};
pub use user::{UserInfo, WebVisitor};
