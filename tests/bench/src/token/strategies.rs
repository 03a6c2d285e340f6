//! Ways of a caller to a token: the product's, and two usual ones.

use anyhow::Context;
use clap::ValueEnum;
use paihao::config::{Config, Role};
use paihao::ports::Ports;
use paihao_access_token::{TokenReader, TokenReaderOptions};
use paihao_wechat::{
    AccessToken, AccountClient, AccountClientError, AppId, AppSecret, CallError, Client,
    FailureClass,
};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Name of the account in the deployment.
pub const ACCOUNT: &str = "shop";

/// Way in which a process gets its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TokenStrategy {
    /// Reads the token that the token service stored, and reports a refused one.
    Product,
    /// A token in the process's memory; each caller that gets a refusal fetches another.
    EachCaller,
    /// A token in the process's memory; one caller of a process fetches, the others wait for it.
    EachProcess,
}

impl TokenStrategy {
    pub const ALL: [TokenStrategy; 3] =
        [TokenStrategy::Product, TokenStrategy::EachCaller, TokenStrategy::EachProcess];

    pub fn description(self) -> &'static str {
        match self {
            TokenStrategy::Product => "paihao",
            TokenStrategy::EachCaller => "each caller fetches",
            TokenStrategy::EachProcess => "each process fetches",
        }
    }
}

/// Result of a call.
pub enum CallResult {
    Succeeded,
    /// There was no token.
    NoToken(String),
    /// WeChat refused the call, and its repetition if there was one.
    Failed(String),
}

/// Client that uses one of the ways.
pub enum StrategyClient {
    Product(AccountClient),
    InMemory(InMemoryTokenClient),
}

/// A token in the process's memory, from the classic channel, as most programs have it.
pub struct InMemoryTokenClient {
    client: Client,
    app: AppId,
    secret: AppSecret,
    cached_token: parking_lot::Mutex<Option<AccessToken>>,
    /// Lock for one caller to fetch for all; `None` if each fetches.
    fetch_lock: Option<Mutex<()>>,
}

impl StrategyClient {
    pub async fn new(way: TokenStrategy, file: &Path) -> anyhow::Result<StrategyClient> {
        let config = Config::read(Some(file), [])?;
        let setup = config.resolve(Role::Token)?;
        let client = Client::new(setup.wechat_client)?;
        if way == TokenStrategy::Product {
            let Ports { cache, ledger, clock, .. } = Ports::open(&config).await?;
            let reader = TokenReader::new(cache, ledger, clock, TokenReaderOptions::default());
            return Ok(StrategyClient::Product(AccountClient::new(client, Arc::new(reader))));
        }
        let account = config.accounts.get(ACCOUNT).context("the account of the bench")?;
        Ok(StrategyClient::InMemory(InMemoryTokenClient {
            client,
            app: AppId(account.appid.clone()),
            secret: AppSecret::new(account.secret.expose()),
            cached_token: parking_lot::Mutex::default(),
            fetch_lock: (way == TokenStrategy::EachProcess).then(Mutex::default),
        }))
    }

    /// Makes a call to WeChat, with at most one repetition.
    pub async fn call(&self) -> CallResult {
        match self {
            StrategyClient::Product(caller) => match caller.callback_addresses(ACCOUNT).await {
                Ok(_) => CallResult::Succeeded,
                Err(AccountClientError::Call(error)) => CallResult::Failed(error.to_string()),
                Err(error) => CallResult::NoToken(error.to_string()),
            },
            StrategyClient::InMemory(client) => match client.call().await {
                Ok(()) => CallResult::Succeeded,
                Err(error) => CallResult::Failed(error.to_string()),
            },
        }
    }
}

impl InMemoryTokenClient {
    async fn call(&self) -> Result<(), CallError> {
        let cached = self.cached_token.lock().clone();
        let token = match cached {
            Some(token) => token,
            None => self.fetch_token(None).await?,
        };
        match self.client.callback_addresses(&token).await {
            Err(error) if error.class() == FailureClass::InvalidToken => {
                let token = self.fetch_token(Some(token)).await?;
                self.client.callback_addresses(&token).await.map(drop)
            }
            answer => answer.map(drop),
        }
    }

    async fn fetch_token(&self, refused: Option<AccessToken>) -> Result<AccessToken, CallError> {
        let _guard = match &self.fetch_lock {
            Some(lock) => {
                let guard = lock.lock().await;
                let cached = self.cached_token.lock().clone();
                if let Some(cached) = cached.filter(|cached| Some(cached) != refused.as_ref()) {
                    return Ok(cached);
                }
                Some(guard)
            }
            None => None,
        };
        let issued = self.client.classic_token(&self.app, &self.secret).await?.token;
        *self.cached_token.lock() = Some(issued.clone());
        Ok(issued)
    }
}
