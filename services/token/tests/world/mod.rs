//! Test environment of keepers under a paused clock: a WeChat without sockets, a queue without a
//! store, and a cache that can be made unavailable.

mod queue;

use async_trait::async_trait;
use paihao_access_token::{TokenReader, TokenReaderOptions};
use paihao_cache::conformance::layer::CacheLayer;
use paihao_cache::{Cache, MemoryCache, Unavailable};
use paihao_chassis::Tasks;
use paihao_chassis::clock::RuntimeClock;
use paihao_contracts::envelope;
use paihao_contracts::streams;
use paihao_contracts::token::TokenRecord;
use paihao_token::{Account, Channel, Issuer, Ports, Settings, TokenService, start};
use paihao_wechat::{AccessToken, AppId, AppSecret, CallError, FailureClass, IssuedToken, Refusal};
pub(crate) use queue::Queue;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

pub(crate) const ACCOUNT: &str = "hall";

/// WeChat, cache, queue and clock that all replicas share.
pub(crate) struct World {
    pub(crate) wechat: Arc<WeChat>,
    pub(crate) cache: Arc<MemoryCache>,
    pub(crate) queue: Queue,
    pub(crate) clock: Arc<RuntimeClock>,
    pub(crate) channel: Channel,
}

impl World {
    pub(crate) fn new(channel: Channel) -> World {
        World {
            wechat: Arc::default(),
            cache: Arc::default(),
            queue: Queue::default(),
            clock: Arc::new(RuntimeClock::starting_at(1_700_000_000_000)),
            channel,
        }
    }

    /// A replica of the token service.
    pub(crate) fn replica(&self) -> Replica {
        let cache_link =
            Arc::new(CuttableCache { cache: self.cache.clone(), cut: AtomicBool::new(false) });
        let issuer =
            Arc::new(DelayedIssuer { wechat: self.wechat.clone(), delay: Mutex::default() });
        let tasks = Tasks::new();
        let ports = Ports {
            cache: cache_link.clone(),
            ledger: Arc::new(self.queue.clone()),
            issuer: issuer.clone(),
            clock: self.clock.clone(),
            keyring: None,
        };
        let service = start(Settings::default(), vec![self.account("secret")], ports, &tasks);
        Replica { tasks, cache_link, issuer, service }
    }

    /// The account with this secret.
    pub(crate) fn account(&self, secret: &str) -> Account {
        Account {
            name: ACCOUNT.into(),
            app: AppId("wx1".into()),
            secret: AppSecret::new(secret),
            channel: self.channel,
        }
    }

    /// A reader in another process.
    pub(crate) fn reader(&self) -> TokenReader {
        let options = TokenReaderOptions::default();
        TokenReader::new(
            self.cache.clone(),
            Arc::new(self.queue.clone()),
            self.clock.clone(),
            options,
        )
    }

    pub(crate) async fn stored(&self) -> Option<TokenRecord> {
        let bytes = self.cache.get(&streams::access_token_key(ACCOUNT)).await.unwrap()?;
        Some(envelope::decode(&bytes).unwrap())
    }

    pub(crate) async fn stored_token(&self) -> Option<String> {
        self.stored().await.map(|record| record.token)
    }
}

/// Waits, in the paused time, until the condition is true.
pub(crate) async fn until(description: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(Duration::from_secs(4 * 3600), waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {description}"));
}

/// A replica, with switches for its failures.
pub(crate) struct Replica {
    pub(crate) tasks: Tasks,
    pub(crate) cache_link: Arc<CuttableCache>,
    pub(crate) issuer: Arc<DelayedIssuer>,
    pub(crate) service: TokenService,
}

impl Replica {
    /// Kills the replica. It releases nothing.
    pub(crate) fn die(&self) {
        self.tasks.abort();
    }
}

/// WeChat's token endpoints, both channels.
#[derive(Default)]
pub(crate) struct WeChat {
    state: Mutex<WeChatState>,
}

#[derive(Default)]
struct WeChatState {
    current: Option<(u32, Instant)>,
    issued: u32,
    /// Current secret; `secret` until it is changed.
    secret: Option<String>,
    calls: Vec<Call>,
    errors: VecDeque<CallError>,
}

/// WeChat's answer to a secret that is not the account's.
pub(crate) fn wrong_secret() -> CallError {
    CallError::Refused(Refusal {
        code: 40125,
        name: "wrong_secret",
        class: FailureClass::Configuration,
        sentence: "invalid appsecret".into(),
    })
}

/// One call to a token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) force: bool,
    pub(crate) at: Instant,
}

impl WeChat {
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.state.lock().unwrap().calls.clone()
    }

    pub(crate) fn forced(&self) -> usize {
        self.calls().iter().filter(|call| call.force).count()
    }

    /// Forces a new token as another program would.
    pub(crate) fn forced_by_somebody_else(&self) {
        self.state.lock().unwrap().renew();
    }

    /// Changes the secret, which ends every token.
    pub(crate) fn set_secret(&self, secret: &str) {
        let mut state = self.state.lock().unwrap();
        state.secret = Some(secret.to_owned());
        state.current = None;
    }

    pub(crate) fn fail(&self, times: usize, error: CallError) {
        self.state.lock().unwrap().errors.extend(std::iter::repeat_n(error, times));
    }

    fn issue(&self, account: &Account, force: bool) -> Result<IssuedToken, CallError> {
        let channel = account.channel;
        let mut state = self.state.lock().unwrap();
        state.calls.push(Call { force, at: Instant::now() });
        if account.secret != AppSecret::new(state.secret.as_deref().unwrap_or("secret")) {
            return Err(wrong_secret());
        }
        if let Some(error) = state.errors.pop_front() {
            return Err(error);
        }
        let current = state.current.filter(|(_, expires_at)| {
            channel == Channel::Stable
                && !force
                && expires_at.duration_since(Instant::now()) > Duration::from_secs(300)
        });
        let (n, expires_at) = current.unwrap_or_else(|| state.renew());
        let expires_in = expires_at.duration_since(Instant::now());
        Ok(IssuedToken { token: AccessToken::new(format!("{n}_token")), expires_in })
    }
}

impl WeChatState {
    fn renew(&mut self) -> (u32, Instant) {
        self.issued += 1;
        *self.current.insert((self.issued, Instant::now() + Duration::from_secs(7200)))
    }
}

/// WeChat as one replica calls it, with responses that can be delayed.
pub(crate) struct DelayedIssuer {
    wechat: Arc<WeChat>,
    delay: Mutex<Option<Duration>>,
}

impl DelayedIssuer {
    /// Delays every further response by this time.
    pub(crate) fn set_delay(&self, delay: Duration) {
        *self.delay.lock().unwrap() = Some(delay);
    }
}

#[async_trait]
impl Issuer for DelayedIssuer {
    async fn issue(&self, account: &Account, force: bool) -> Result<IssuedToken, CallError> {
        let issued = self.wechat.issue(account, force);
        let delay = *self.delay.lock().unwrap();
        sleep(delay.unwrap_or(Duration::from_millis(50))).await;
        issued
    }
}

/// Cache as one replica sees it, which can be made unavailable.
pub(crate) struct CuttableCache {
    cache: Arc<MemoryCache>,
    cut: AtomicBool,
}

impl CuttableCache {
    pub(crate) fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }
}

impl CacheLayer for CuttableCache {
    fn inner(&self) -> Result<Arc<dyn Cache>, Unavailable> {
        if self.cut.load(Ordering::SeqCst) {
            return Err(Unavailable("cut off".into()));
        }
        Ok(self.cache.clone())
    }
}
