//! Calls for an account: within its limits, with its current token, and if WeChat refuses that
//! token, once more with another.

use crate::api::Api;
use crate::client::Client;
use crate::codes::FailureClass;
use crate::error::CallError;
use crate::message::SubscriptionNotice;
use crate::qr::{Picture, QrCode, QrRequest};
use crate::quota::Quota;
use crate::secret::{AccessToken, AppId, AppSecret, OpenId};
use crate::template::{MessageId, Template, TemplateMessage};
use crate::traffic::{ApiUsage, CallLimiter, CallPriority, Throttled};
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
    async fn replace_refused(
        &self,
        account: &str,
        refused: &AccessToken,
    ) -> Result<AccessToken, TokenUnavailable>;
}

/// Why a call with a token did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountClientError {
    /// WeChat was not called, or not again, for want of a token.
    #[error(transparent)]
    Token(#[from] TokenUnavailable),
    /// WeChat was not called, or not again, because a limit of ours or WeChat's own word holds the
    /// call back.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// WeChat was called.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl AccountClientError {
    /// What it means to us; a call that was not made means later.
    pub fn class(&self) -> FailureClass {
        match self {
            AccountClientError::Token(_) => FailureClass::RetryLater(None),
            AccountClientError::Throttled(busy) => FailureClass::RetryLater(Some(busy.retry_after)),
            AccountClientError::Call(error) => error.class(),
        }
    }

    /// Whether the call may have done its work although this caller never learnt of it.
    pub fn may_have_happened(&self) -> bool {
        matches!(self, AccountClientError::Call(error) if error.may_have_happened())
    }
}

/// The client together with the source of its tokens. Cheap to clone.
#[derive(Clone)]
pub struct AccountClient {
    client: Client,
    tokens: Arc<dyn TokenSource>,
    limiter: Option<Arc<CallLimiter>>,
    priority: CallPriority,
}

impl AccountClient {
    /// Calls go through `client` with tokens from `accepted_tokens`, as many as there are.
    pub fn new(client: Client, tokens: Arc<dyn TokenSource>) -> Self {
        AccountClient { client, tokens, limiter: None, priority: CallPriority::Normal }
    }

    /// The same, within limits. All callers of a process share one set of gates.
    #[must_use]
    pub fn with_limiter(self, gates: Arc<CallLimiter>) -> Self {
        AccountClient { limiter: Some(gates), ..self }
    }

    /// The same for calls of this value.
    #[must_use]
    pub fn with_priority(&self, value: CallPriority) -> Self {
        AccountClient { priority: value, ..self.clone() }
    }

    /// How the limits of an account's call stand; `None` without limits.
    pub fn usage(&self, account: &str, api: Api) -> Option<ApiUsage> {
        self.limiter.as_ref().map(|gates| gates.usage(account, api))
    }

    /// `qrcode/create` for this account.
    pub async fn create_qr(
        &self,
        account: &str,
        request: &QrRequest,
    ) -> Result<QrCode, AccountClientError> {
        let call = |token| async move { self.client.create_qr(&token, request).await };
        self.with_token(account, Api::CreateQr, call).await
    }

    /// `message/template/send` for this account.
    pub async fn send_template(
        &self,
        account: &str,
        message: &TemplateMessage,
    ) -> Result<MessageId, AccountClientError> {
        let call = |token| async move { self.client.send_template(&token, message).await };
        self.with_token(account, Api::SendTemplate, call).await
    }

    /// `message/subscribe/bizsend` for this account.
    pub async fn send_subscription(
        &self,
        account: &str,
        notice: &SubscriptionNotice,
    ) -> Result<(), AccountClientError> {
        let call = |token| async move { self.client.send_subscription(&token, notice).await };
        self.with_token(account, Api::SendSubscription, call).await
    }

    /// `message/custom/send` with a text, for this account.
    pub async fn send_text(
        &self,
        account: &str,
        to: &OpenId,
        text: &str,
    ) -> Result<(), AccountClientError> {
        let call = |token| async move { self.client.send_text(&token, to, text).await };
        self.with_token(account, Api::SendText, call).await
    }

    /// `template/get_all_private_template` for this account.
    pub async fn list_templates(&self, account: &str) -> Result<Vec<Template>, AccountClientError> {
        let call = |token| async move { self.client.list_templates(&token).await };
        self.with_token(account, Api::ListTemplates, call).await
    }

    /// `user/info` for this account.
    pub async fn user_info(
        &self,
        account: &str,
        openid: &OpenId,
    ) -> Result<UserInfo, AccountClientError> {
        let call = |token| async move { self.client.user_info(&token, openid).await };
        self.with_token(account, Api::UserInfo, call).await
    }

    /// `getcallbackip` for this account.
    pub async fn callback_addresses(
        &self,
        account: &str,
    ) -> Result<Vec<String>, AccountClientError> {
        let call = |token| async move { self.client.callback_addresses(&token).await };
        self.with_token(account, Api::CallbackAddresses, call).await
    }

    /// `openapi/quota/get` for this account. The limits go on from WeChat's figures.
    pub async fn get_quota(&self, account: &str, of: Api) -> Result<Quota, AccountClientError> {
        let before = self.limiter.as_ref().map_or(0, |gates| gates.usage(account, of).used_today);
        let call = |token| async move { self.client.get_quota(&token, of).await };
        let quota = self.with_token(account, Api::GetQuota, call).await?;
        if let Some(gates) = &self.limiter {
            gates.sync_usage(account, of, before, &quota);
        }
        Ok(quota)
    }

    /// `clear_quota` for this account, which has ten a month.
    pub async fn clear_quota(&self, account: &str, app: &AppId) -> Result<(), AccountClientError> {
        let call = |token| async move { self.client.clear_quota(&token, app).await };
        self.with_token(account, Api::ClearQuota, call).await?;
        if let Some(gates) = &self.limiter {
            gates.reset_account(account);
        }
        Ok(())
    }

    /// `clear_quota/v2`, which needs no token and counts with the other.
    pub async fn clear_quota_by_secret(
        &self,
        account: &str,
        app: &AppId,
        secret: &AppSecret,
    ) -> Result<(), AccountClientError> {
        let call = self.client.clear_quota_by_secret(app, secret);
        self.call_limited(account, Api::ClearQuotaBySecret, call).await?;
        if let Some(gates) = &self.limiter {
            gates.reset_account(account);
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
    ) -> Result<WebVisitor, AccountClientError> {
        let call = self.client.exchange_code(app, secret, code);
        self.call_limited(account, Api::ExchangeCode, call).await
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
    ) -> Result<T, AccountClientError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let token = self.tokens.current(account).await?;
        match self.call_limited(account, api, call(token.clone())).await {
            Err(error) if error.class() == FailureClass::InvalidToken => {
                let other = self.tokens.replace_refused(account, &token).await?;
                self.call_limited(account, api, call(other)).await
            }
            answer => answer,
        }
    }

    async fn call_limited<T>(
        &self,
        account: &str,
        api: Api,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, AccountClientError> {
        let Some(gates) = &self.limiter else { return Ok(call.await?) };
        let pass = gates.acquire(account, api, self.priority).await?;
        let answer = call.await;
        pass.finish(&answer);
        Ok(answer?)
    }
}
