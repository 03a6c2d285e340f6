//! Calls for an account: within its limits, with its current token, and if WeChat refuses that
//! token, once more with another.

use crate::api::Api;
use crate::client::Client;
use crate::codes::Meaning;
use crate::error::CallError;
use crate::message::SubscriptionNotice;
use crate::qr::{Picture, QrCode, QrRequest};
use crate::quota::Quota;
use crate::secret::{AccessToken, AppId, AppSecret, OpenId};
use crate::template::{MessageId, Template, TemplateMessage};
use crate::traffic::{Busy, Gates, Standing, Value};
use crate::user::{UserInfo, WebVisitor};
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
    /// WeChat was not called, or not again, because a limit of ours or WeChat's own word holds the
    /// call back.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// WeChat was called.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl CallerError {
    /// What it means to us; a call that was not made means later.
    pub fn meaning(&self) -> Meaning {
        match self {
            CallerError::Token(_) => Meaning::Later(None),
            CallerError::Busy(busy) => Meaning::Later(Some(busy.retry_after)),
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
    gates: Option<Arc<Gates>>,
    value: Value,
}

impl Caller {
    /// Calls go through `client` with tokens from `tokens`, as many as there are.
    pub fn new(client: Client, tokens: Arc<dyn TokenSource>) -> Self {
        Caller { client, tokens, gates: None, value: Value::Normal }
    }

    /// The same, within limits. All callers of a process share one set of gates.
    #[must_use]
    pub fn within(self, gates: Arc<Gates>) -> Self {
        Caller { gates: Some(gates), ..self }
    }

    /// The same for calls of this value.
    #[must_use]
    pub fn worth(&self, value: Value) -> Self {
        Caller { value, ..self.clone() }
    }

    /// How the limits of an account's call stand; `None` without limits.
    pub fn standing(&self, account: &str, api: Api) -> Option<Standing> {
        self.gates.as_ref().map(|gates| gates.standing(account, api))
    }

    /// `qrcode/create` for this account.
    pub async fn create_qr(
        &self,
        account: &str,
        request: &QrRequest,
    ) -> Result<QrCode, CallerError> {
        let call = |token| async move { self.client.create_qr(&token, request).await };
        self.with_token(account, Api::CreateQr, call).await
    }

    /// `message/template/send` for this account.
    pub async fn send_template(
        &self,
        account: &str,
        message: &TemplateMessage,
    ) -> Result<MessageId, CallerError> {
        let call = |token| async move { self.client.send_template(&token, message).await };
        self.with_token(account, Api::SendTemplate, call).await
    }

    /// `message/subscribe/bizsend` for this account.
    pub async fn send_subscription(
        &self,
        account: &str,
        notice: &SubscriptionNotice,
    ) -> Result<(), CallerError> {
        let call = |token| async move { self.client.send_subscription(&token, notice).await };
        self.with_token(account, Api::SendSubscription, call).await
    }

    /// `message/custom/send` with a text, for this account.
    pub async fn send_text(
        &self,
        account: &str,
        to: &OpenId,
        text: &str,
    ) -> Result<(), CallerError> {
        let call = |token| async move { self.client.send_text(&token, to, text).await };
        self.with_token(account, Api::SendText, call).await
    }

    /// `template/get_all_private_template` for this account.
    pub async fn list_templates(&self, account: &str) -> Result<Vec<Template>, CallerError> {
        let call = |token| async move { self.client.list_templates(&token).await };
        self.with_token(account, Api::ListTemplates, call).await
    }

    /// `user/info` for this account.
    pub async fn user_info(&self, account: &str, openid: &OpenId) -> Result<UserInfo, CallerError> {
        let call = |token| async move { self.client.user_info(&token, openid).await };
        self.with_token(account, Api::UserInfo, call).await
    }

    /// `getcallbackip` for this account.
    pub async fn callback_addresses(&self, account: &str) -> Result<Vec<String>, CallerError> {
        let call = |token| async move { self.client.callback_addresses(&token).await };
        self.with_token(account, Api::CallbackAddresses, call).await
    }

    /// `openapi/quota/get` for this account. The limits go on from WeChat's figures.
    pub async fn get_quota(&self, account: &str, of: Api) -> Result<Quota, CallerError> {
        let before = self.gates.as_ref().map_or(0, |gates| gates.standing(account, of).used_today);
        let call = |token| async move { self.client.get_quota(&token, of).await };
        let quota = self.with_token(account, Api::GetQuota, call).await?;
        if let Some(gates) = &self.gates {
            gates.learn(account, of, before, &quota);
        }
        Ok(quota)
    }

    /// `clear_quota` for this account, which has ten a month.
    pub async fn clear_quota(&self, account: &str, app: &AppId) -> Result<(), CallerError> {
        let call = |token| async move { self.client.clear_quota(&token, app).await };
        self.with_token(account, Api::ClearQuota, call).await?;
        if let Some(gates) = &self.gates {
            gates.cleared(account);
        }
        Ok(())
    }

    /// `clear_quota/v2`, which needs no token and counts with the other.
    pub async fn clear_quota_by_secret(
        &self,
        account: &str,
        app: &AppId,
        secret: &AppSecret,
    ) -> Result<(), CallerError> {
        let call = self.client.clear_quota_by_secret(app, secret);
        self.gated(account, Api::ClearQuotaBySecret, call).await?;
        if let Some(gates) = &self.gates {
            gates.cleared(account);
        }
        Ok(())
    }

    /// `sns/oauth2/access_token` for this account; needs no access token.
    pub async fn exchange_code(
        &self,
        account: &str,
        app: &AppId,
        secret: &AppSecret,
        code: &str,
    ) -> Result<WebVisitor, CallerError> {
        let call = self.client.exchange_code(app, secret, code);
        self.gated(account, Api::ExchangeCode, call).await
    }

    /// `showqrcode`; needs no token, and WeChat does not count it.
    pub async fn show_qr(&self, ticket: &str) -> Result<Picture, CallError> {
        self.client.show_qr(ticket).await
    }

    /// One retry a call, ever: unbounded ones have ended in storms that kept tokens dying.
    async fn with_token<T, F>(
        &self,
        account: &str,
        api: Api,
        call: impl Fn(AccessToken) -> F,
    ) -> Result<T, CallerError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let token = self.tokens.current(account).await?;
        match self.gated(account, api, call(token.clone())).await {
            Err(error) if error.meaning() == Meaning::Token => {
                let other = self.tokens.refused(account, &token).await?;
                self.gated(account, api, call(other)).await
            }
            answer => answer,
        }
    }

    async fn gated<T>(
        &self,
        account: &str,
        api: Api,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallerError> {
        let Some(gates) = &self.gates else { return Ok(call.await?) };
        let pass = gates.pass(account, api, self.value).await?;
        let answer = call.await;
        pass.ended(&answer);
        Ok(answer?)
    }
}
