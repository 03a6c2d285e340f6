//! Ways from a caller to a token: the product's, and two that are usual.

use anyhow::Context;
use clap::ValueEnum;
use paihao::config::{Config, Role};
use paihao::ports::Ports;
use paihao_access_token::{TokenReader, TokenReaderOptions};
use paihao_wechat::{
    AccessToken, AppId, AppSecret, CallError, Caller, CallerError, Client, Meaning,
};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The account's name in the deployment.
pub const ACCOUNT: &str = "shop";

/// How a process gets its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// Reads what the token service stored, and reports what was refused.
    Product,
    /// A token in the process's memory; each caller who meets a refusal fetches another.
    EachCaller,
    /// A token in the process's memory; one caller of a process fetches, the others wait for it.
    EachProcess,
}

impl Way {
    pub const ALL: [Way; 3] = [Way::Product, Way::EachCaller, Way::EachProcess];

    pub fn words(self) -> &'static str {
        match self {
            Way::Product => "paihao",
            Way::EachCaller => "each caller fetches",
            Way::EachProcess => "each process fetches",
        }
    }
}

/// What became of a call.
pub enum Came {
    Good,
    /// There was no token to call with.
    Without(String),
    /// WeChat was called, and refused to the end.
    Failed(String),
}

/// A process's way, ready to call.
pub enum Calling {
    Product(Caller),
    Own(Own),
}

/// A token in the process's memory, from the classic channel, as most programs have it.
pub struct Own {
    client: Client,
    app: AppId,
    secret: AppSecret,
    memory: parking_lot::Mutex<Option<AccessToken>>,
    /// Held while one caller fetches for all; not used where each fetches.
    one: Option<Mutex<()>>,
}

impl Calling {
    pub async fn new(way: Way, file: &Path) -> anyhow::Result<Calling> {
        let config = Config::read(Some(file), [])?;
        let setup = config.check(Role::Token)?;
        let client = Client::new(setup.wechat)?;
        if way == Way::Product {
            let Ports { cache, ledger, clock } = Ports::open(&config).await?;
            let reader = TokenReader::new(cache, ledger, clock, TokenReaderOptions::default());
            return Ok(Calling::Product(Caller::new(client, Arc::new(reader))));
        }
        let account = config.accounts.get(ACCOUNT).context("the account of the bench")?;
        Ok(Calling::Own(Own {
            client,
            app: AppId(account.appid.clone()),
            secret: AppSecret::new(account.secret.expose()),
            memory: parking_lot::Mutex::default(),
            one: (way == Way::EachProcess).then(Mutex::default),
        }))
    }

    /// One call to WeChat, with at most one repetition.
    pub async fn call(&self) -> Came {
        match self {
            Calling::Product(caller) => match caller.callback_addresses(ACCOUNT).await {
                Ok(_) => Came::Good,
                Err(CallerError::Call(error)) => Came::Failed(error.to_string()),
                Err(none) => Came::Without(none.to_string()),
            },
            Calling::Own(own) => match own.call().await {
                Ok(()) => Came::Good,
                Err(error) => Came::Failed(error.to_string()),
            },
        }
    }
}

impl Own {
    async fn call(&self) -> Result<(), CallError> {
        let known = self.memory.lock().clone();
        let token = match known {
            Some(token) => token,
            None => self.another(None).await?,
        };
        match self.client.callback_addresses(&token).await {
            Err(error) if error.meaning() == Meaning::Token => {
                let token = self.another(Some(token)).await?;
                self.client.callback_addresses(&token).await.map(drop)
            }
            answer => answer.map(drop),
        }
    }

    async fn another(&self, refused: Option<AccessToken>) -> Result<AccessToken, CallError> {
        let _one = match &self.one {
            Some(one) => {
                let held = one.lock().await;
                let known = self.memory.lock().clone();
                if let Some(known) = known.filter(|known| Some(known) != refused.as_ref()) {
                    return Ok(known);
                }
                Some(held)
            }
            None => None,
        };
        let issued = self.client.classic_token(&self.app, &self.secret).await?.token;
        *self.memory.lock() = Some(issued.clone());
        Ok(issued)
    }
}
