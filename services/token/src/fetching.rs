//! Port for fetching tokens, implemented by the WeChat client.

use crate::decide::Channel;
use crate::settings::Account;
use async_trait::async_trait;
use paihao_wechat::{CallError, Client, IssuedToken};

/// Issuer of access tokens.
#[async_trait]
pub trait Issuer: Send + Sync + 'static {
    /// Fetches a token from the account's channel. `force` ends the former one (stable channel
    /// only).
    async fn issue(&self, account: &Account, force: bool) -> Result<IssuedToken, CallError>;
}

#[async_trait]
impl Issuer for Client {
    async fn issue(&self, account: &Account, force: bool) -> Result<IssuedToken, CallError> {
        match account.channel {
            Channel::Stable => self.stable_token(&account.app, &account.secret, force).await,
            Channel::Classic => self.classic_token(&account.app, &account.secret).await,
        }
    }
}
