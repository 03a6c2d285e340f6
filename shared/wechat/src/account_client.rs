//! Client for calls on behalf of an account: within the account's limits, with its current access
//! token, and with one retry if WeChat refuses that token.

use crate::api::Api;
use crate::client::Client;
use crate::codes::FailureClass;
use crate::error::CallError;
use crate::menu::{Menu, ShownMenu};
use crate::message::SubscriptionNotice;
use crate::migration::{ChangedOpenId, FollowerPage};
use crate::qr::{Picture, QrCode, QrRequest};
use crate::quota::Quota;
use crate::secret::{AccessToken, AppId, AppSecret, OpenId};
use crate::template::library::{LibraryKeyword, LibraryTitle};
use crate::template::{MessageId, Template, TemplateMessage};
use crate::traffic::{ApiUsage, CallLimiter, CallPriority, Throttled};
use crate::user::{UserInfo, WebVisitor};
use async_trait::async_trait;
use std::sync::Arc;

/// Error for an account without a usable token at the moment; the text gives the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no access token: {0}")]
pub struct TokenUnavailable(pub String);

/// Source of access tokens by account.
#[async_trait]
pub trait TokenSource: Send + Sync + 'static {
    /// Returns the token to use now.
    async fn current(&self, account: &str) -> Result<AccessToken, TokenUnavailable>;

    /// Reports a token that WeChat refused and returns another, waiting for it if necessary.
    async fn replace_refused(
        &self,
        account: &str,
        refused: &AccessToken,
    ) -> Result<AccessToken, TokenUnavailable>;
}

/// Errors of a call with a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountClientError {
    /// WeChat was not called, or not called again, because no token was available.
    #[error(transparent)]
    Token(#[from] TokenUnavailable),
    /// WeChat was not called, or not called again, because a limit of ours or of WeChat's holds the
    /// call back.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// WeChat was called, and the call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl AccountClientError {
    /// Failure class; a call that was not made is to be retried later.
    pub fn class(&self) -> FailureClass {
        match self {
            AccountClientError::Token(_) => FailureClass::RetryLater(None),
            AccountClientError::Throttled(busy) => FailureClass::RetryLater(Some(busy.retry_after)),
            AccountClientError::Call(error) => error.class(),
        }
    }

    /// Return code with which WeChat refused the call.
    pub fn code(&self) -> Option<i64> {
        match self {
            AccountClientError::Call(CallError::Refused(refusal)) => Some(refusal.code),
            _ => None,
        }
    }

    /// True if the call may have taken effect although the caller received no confirmation.
    pub fn may_have_happened(&self) -> bool {
        matches!(self, AccountClientError::Call(error) if error.may_have_happened())
    }
}

/// The client together with its source of tokens. Cheap to clone.
#[derive(Clone)]
pub struct AccountClient {
    client: Client,
    tokens: Arc<dyn TokenSource>,
    limiter: Option<Arc<CallLimiter>>,
    priority: CallPriority,
}

impl AccountClient {
    /// Creates a client that takes a fresh token from `tokens` for each call.
    pub fn new(client: Client, tokens: Arc<dyn TokenSource>) -> Self {
        AccountClient { client, tokens, limiter: None, priority: CallPriority::Normal }
    }

    /// Adds limits. All clients of a process share one limiter.
    #[must_use]
    pub fn with_limiter(self, limiter: Arc<CallLimiter>) -> Self {
        AccountClient { limiter: Some(limiter), ..self }
    }

    /// Returns a client whose calls have this priority.
    #[must_use]
    pub fn with_priority(&self, priority: CallPriority) -> Self {
        AccountClient { priority, ..self.clone() }
    }

    /// Usage of an API by an account; `None` without limits.
    pub fn usage(&self, account: &str, api: Api) -> Option<ApiUsage> {
        self.limiter.as_ref().map(|limiter| limiter.usage(account, api))
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

    /// `wxaapi/newtmpl/gettemplate` for this account.
    pub async fn list_subscription_templates(
        &self,
        account: &str,
    ) -> Result<Vec<Template>, AccountClientError> {
        let call = |token| async move { self.client.list_subscription_templates(&token).await };
        self.with_token(account, Api::ListSubscriptionTemplates, call).await
    }

    /// `template/api_add_template` for this account.
    pub async fn add_template(
        &self,
        account: &str,
        number: &str,
        keywords: &[&str],
    ) -> Result<String, AccountClientError> {
        let call = |token| async move { self.client.add_template(&token, number, keywords).await };
        self.with_token(account, Api::AddTemplate, call).await
    }

    /// Titles of the library of subscription notices in this account's categories.
    pub async fn subscription_titles(
        &self,
        account: &str,
    ) -> Result<Vec<LibraryTitle>, AccountClientError> {
        let call = |token| async move { self.client.subscription_titles(&token).await };
        self.with_token(account, Api::SubscriptionTitles, call).await
    }

    /// `wxaapi/newtmpl/getpubtemplatekeywords` for this account.
    pub async fn subscription_keywords(
        &self,
        account: &str,
        title: u64,
    ) -> Result<Vec<LibraryKeyword>, AccountClientError> {
        let call = |token| async move { self.client.subscription_keywords(&token, title).await };
        self.with_token(account, Api::SubscriptionKeywords, call).await
    }

    /// `wxaapi/newtmpl/addtemplate` for this account.
    pub async fn add_subscription_template(
        &self,
        account: &str,
        title: u64,
        keywords: &[u32],
        scene: &str,
    ) -> Result<String, AccountClientError> {
        let call = |token| async move {
            self.client.add_subscription_template(&token, title, keywords, scene).await
        };
        self.with_token(account, Api::AddSubscriptionTemplate, call).await
    }

    /// `menu/create` for this account.
    pub async fn create_menu(&self, account: &str, menu: &Menu) -> Result<(), AccountClientError> {
        let call = |token| async move { self.client.create_menu(&token, menu).await };
        self.with_token(account, Api::CreateMenu, call).await
    }

    /// `menu/get` for this account; `None` if it has no menu of the API.
    pub async fn get_menu(&self, account: &str) -> Result<Option<Menu>, AccountClientError> {
        let call = |token| async move { self.client.get_menu(&token).await };
        self.with_token(account, Api::GetMenu, call).await
    }

    /// `menu/delete` for this account.
    pub async fn delete_menu(&self, account: &str) -> Result<(), AccountClientError> {
        let call = |token| async move { self.client.delete_menu(&token).await };
        self.with_token(account, Api::DeleteMenu, call).await
    }

    /// `get_current_selfmenu_info` for this account.
    pub async fn shown_menu(&self, account: &str) -> Result<ShownMenu, AccountClientError> {
        let call = |token| async move { self.client.shown_menu(&token).await };
        self.with_token(account, Api::ShownMenu, call).await
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

    /// `user/get` for this account: the followers behind `after`.
    pub async fn followers(
        &self,
        account: &str,
        after: Option<&OpenId>,
    ) -> Result<FollowerPage, AccountClientError> {
        let call = |token| async move { self.client.followers(&token, after).await };
        self.with_token(account, Api::Followers, call).await
    }

    /// `changeopenid` for this account, to which the account `from` migrated.
    pub async fn change_openids(
        &self,
        account: &str,
        from: &str,
        openids: &[OpenId],
    ) -> Result<Vec<ChangedOpenId>, AccountClientError> {
        let call = |token| async move { self.client.change_openids(&token, from, openids).await };
        self.with_token(account, Api::ChangeOpenIds, call).await
    }

    /// `getcallbackip` for this account.
    pub async fn callback_addresses(
        &self,
        account: &str,
    ) -> Result<Vec<String>, AccountClientError> {
        let call = |token| async move { self.client.callback_addresses(&token).await };
        self.with_token(account, Api::CallbackAddresses, call).await
    }

    /// `openapi/quota/get` for this account. The limiter continues from WeChat's figures.
    pub async fn get_quota(
        &self,
        account: &str,
        target_api: Api,
    ) -> Result<Quota, AccountClientError> {
        let before = self
            .limiter
            .as_ref()
            .map_or(0, |limiter| limiter.usage(account, target_api).used_today);
        let call = |token| async move { self.client.get_quota(&token, target_api).await };
        let quota = self.with_token(account, Api::GetQuota, call).await?;
        if let Some(limiter) = &self.limiter {
            limiter.sync_usage(account, target_api, before, &quota);
        }
        Ok(quota)
    }

    /// `clear_quota` for this account, which WeChat allows ten times a month.
    pub async fn clear_quota(&self, account: &str, app: &AppId) -> Result<(), AccountClientError> {
        let call = |token| async move { self.client.clear_quota(&token, app).await };
        self.with_token(account, Api::ClearQuota, call).await?;
        if let Some(limiter) = &self.limiter {
            limiter.reset_account(account);
        }
        Ok(())
    }

    /// `clear_quota/v2`, which needs no token and counts towards the same ten.
    pub async fn clear_quota_by_secret(
        &self,
        account: &str,
        app: &AppId,
        secret: &AppSecret,
    ) -> Result<(), AccountClientError> {
        let call = self.client.clear_quota_by_secret(app, secret);
        self.call_limited(account, Api::ClearQuotaBySecret, call).await?;
        if let Some(limiter) = &self.limiter {
            limiter.reset_account(account);
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

    /// `showqrcode`; needs no token and is not counted by WeChat.
    pub async fn show_qr(&self, ticket: &str) -> Result<Picture, CallError> {
        self.client.show_qr(ticket).await
    }

    /// Makes a call, with at most one retry. Unlimited retries with new tokens have led to storms
    /// in which every new token invalidated the one in use.
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
        let Some(limiter) = &self.limiter else { return Ok(call.await?) };
        let pass = limiter.acquire(account, api, self.priority).await?;
        let answer = call.await;
        pass.finish(&answer);
        Ok(answer?)
    }
}
