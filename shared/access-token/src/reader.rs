//! Reader of an account's access token from the cache, with a wait for a new one after a refusal.

use crate::slot::{CachedToken, SlotLookup, TokenSlot};
use async_trait::async_trait;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use paihao_cache::{Cache, Unavailable};
use paihao_chassis::clock::Clock;
use paihao_contracts::envelope::{self, ReadError};
use paihao_contracts::streams;
use paihao_contracts::token::{RefusedToken, TokenRecord};
use paihao_ledger::{Entry, Ledger};
use paihao_wechat::{AccessToken, TokenSource, TokenUnavailable};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Options of a reader.
#[derive(Debug, Clone)]
pub struct TokenReaderOptions {
    /// Time for which a token is used without reading the cache; 30 s by default.
    pub refresh_interval: Duration,
    /// Delay of the next read after one that found nothing, while the known token is still valid; 5
    /// s by default.
    pub retry_interval: Duration,
    /// Time before its expiry from which a known token is read again every second; 60 s by default.
    pub expiry_margin: Duration,
    /// Longest wait of a caller if there is no token, or for another after a refusal; 3 s by
    /// default.
    pub wait_timeout: Duration,
}

impl Default for TokenReaderOptions {
    fn default() -> Self {
        TokenReaderOptions {
            refresh_interval: Duration::from_secs(30),
            retry_interval: Duration::from_secs(5),
            expiry_margin: Duration::from_secs(60),
            wait_timeout: Duration::from_secs(3),
        }
    }
}

type TokenResult = Result<CachedToken, TokenUnavailable>;
type SharedWait = Shared<BoxFuture<'static, TokenResult>>;

/// Token source of the gateway and the notifier. Cheap to clone; clones share their state.
#[derive(Clone)]
pub struct TokenReader(Arc<ReaderInner>);

struct ReaderInner {
    cache: Arc<dyn Cache>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    options: TokenReaderOptions,
    accounts: Mutex<HashMap<String, Arc<AccountState>>>,
}

struct AccountState {
    name: String,
    slot: Mutex<TokenSlot>,
    /// Waits in progress, by the refused fingerprint (`None`: waiting for any token).
    pending_waits: Mutex<HashMap<Option<String>, WeakShared<BoxFuture<'static, TokenResult>>>>,
}

impl TokenReader {
    /// Creates a reader of `cache` that reports through `ledger`.
    pub fn new(
        cache: Arc<dyn Cache>,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        options: TokenReaderOptions,
    ) -> Self {
        let accounts = Mutex::default();
        TokenReader(Arc::new(ReaderInner { cache, ledger, clock, options, accounts }))
    }

    /// Returns the token to use now, and its expiry.
    pub async fn current_token(&self, account: &str) -> TokenResult {
        let account = self.0.account(account);
        let lookup = account.slot.lock().lookup(
            Instant::now(),
            self.0.clock.now_ms(),
            self.0.options.retry_interval,
        );
        match lookup {
            SlotLookup::Fresh(cached) => Ok(cached),
            // A valid token stays in use while the cache is unavailable or has lost the record.
            SlotLookup::RefreshDue(cached) => {
                Ok(self.0.read_cache(&account).await.ok().flatten().unwrap_or(cached))
            }
            SlotLookup::Missing => self.0.wait_for_token(&account, None).await,
        }
    }

    /// Reports a refused token and returns another, with its expiry.
    pub async fn token_after_refusal(&self, account: &str, refused: &AccessToken) -> TokenResult {
        let account = self.0.account(account);
        self.0.wait_for_token(&account, Some(refused.fingerprint())).await
    }
}

#[async_trait]
impl TokenSource for TokenReader {
    async fn current(&self, account: &str) -> Result<AccessToken, TokenUnavailable> {
        Ok(self.current_token(account).await?.token)
    }

    async fn replace_refused(
        &self,
        account: &str,
        refused: &AccessToken,
    ) -> Result<AccessToken, TokenUnavailable> {
        Ok(self.token_after_refusal(account, refused).await?.token)
    }
}

impl ReaderInner {
    fn account(&self, name: &str) -> Arc<AccountState> {
        let mut accounts = self.accounts.lock();
        if let Some(account) = accounts.get(name) {
            return account.clone();
        }
        let account = Arc::new(AccountState {
            name: name.to_owned(),
            slot: Mutex::default(),
            pending_waits: Mutex::default(),
        });
        accounts.insert(name.to_owned(), account.clone());
        account
    }

    /// Reads and stores the token in the cache, if it is still valid.
    async fn read_cache(&self, account: &AccountState) -> Result<Option<CachedToken>, Unavailable> {
        let Some(stored) = self.cache.get(&streams::access_token_key(&account.name)).await? else {
            return Ok(None);
        };
        let now_ms = self.clock.now_ms();
        let record: TokenRecord = match envelope::decode(&stored) {
            Ok(record) => record,
            Err(ReadError::Newer(newer)) => return Err(Unavailable(newer.to_string())),
            Err(ReadError::Malformed(error)) => {
                tracing::error!(account = account.name, %error, "cannot decode the stored token");
                return Ok(None);
            }
        };
        if record.expires_at_ms <= now_ms {
            return Ok(None);
        }
        let cached = CachedToken::from(record);
        account.slot.lock().store(
            cached.clone(),
            Instant::now(),
            now_ms,
            self.options.refresh_interval,
            self.options.expiry_margin,
        );
        Ok(Some(cached))
    }

    /// Joins the wait for a token other than `after_refusal`, or starts one: for any number of
    /// refused callers there is one report and one poller.
    fn wait_for_token(
        self: &Arc<Self>,
        account: &Arc<AccountState>,
        refused: Option<String>,
    ) -> SharedWait {
        let mut waits = account.pending_waits.lock();
        if let Some(wait) = waits.get(&refused).and_then(WeakShared::upgrade) {
            return wait;
        }
        waits.retain(|_, wait| wait.upgrade().is_some());
        let wait =
            Arc::clone(self).poll_cache(Arc::clone(account), refused.clone()).boxed().shared();
        if let Some(weak) = wait.downgrade() {
            waits.insert(refused, weak);
        }
        wait
    }

    /// Polls the cache until it holds a valid token other than `after_refusal`, or the timeout
    /// ends.
    async fn poll_cache(
        self: Arc<Self>,
        account: Arc<AccountState>,
        refused: Option<String>,
    ) -> TokenResult {
        let deadline = Instant::now() + self.options.wait_timeout;
        let mut pause = Duration::from_millis(20);
        let mut reported = false;
        loop {
            let found = self.read_cache(&account).await;
            if let Ok(Some(cached)) = &found
                && refused.as_ref() != Some(&cached.token.fingerprint())
            {
                return Ok(cached.clone());
            }
            if let Some(fingerprint) = refused.as_ref().filter(|_| !reported) {
                reported = self.report_refusal(&account.name, fingerprint).await;
            }
            if Instant::now() + pause > deadline {
                account.slot.lock().invalidate();
                return Err(TokenUnavailable(match (found, refused) {
                    (Err(unavailable), _) => unavailable.to_string(),
                    (Ok(_), Some(_)) => {
                        "WeChat refused the current one and there is no other yet".to_owned()
                    }
                    (Ok(_), None) => "the token service has stored none yet".to_owned(),
                }));
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(320));
        }
    }

    /// Reports the fingerprint of the refused token, never the token itself.
    async fn report_refusal(&self, account: &str, fingerprint: &str) -> bool {
        let report = RefusedToken {
            v: 1,
            account: account.to_owned(),
            fingerprint: fingerprint.to_owned(),
            refused_at_ms: self.clock.now_ms(),
        };
        let entry = Entry::new(report.encode());
        let queue = &streams::REFUSED_TOKENS;
        match self.ledger.enqueue(queue, fingerprint, entry, Duration::ZERO).await {
            Ok(_) => {
                metrics::counter!("paihao_token_refusals_reported_total").increment(1);
                tracing::info!(account, fingerprint, "reported a token that WeChat refused");
                true
            }
            Err(unavailable) => {
                tracing::warn!(account, fingerprint, error = %unavailable, "cannot report a refused token");
                false
            }
        }
    }
}
