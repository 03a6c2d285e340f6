//! WeChat as this project uses it: one API client, its return codes, and the callback codec.
//!
//! This is the only crate that builds an HTTP client, and the boundary at which secrets stop:
//! nothing that leaves it, an error above all, renders an access token, a secret or an openid.

mod answer;
pub mod callback;
mod caller;
mod client;
pub mod codes;
mod error;
mod qr;
mod secret;
mod template;
mod token;

pub use caller::{Caller, CallerError, TokenSource, TokenUnavailable};
pub use client::{BuildError, Client, ClientOptions, Endpoints};
pub use codes::Meaning;
pub use error::{CallError, Refusal};
pub use qr::{Picture, QrCode, QrRequest};
pub use secret::{AccessToken, AppId, AppSecret, CallbackToken, OpenId, fingerprint};
pub use template::{MessageId, TemplateMessage};
pub use token::IssuedToken;
