//! Test of two token services with concurrent clients: a cold start, concurrent refusals, a killed
//! service, a wrong secret and its correction.

use crate::support::http::{client, send_json};
use harness::{NatsServer, Program, RedisServer, free_port, wait_until};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinSet;
use wechat_sim::{SimAccount, SimConfig, Simulator, TokenInvalidation};

const PROGRAM: &str = env!("CARGO_BIN_EXE_paihao");
const TOKEN_SERVER_KEY: &str = "the-crm-systems-own-long-key";
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

struct TokenServiceProcess {
    program: Program,
    url: String,
    admin: String,
}

struct TokenDeployment {
    nats: NatsServer,
    redis: RedisServer,
    wechat: Simulator,
    http: Client,
}

impl TokenDeployment {
    async fn start() -> TokenDeployment {
        TokenDeployment {
            nats: NatsServer::start(),
            redis: RedisServer::start(),
            wechat: Simulator::start(SimConfig::default()).await.expect("a free port"),
            http: client(),
        }
    }

    /// Starts a token service that reloads its configuration every `reload_seconds`; 0 is only on
    /// SIGHUP.
    fn start_token_service(&self, reload_seconds: u64) -> TokenServiceProcess {
        let port = free_port();
        let admin = free_port();
        let text = format!(
            "
            [admin]
            listen = '127.0.0.1:{admin}'
            [log]
            filter = 'info,async_nats=warn'
            [ledger]
            kind = 'nats'
            url = '{nats}'
            [cache]
            kind = 'redis'
            url = '{redis}'
            [wechat]
            api = '{wechat}'
            mp = '{wechat}'
            [accounts.shop]
            appid = '{appid}'
            secret = {{ file = 'secret' }}
            callback_token = 'simulated'
            mode = 'plain'
            [token]
            lease_seconds = 3
            reload_seconds = {reload_seconds}
            [token.server]
            listen = '127.0.0.1:{port}'
            per_minute = 0
            [token.server.keys.crm]
            key = '{TOKEN_SERVER_KEY}'
            accounts = ['shop']
            ",
            nats = self.nats.url(),
            redis = self.redis.url(),
            wechat = self.wechat.base_url(),
            appid = SimAccount::default().appid,
        );
        let files = [("paihao.toml", &*text), ("secret", &*SimAccount::default().secret)];
        TokenServiceProcess {
            program: Program::start(PROGRAM, &["--config", "{dir}/paihao.toml", "token"], &files),
            url: format!("http://127.0.0.1:{port}"),
            admin: format!("http://127.0.0.1:{admin}"),
        }
    }

    /// Fetches a token with so many concurrent callers, each retrying until it has one. With
    /// `refused` they report that token as refused by WeChat.
    async fn fetch_concurrently(
        &self,
        services: &[&TokenServiceProcess],
        callers: usize,
        refused: Option<&str>,
    ) -> Vec<String> {
        let mut requests = JoinSet::new();
        for i in 0..callers {
            let base = format!("{}/token/shop", services[i % services.len()].url);
            let http = self.http.clone();
            let refused = refused.map(str::to_owned);
            requests.spawn(async move {
                loop {
                    let request = match &refused {
                        None => http.get(&base),
                        Some(token) => http
                            .post(format!("{base}/refused"))
                            .body(json!({ "access_token": token }).to_string()),
                    };
                    if let Ok(response) = request.bearer_auth(TOKEN_SERVER_KEY).send().await
                        && response.status() == StatusCode::OK
                    {
                        let text = response.text().await.expect("a body");
                        let body: Value = serde_json::from_str(&text).expect("JSON");
                        return body["access_token"].as_str().expect("a token").to_owned();
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            });
        }
        tokio::time::timeout(WAIT_TIMEOUT, requests.join_all())
            .await
            .expect("every caller gets a token in time")
    }

    async fn is_token_valid(&self, token: &str) -> bool {
        let base = self.wechat.base_url();
        let url = format!("{base}/cgi-bin/getcallbackip?access_token={token}");
        send_json(self.http.get(url)).await.1.get("errcode").is_none()
    }

    async fn metrics(&self, service: &TokenServiceProcess) -> String {
        let url = format!("{}/metrics", service.admin);
        self.http.get(url).send().await.expect("metrics").text().await.expect("metrics")
    }
}

fn assert_all_equal(tokens: &[String]) -> &str {
    assert!(tokens.iter().all(|token| *token == tokens[0]), "different tokens at one time");
    &tokens[0]
}

fn send_sighup(service: &TokenServiceProcess) {
    let pid = service.program.pid().expect("it runs").to_string();
    let sent = std::process::Command::new("kill").args(["-HUP", &pid]).status();
    assert!(sent.expect("there is a kill").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_caller_has_the_one_valid_token_through_all_faults() {
    let deployment = TokenDeployment::start().await;
    let mut one = deployment.start_token_service(1);
    let two = deployment.start_token_service(0);

    // Cold start: 64 callers, no token, two services, one fetch.
    let tokens = deployment.fetch_concurrently(&[&one, &two], 64, None).await;
    let first = assert_all_equal(&tokens).to_owned();
    assert!(deployment.is_token_valid(&first).await);
    assert_eq!(deployment.wechat.stats().token_fetches(), 1, "a cold start costs one fetch");

    // The token is invalidated from outside: 64 refusals in the same second cause one fetch.
    deployment.wechat.kill_tokens(None, TokenInvalidation::Replaced);
    let tokens = deployment.fetch_concurrently(&[&one, &two], 64, Some(&first)).await;
    let second = assert_all_equal(&tokens).to_owned();
    assert!(second != first && deployment.is_token_valid(&second).await);
    let stats = deployment.wechat.stats();
    assert_eq!(
        (stats.token_fetches(), stats.forced_refreshes),
        (2, 0),
        "concurrent refusals cost one fetch"
    );

    // WeChat hands out a token that it refuses: one normal and one forced fetch.
    deployment.wechat.kill_tokens(None, TokenInvalidation::StillHandedOut);
    let tokens = deployment.fetch_concurrently(&[&one, &two], 64, Some(&second)).await;
    let third = assert_all_equal(&tokens).to_owned();
    assert!(third != second && deployment.is_token_valid(&third).await);
    assert_eq!(deployment.wechat.stats().forced_refreshes, 1);

    // One service is killed; the other takes over once the lease has expired.
    one.program.kill();
    deployment.wechat.kill_tokens(None, TokenInvalidation::Replaced);
    let tokens = deployment.fetch_concurrently(&[&two], 8, Some(&third)).await;
    let fourth = assert_all_equal(&tokens).to_owned();
    assert!(deployment.is_token_valid(&fourth).await);
    one.program.restart();
    assert_eq!(
        assert_all_equal(&deployment.fetch_concurrently(&[&one, &two], 8, None).await),
        fourth
    );

    // The secret is changed in WeChat's console: every token is invalidated, and the old secret
    // gets none.
    deployment.wechat.set_secret(None, "a-new-secret-of-the-account");
    deployment.wechat.kill_tokens(None, TokenInvalidation::Replaced);
    let refused = deployment
        .http
        .post(format!("{}/token/shop/refused", two.url))
        .bearer_auth(TOKEN_SERVER_KEY);
    let refused = refused.body(json!({ "access_token": fourth }).to_string());
    let (status, problem) = send_json(refused).await;
    assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("no_token")));
    wait_until("the alarm is raised", WAIT_TIMEOUT, async || {
        let metrics = deployment.metrics(&one).await + &deployment.metrics(&two).await;
        metrics.contains("paihao_token_alarm{account=\"shop\",reason=\"wrong_secret\"} 1")
    })
    .await;
    let logs = one.program.output() + &two.program.output();
    assert!(logs.contains("invalid appsecret, view more at"), "WeChat's message:\n{logs}");
    assert!(logs.contains("correct the AppSecret"), "the advice:\n{logs}");

    // The new secret is written to its file. One service reloads by itself, the other on SIGHUP.
    for service in [&one, &two] {
        let file = service.program.folder().join("secret");
        std::fs::write(file, "a-new-secret-of-the-account\n").expect("the secret can be written");
    }
    send_sighup(&two);
    let tokens = deployment.fetch_concurrently(&[&one, &two], 16, Some(&fourth)).await;
    let fifth = assert_all_equal(&tokens).to_owned();
    assert!(deployment.is_token_valid(&fifth).await);
    wait_until("the alarm is over", WAIT_TIMEOUT, async || {
        let metrics = deployment.metrics(&one).await + &deployment.metrics(&two).await;
        !metrics.contains("reason=\"wrong_secret\"} 1")
    })
    .await;

    // This machine's address is removed from the allow list: the alarm names it.
    deployment.wechat.change_behaviour(|behaviour| behaviour.address_listed = false);
    let refused = deployment
        .http
        .post(format!("{}/token/shop/refused", one.url))
        .bearer_auth(TOKEN_SERVER_KEY);
    let refused = refused.body(json!({ "access_token": fifth }).to_string());
    assert_eq!(send_json(refused).await.0, StatusCode::SERVICE_UNAVAILABLE);
    wait_until("the address is named", WAIT_TIMEOUT, async || {
        let logs = one.program.output() + &two.program.output();
        logs.contains("invalid ip 203.0.113.7") && logs.contains("add the address WeChat names")
    })
    .await;
    let metrics = deployment.metrics(&one).await + &deployment.metrics(&two).await;
    for metric in [
        "paihao_token_alarm{account=\"shop\",reason=\"address_not_listed\"} 1",
        "paihao_token_age_seconds{account=\"shop\"}",
        "paihao_token_left_seconds{account=\"shop\"}",
        "paihao_token_expires_at_seconds{account=\"shop\"}",
        "paihao_token_fetches_total{account=\"shop\",mode=\"stable\",outcome=\"ok\"}",
        "paihao_tokens_refused_total{account=\"shop\"}",
        "paihao_token_server_requests_total{key=\"crm\",outcome=\"admitted\"}",
    ] {
        assert!(metrics.contains(metric), "{metric} is not among the metrics:\n{metrics}");
    }

    let logs = one.program.output() + &two.program.output();
    for secret in [&first, &second, &third, &fourth, &fifth, "a-new-secret", TOKEN_SERVER_KEY] {
        assert!(!logs.contains(secret), "a secret is in the logs");
    }
    assert!(one.program.is_running(), "SIGHUP ends nothing");
    deployment.wechat.stop().await;
}
