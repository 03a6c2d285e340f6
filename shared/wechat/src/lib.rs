//! WeChat as this project uses it: one API client, its return codes, and the callback codec.
//!
//! This is the only crate that builds an HTTP client, and the boundary at which secrets stop:
//! nothing that leaves it, an error above all, renders an access token, a secret or an openid.
//!
//! In reading order: [`codes`] is what WeChat's answers mean; [`Client`] makes the calls;
//! [`traffic`] says how many; [`AccountClient`] brings the client, the tokens and the limits together;
//! [`template`] knows what fits into a template's fields; [`callback`] is the way in, and [`probe`] tries it
//! from the other side.

mod secret;

pub mod codes;

mod api;
mod error;
mod json;

mod client;
mod hosts;

mod message;
mod qr;
mod quota;
pub mod template;
mod token;
mod user;

pub mod traffic;

mod account_client;

pub mod callback;

pub mod probe;

pub use account_client::{AccountClient, AccountClientError, TokenSource, TokenUnavailable};
pub use api::Api;
pub use client::{Client, ClientBuildError, ClientOptions, Endpoints};
pub use codes::FailureClass;
pub use error::{CallError, Refusal};
pub use message::SubscriptionNotice;
pub use qr::{Picture, QrCode, QrRequest};
pub use quota::{Quota, RateLimit};
pub use secret::{AccessToken, AppId, AppSecret, CallbackToken, OpenId, fingerprint};
pub use template::{MessageId, TemplateMessage};
pub use token::IssuedToken;
pub use traffic::CallPriority;
pub use user::{UserInfo, WebVisitor};
