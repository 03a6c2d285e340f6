//! Account of the hall, and the pushes that WeChat sends about its customers.

use super::cluster::{Cluster, GatewaySetup};
use super::engine::MORNING_MS;
use super::gateway::Gateway;
use async_trait::async_trait;
use paihao_contracts::settings::{AccountSetup, KeywordAction};
use paihao_gateway::settings::documents::ConfiguredDocuments;
use paihao_gateway::settings::{AccountLimits, AccountSettings};
use paihao_wechat::callback::{Protection, signature};
use paihao_wechat::private_targets::PrivateTargets;
use paihao_wechat::{AccessToken, AppId, CallbackToken, TokenSource, TokenUnavailable};
use reqwest::StatusCode;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Token of the account.
pub const TOKEN: &str = "the-token-of-the-hall";

/// Keyword that asks for the ticket.
pub const MY_TICKET: &str = "排队";
/// Keyword that gives the ticket up.
pub const LEAVE: &str = "退号";

/// Source of an access token that is never refused.
pub struct FixedToken;

#[async_trait]
impl TokenSource for FixedToken {
    async fn current(&self, _: &str) -> Result<AccessToken, TokenUnavailable> {
        Ok(AccessToken::new("token"))
    }

    async fn replace_refused(
        &self,
        _: &str,
        _: &AccessToken,
    ) -> Result<AccessToken, TokenUnavailable> {
        Err(TokenUnavailable("none here".to_owned()))
    }
}

/// Protection of the account in plain mode.
pub fn plain_protection() -> Protection {
    Protection::plain(AppId("wx0123456789abcdef".to_owned()), CallbackToken::new(TOKEN))
}

impl Cluster {
    /// Returns the setup of a gateway of the hall with its account.
    pub fn account_setup(&self) -> GatewaySetup {
        let keywords = [(MY_TICKET, KeywordAction::MyTicket), (LEAVE, KeywordAction::Leave)];
        self.setup_with_account(AccountSetup {
            keywords: keywords.map(|(word, action)| (word.to_owned(), action)).into(),
            ..AccountSetup::default()
        })
    }

    /// Returns the setup of a gateway of the hall whose account has these settings.
    pub fn setup_with_account(&self, account: AccountSetup) -> GatewaySetup {
        self.setup_with_protected_account(account, plain_protection())
    }

    /// Returns the same with another protection of the callbacks.
    pub fn setup_with_protected_account(
        &self,
        account: AccountSetup,
        protection: Protection,
    ) -> GatewaySetup {
        let mut setup = self.hall_setup();
        let settings = AccountSettings::new(protection, &account);
        setup.deployment.accounts = [("shop".to_owned(), Arc::new(settings))].into();
        setup.deployment.configured =
            ConfiguredDocuments::new(BTreeMap::new(), [("shop".to_owned(), account)].into());
        setup.deployment.account_limits = AccountLimits {
            private_targets: PrivateTargets::parse(["127.0.0.1"]).unwrap(),
            has_public_address: true,
        };
        setup
    }
}

/// Query of a push that is signed.
pub fn signed_query() -> String {
    signed_query_at(MORNING_MS / 1000)
}

/// Query of a push that is signed at this time, in Unix seconds.
fn signed_query_at(at_s: i64) -> String {
    let at = at_s.to_string();
    let signed = signature(&CallbackToken::new(TOKEN), &at, "n");
    format!("signature={signed}&timestamp={at}&nonce=n")
}

/// Body of a push about a person: the elements of a text or an event.
pub fn push_body(person: &str, elements: &str) -> String {
    push_body_at(person, elements, MORNING_MS / 1000)
}

/// Body of a push about what a person did at this time, in Unix seconds.
pub fn push_body_at(person: &str, elements: &str, done_at_s: i64) -> String {
    format!(
        "<xml><ToUserName>gh</ToUserName><FromUserName>{person}</FromUserName>\
         <CreateTime>{done_at_s}</CreateTime>{elements}</xml>"
    )
}

/// Elements of an event with a key; the ticket tells it from other events of the second.
pub fn event_elements(event: &str, key: &str, ticket: &str) -> String {
    format!(
        "<MsgType>event</MsgType><Event>{event}</Event><EventKey>{key}</EventKey>\
         <Ticket>{ticket}</Ticket>"
    )
}

impl Gateway {
    /// Delivers a push about a person: the elements of a text or an event. Returns the status and
    /// the body of the reply.
    pub async fn push(&self, person: &str, elements: &str) -> (StatusCode, String) {
        self.push_at(person, elements, MORNING_MS / 1000).await
    }

    /// Delivers a push about what a person did at this time, in Unix seconds.
    pub async fn push_at(
        &self,
        person: &str,
        elements: &str,
        done_at_s: i64,
    ) -> (StatusCode, String) {
        self.push_signed(&signed_query(), push_body_at(person, elements, done_at_s)).await
    }

    /// Delivers a push about what a person does at this time, in Unix seconds, signed at that time.
    pub async fn push_now(&self, person: &str, elements: &str, now_s: i64) -> (StatusCode, String) {
        self.push_signed(&signed_query_at(now_s), push_body_at(person, elements, now_s)).await
    }

    async fn push_signed(&self, query: &str, body: String) -> (StatusCode, String) {
        let url = format!("{}/wechat/shop?{query}", self.url);
        let reply = self.http.post(url).body(body).send().await.unwrap();
        (reply.status(), reply.text().await.unwrap())
    }

    /// Delivers a text that a person wrote, with an id of its own.
    pub async fn push_text(&self, person: &str, text: &str, id: u32) -> String {
        let elements =
            format!("<MsgType>text</MsgType><Content>{text}</Content><MsgId>{id}</MsgId>");
        self.push(person, &elements).await.1
    }

    /// Delivers the push about a person who unfollowed.
    pub async fn push_unsubscribe(&self, person: &str) -> StatusCode {
        let event = "<MsgType>event</MsgType><Event>unsubscribe</Event><EventKey></EventKey>";
        self.push(person, event).await.0
    }
}
