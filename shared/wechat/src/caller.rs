//! Calls that need a token: take the current one, and if WeChat refuses it, try once with another.

use crate::client::Client;
use crate::codes::Meaning;
use crate::error::CallError;
use crate::qr::{Picture, QrCode, QrRequest};
use crate::secret::AccessToken;
use crate::template::{MessageId, TemplateMessage};
use async_trait::async_trait;
use std::sync::Arc;

/// There is no usable token for an account at the moment; the sentence says why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no access token: {0}")]
pub struct TokenUnavailable(pub String);

/// Where callers get an account's access token from.
#[async_trait]
pub trait TokenSource: Send + Sync + 'static {
    /// The token to use now.
    async fn current(&self, account: &str) -> Result<AccessToken, TokenUnavailable>;

    /// WeChat refused this token: another one, waited for if need be.
    async fn refused(
        &self,
        account: &str,
        refused: &AccessToken,
    ) -> Result<AccessToken, TokenUnavailable>;
}

/// Why a call with a token did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallerError {
    /// WeChat was not called, or not again, for want of a token.
    #[error(transparent)]
    Token(#[from] TokenUnavailable),
    /// WeChat was called.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl CallerError {
    /// What it means to us; a missing token means later.
    pub fn meaning(&self) -> Meaning {
        match self {
            CallerError::Token(_) => Meaning::Later(None),
            CallerError::Call(error) => error.meaning(),
        }
    }

    /// Whether the call may have done its work although this caller never learnt of it.
    pub fn may_have_happened(&self) -> bool {
        matches!(self, CallerError::Call(error) if error.may_have_happened())
    }
}

/// The client together with the source of its tokens. Cheap to clone.
#[derive(Clone)]
pub struct Caller {
    client: Client,
    tokens: Arc<dyn TokenSource>,
}

impl Caller {
    /// Calls go through `client` with tokens from `tokens`.
    pub fn new(client: Client, tokens: Arc<dyn TokenSource>) -> Self {
        Caller { client, tokens }
    }

    /// `qrcode/create` for this account.
    pub async fn create_qr(
        &self,
        account: &str,
        request: &QrRequest,
    ) -> Result<QrCode, CallerError> {
        self.with_token(
            account,
            |token| async move { self.client.create_qr(&token, request).await },
        )
        .await
    }

    /// `message/template/send` for this account.
    pub async fn send_template(
        &self,
        account: &str,
        message: &TemplateMessage,
    ) -> Result<MessageId, CallerError> {
        self.with_token(
            account,
            |token| async move { self.client.send_template(&token, message).await },
        )
        .await
    }

    /// `showqrcode`; needs no token.
    pub async fn show_qr(&self, ticket: &str) -> Result<Picture, CallError> {
        self.client.show_qr(ticket).await
    }

    /// One retry a call, ever: unbounded ones have ended in storms that kept tokens dying.
    async fn with_token<T, F>(
        &self,
        account: &str,
        call: impl Fn(AccessToken) -> F,
    ) -> Result<T, CallerError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let token = self.tokens.current(account).await?;
        match call(token.clone()).await {
            Err(error) if error.meaning() == Meaning::Token => {
                let other = self.tokens.refused(account, &token).await?;
                Ok(call(other).await?)
            }
            answer => Ok(answer?),
        }
    }
}
