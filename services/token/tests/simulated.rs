//! Tests of the service, its readers and the client with the simulated WeChat over HTTP.

use futures::future::join_all;
use paihao_access_token::{TokenReader, TokenReaderOptions};
use paihao_cache::{Cache, MemoryCache};
use paihao_chassis::Tasks;
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_chassis::sealing::Keyring;
use paihao_contracts::account_credentials::{AccountCredentials, CallbackMode, TokenChannel};
use paihao_contracts::settings_log::{SettingsEntry, SettingsEvent};
use paihao_contracts::stored_secret::{StoredSecret, account_secret_place};
use paihao_contracts::streams::SETTINGS;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use paihao_token::{Account, Channel, Ports, Settings, TokenService, start};
use paihao_wechat::{
    AccountClient, AppId, AppSecret, Client, ClientOptions, Endpoints, FailureClass, QrRequest,
    TokenSource,
};
use std::sync::Arc;
use std::time::Duration;
use wechat_sim::{Fault, SimAccount, SimConfig, Simulator, TokenInvalidation};

const ACCOUNT: &str = "hall";

struct TestEnv {
    wechat: Simulator,
    cache: Arc<dyn Cache>,
    ledger: Arc<dyn Ledger>,
    client: Client,
    tasks: Tasks,
    _dir: tempfile::TempDir,
}

impl TestEnv {
    async fn open() -> TestEnv {
        let wechat = Simulator::start(SimConfig::default()).await.unwrap();
        let base: url::Url = wechat.base_url().parse().unwrap();
        let endpoints = Endpoints { api: base.clone(), mp: base };
        let client = Client::new(ClientOptions { endpoints, ..ClientOptions::default() }).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(Arc::new(|| SystemClock.now_ms()));
        let ledger = SqliteLedger::open(dir.path().join("ledger"), options).unwrap();
        TestEnv {
            wechat,
            cache: Arc::new(MemoryCache::default()),
            ledger: Arc::new(ledger),
            client,
            tasks: Tasks::new(),
            _dir: dir,
        }
    }

    fn replica(&self, channel: Channel) -> Tasks {
        let account = SimAccount::default();
        let account = Account {
            name: ACCOUNT.into(),
            app: AppId(account.appid),
            secret: AppSecret::new(account.secret),
            channel,
        };
        let ports = Ports {
            cache: self.cache.clone(),
            ledger: self.ledger.clone(),
            issuer: Arc::new(self.client.clone()),
            clock: Arc::new(SystemClock),
            keyring: None,
        };
        let tasks = self.tasks.child("token");
        let settings = Settings { lease: Duration::from_secs(3), ..Settings::default() };
        start(settings, vec![account], ports, &tasks);
        tasks
    }

    fn reader(&self) -> TokenReader {
        // The timeout has room for a busy machine; nothing here waits this long when it works.
        let options =
            TokenReaderOptions { wait_timeout: Duration::from_secs(30), ..Default::default() };
        TokenReader::new(self.cache.clone(), self.ledger.clone(), Arc::new(SystemClock), options)
    }

    fn caller(&self) -> AccountClient {
        AccountClient::new(self.client.clone(), Arc::new(self.reader()))
    }

    async fn close(self) {
        self.tasks.stop_and_wait().await;
        self.wechat.stop().await;
    }
}

fn code() -> QrRequest {
    QrRequest::temporary_str("door", Duration::from_secs(600))
}

#[tokio::test]
async fn two_replicas_and_64_callers_fetch_one_token() {
    for channel in [Channel::Stable, Channel::Classic] {
        let env = TestEnv::open().await;
        let callers: Vec<AccountClient> = (0..64).map(|_| env.caller()).collect();
        let request = code();
        let calls = join_all(callers.iter().map(|caller| caller.create_qr(ACCOUNT, &request)));
        let _replicas = [env.replica(channel), env.replica(channel)];
        assert!(calls.await.iter().all(Result::is_ok));
        let stats = env.wechat.stats();
        assert_eq!((stats.tokens_issued, stats.codes_created), (1, 64), "{channel:?}");
        assert_eq!(stats.stable_fetches + stats.classic_fetches, 1, "{channel:?}");
        env.close().await;
    }
}

#[tokio::test]
async fn a_token_that_dies_early_is_replaced_and_every_call_succeeds() {
    for (death, forced) in
        [(TokenInvalidation::Replaced, 0), (TokenInvalidation::StillHandedOut, 1)]
    {
        let env = TestEnv::open().await;
        let _replicas = [env.replica(Channel::Stable), env.replica(Channel::Stable)];
        let callers = [env.caller(), env.caller()];
        callers[0].create_qr(ACCOUNT, &code()).await.unwrap();
        callers[1].create_qr(ACCOUNT, &code()).await.unwrap();
        env.wechat.kill_tokens(None, death);
        let request = code();
        let calls = (0..32).map(|i| callers[i % 2].create_qr(ACCOUNT, &request));
        let answers = join_all(calls).await;
        assert!(answers.iter().all(Result::is_ok), "{death:?}: {answers:?}");
        assert_eq!(env.wechat.stats().forced_refreshes, forced, "{death:?}");
        env.close().await;
    }
}

#[tokio::test]
async fn a_keeper_killed_is_followed_by_another() {
    let env = TestEnv::open().await;
    let first = env.replica(Channel::Stable);
    let caller = env.caller();
    caller.create_qr(ACCOUNT, &code()).await.unwrap();
    let _second = env.replica(Channel::Stable);
    first.abort();
    env.wechat.kill_tokens(None, TokenInvalidation::Replaced);
    caller.create_qr(ACCOUNT, &code()).await.unwrap();
    env.close().await;
}

#[tokio::test]
async fn a_wechat_that_is_busy_or_away_is_waited_for() {
    let env = TestEnv::open().await;
    env.wechat.add_fault(Fault::errcode("/cgi-bin/stable_token", -1).times(2));
    let _replica = env.replica(Channel::Stable);
    env.reader().current(ACCOUNT).await.unwrap();
    env.wechat.add_fault(Fault::errcode("/cgi-bin/qrcode/create", 45009).times(1));
    let refused = env.caller().create_qr(ACCOUNT, &code()).await.unwrap_err();
    assert!(matches!(refused.class(), FailureClass::RetryLater(Some(_))), "{refused}");
    env.caller().create_qr(ACCOUNT, &code()).await.unwrap();
    env.close().await;
}

impl TestEnv {
    /// Starts a replica without an account of its configuration.
    fn replica_with(&self, keyring: Arc<Keyring>) -> TokenService {
        let ports = Ports {
            cache: self.cache.clone(),
            ledger: self.ledger.clone(),
            issuer: Arc::new(self.client.clone()),
            clock: Arc::new(SystemClock),
            keyring: Some(keyring),
        };
        let settings = Settings { lease: Duration::from_secs(3), ..Settings::default() };
        start(settings, Vec::new(), ports, &self.tasks.child("token"))
    }

    async fn append_settings(&self, event: SettingsEvent) {
        let entry = Entry::new(SettingsEntry::new(0, event).encode());
        let subject = Subject::new(&["credentials", ACCOUNT]).unwrap();
        self.ledger.append(&SETTINGS, &subject, ExpectedPosition::Any, entry).await.unwrap();
    }

    async fn connect(&self, keyring: &Keyring, secret: &str) {
        let seal = |field: &str, secret: &str| {
            StoredSecret::new(keyring.seal(&account_secret_place(ACCOUNT, field), secret))
        };
        let credentials = AccountCredentials {
            appid: SimAccount::default().appid,
            secret: seal("secret", secret),
            token_channel: TokenChannel::Stable,
            mode: CallbackMode::Secure,
            former_mode: None,
            callback_token: seal("callback_token", "unused"),
            former_callback_token: None,
            aes_key: seal("aes_key", "unused"),
            former_aes_key: None,
        };
        let (account, by) = (ACCOUNT.to_owned(), "boss".to_owned());
        let credentials = Box::new(credentials);
        let event = SettingsEvent::CredentialsSet { account, by, credentials, idempotency: None };
        self.append_settings(event).await;
    }
}

async fn wait_until(what: &str, condition: impl AsyncFn() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap_or_else(|_| {
        panic!("never: {what}");
    });
}

#[tokio::test]
async fn an_account_of_the_settings_is_kept_with_its_newest_secret_until_it_is_retired() {
    let env = TestEnv::open().await;
    let keyring = Arc::new(Keyring::parse(&Keyring::generate_key()).unwrap());
    let service = env.replica_with(keyring.clone());
    env.connect(&keyring, "a-wrong-secret-that-wechat-refuses").await;
    wait_until("the wrong secret is tried", async || {
        env.wechat.stats().calls.get("/cgi-bin/stable_token").is_some_and(|calls| *calls > 0)
    })
    .await;
    assert!(service.keeps(ACCOUNT));
    // The right one is tried at once, and not after the back-off of the wrong one.
    env.connect(&keyring, &SimAccount::default().secret).await;
    env.caller().create_qr(ACCOUNT, &code()).await.unwrap();
    // What cannot be opened leaves it as it is.
    let other = Keyring::parse(&Keyring::generate_key()).unwrap();
    env.connect(&other, &SimAccount::default().secret).await;
    env.connect(&keyring, &SimAccount::default().secret).await;
    env.caller().create_qr(ACCOUNT, &code()).await.unwrap();
    // A replica that starts later begins with the newest.
    let later = env.replica_with(keyring.clone());
    wait_until("the second replica keeps it", async || later.keeps(ACCOUNT)).await;
    let (account, by) = (ACCOUNT.to_owned(), "boss".to_owned());
    env.append_settings(SettingsEvent::AccountRetired { account, by, idempotency: None }).await;
    for service in [&service, &later] {
        wait_until("its keeper ends", async || !service.keeps(ACCOUNT)).await;
    }
    env.close().await;
}
