//! Settings of the token service, and the accounts that it keeps tokens for.

use crate::decide::Channel;
use paihao_wechat::{AppId, AppSecret};
use std::time::Duration;

/// An Official Account whose token the service refreshes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Name in the configuration, used in keys, logs and metrics.
    pub name: String,
    /// AppID at WeChat.
    pub app: AppId,
    /// AppSecret, with which the token is fetched.
    pub secret: AppSecret,
    /// Channel that issues its tokens.
    pub channel: Channel,
}

/// Settings of the token service.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Lifetime of a lease, after which another keeper takes over; 15 s by default.
    pub lease: Duration,
    /// Time before its end at which a token of the stable channel is refreshed; 250 s by default,
    /// and below 300 s, because until then WeChat returns the same token.
    pub stable_ahead: Duration,
    /// The same for the classic channel; 10 min by default.
    pub classic_ahead: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            lease: Duration::from_secs(15),
            stable_ahead: Duration::from_secs(250),
            classic_ahead: Duration::from_secs(600),
        }
    }
}
