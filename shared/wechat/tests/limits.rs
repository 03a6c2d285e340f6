//! Tests of the limits against a host that is down, comes back, and throttles.

#![expect(clippy::disallowed_methods, reason = "it plays WeChat, with a task of its own")]

use axum::Router;
use axum::extract::State;
use paihao_wechat::traffic::{CallLimiter, Limit, Limits, ThrottleReason};
use paihao_wechat::{
    AccessToken, AccountClient, AccountClientError, Api, AppId, CallPriority, Client,
    ClientOptions, Endpoints, FailureClass, QrRequest, TokenSource, TokenUnavailable,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const CREATE_QR_RESPONSE: &str = r#"{"ticket":"t","expire_seconds":600,"url":"http:\/\/q"}"#;

/// A host that repeats one answer and counts the calls.
#[derive(Clone, Default)]
struct FakeHost {
    answer: Arc<Mutex<String>>,
    calls: Arc<AtomicUsize>,
}

impl FakeHost {
    async fn listen(&self, at: SocketAddr) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind(at).await.unwrap();
        let at = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(self.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (at, serving)
    }

    fn respond_with(&self, text: &str) {
        *self.answer.lock().unwrap() = text.to_owned();
    }

    fn call_count(&self) -> usize {
        self.calls.swap(0, Ordering::SeqCst)
    }
}

async fn answer(State(host): State<FakeHost>) -> String {
    host.calls.fetch_add(1, Ordering::SeqCst);
    host.answer.lock().unwrap().clone()
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

struct FixedToken;

#[async_trait::async_trait]
impl TokenSource for FixedToken {
    async fn current(&self, _: &str) -> Result<AccessToken, TokenUnavailable> {
        Ok(AccessToken::new("1_token"))
    }
    async fn replace_refused(
        &self,
        _: &str,
        _: &AccessToken,
    ) -> Result<AccessToken, TokenUnavailable> {
        Err(TokenUnavailable("none left".into()))
    }
}

fn client(at: SocketAddr, fallback: Option<SocketAddr>) -> Client {
    let url = |at: SocketAddr| format!("http://{at}/").parse::<url::Url>().unwrap();
    Client::new(ClientOptions {
        endpoints: Endpoints { api: url(at), mp: url(at) },
        fallbacks: fallback.into_iter().map(url).collect(),
        failback_interval: Duration::from_millis(1),
        // Otherwise a kept connection hides that the server is gone.
        max_idle_per_host: 0,
        ..ClientOptions::default()
    })
    .unwrap()
}

fn limited_client(at: SocketAddr, limits: Limits) -> (AccountClient, Arc<CallLimiter>) {
    let limiter = CallLimiter::new(limits, Arc::new(|| 1_795_320_000_000));
    (
        AccountClient::new(client(at, None), Arc::new(FixedToken)).with_limiter(limiter.clone()),
        limiter,
    )
}

fn single_limit(limit: Limit) -> Limits {
    Limits { apis: BTreeMap::from([(Api::CreateQr, limit)]), ..Limits::default() }
}

async fn create_qr(caller: &AccountClient, account: &str) -> Result<(), AccountClientError> {
    caller.create_qr(account, &QrRequest::permanent_str("q")).await.map(drop)
}

fn throttle_reason(answer: Result<(), AccountClientError>) -> Option<ThrottleReason> {
    match answer {
        Err(AccountClientError::Throttled(busy)) => Some(busy.reason),
        Ok(()) => None,
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_is_passed_over_until_it_is_back() {
    let first = FakeHost::default();
    let second = FakeHost::default();
    first.respond_with(CREATE_QR_RESPONSE);
    second.respond_with(CREATE_QR_RESPONSE);
    let (at, serving) = first.listen(any_port()).await;
    let (other, _) = second.listen(any_port()).await;
    let caller = AccountClient::new(client(at, Some(other)), Arc::new(FixedToken));
    create_qr(&caller, "hall").await.unwrap();
    assert_eq!((first.call_count(), second.call_count()), (1, 0));

    serving.abort();
    let _ = serving.await;
    for _ in 0..5 {
        create_qr(&caller, "hall").await.unwrap();
    }
    assert_eq!((first.call_count(), second.call_count()), (0, 5), "every call was made, and once");

    let _serving = first.listen(at).await;
    let back = async {
        while first.call_count() == 0 {
            create_qr(&caller, "hall").await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), back).await.expect("it is looked at again");
    second.call_count();
    create_qr(&caller, "hall").await.unwrap();
    assert_eq!((first.call_count(), second.call_count()), (1, 0), "and kept to");
}

#[tokio::test]
async fn an_answer_from_a_host_is_an_answer_however_bad() {
    let first = FakeHost::default();
    let second = FakeHost::default();
    first.respond_with("<html>");
    let (at, _) = first.listen(any_port()).await;
    let (other, _) = second.listen(any_port()).await;
    let caller = AccountClient::new(client(at, Some(other)), Arc::new(FixedToken));
    assert!(create_qr(&caller, "hall").await.unwrap_err().may_have_happened());
    assert_eq!((first.call_count(), second.call_count()), (1, 0), "never sent twice");
}

#[tokio::test]
async fn an_exhausted_quota_throttles_one_account_until_a_reset() {
    let host = FakeHost::default();
    let (at, _) = host.listen(any_port()).await;
    let (caller, limiter) = limited_client(at, Limits::default());
    host.respond_with(r#"{"errcode":45009,"errmsg":"reach max api daily quota limit rid: 1"}"#);
    let refused = create_qr(&caller, "one").await.unwrap_err();
    assert!(matches!(refused, AccountClientError::Call(_)), "{refused}");
    host.respond_with(CREATE_QR_RESPONSE);
    host.call_count();
    let error = create_qr(&caller, "one").await.unwrap_err();
    let FailureClass::RetryLater(Some(wait)) = error.class() else { panic!("{error}") };
    assert!(wait > Duration::from_secs(60) && !error.may_have_happened());
    assert_eq!(throttle_reason(Err(error)), Some(ThrottleReason::DailyQuota));
    assert_eq!(host.call_count(), 0, "not called");
    assert!(limiter.usage("one", Api::CreateQr).quota_exhausted);
    create_qr(&caller, "two").await.unwrap();

    host.respond_with(r#"{"errcode":0,"errmsg":"ok"}"#);
    caller.clear_quota("one", &AppId("wx1".into())).await.unwrap();
    host.respond_with(CREATE_QR_RESPONSE);
    create_qr(&caller, "one").await.unwrap();
}

#[tokio::test]
async fn high_priority_calls_continue_when_the_budget_runs_low() {
    let host = FakeHost::default();
    let (at, _) = host.listen(any_port()).await;
    host.respond_with(CREATE_QR_RESPONSE);
    let (caller, _) = limited_client(
        at,
        single_limit(Limit { in_flight: 0, per_second: 0, per_day: 10, reserve_percent: None }),
    );
    let mut calls = Vec::new();
    for value in [CallPriority::Low, CallPriority::Normal, CallPriority::High] {
        let caller = caller.with_priority(value);
        while create_qr(&caller, "hall").await.is_ok() {}
        calls.push(host.call_count());
    }
    assert_eq!(calls, [8, 1, 1]);
}

#[tokio::test]
async fn wechats_own_figures_replace_ours() {
    let host = FakeHost::default();
    let (at, _) = host.listen(any_port()).await;
    let (caller, limiter) = limited_client(at, Limits::default());
    host.respond_with(r#"{"errcode":0,"quota":{"daily_limit":1000,"used":950,"remain":50}}"#);
    caller.get_quota("hall", Api::CreateQr).await.unwrap();
    assert_eq!(limiter.usage("hall", Api::CreateQr).used_today, 950);
    host.respond_with(CREATE_QR_RESPONSE);
    assert_eq!(throttle_reason(create_qr(&caller, "hall").await), Some(ThrottleReason::Budget));
    create_qr(&caller.with_priority(CallPriority::High), "hall").await.unwrap();
}

#[tokio::test]
async fn an_unreachable_wechat_is_not_called_for_a_while() {
    let nowhere = {
        let listener = TcpListener::bind(any_port()).await.unwrap();
        listener.local_addr().unwrap()
    };
    let (caller, _) = limited_client(nowhere, Limits::default());
    for _ in 0..10 {
        assert!(matches!(create_qr(&caller, "hall").await, Err(AccountClientError::Call(_))));
    }
    assert_eq!(throttle_reason(create_qr(&caller, "hall").await), Some(ThrottleReason::Circuit));
    assert!(matches!(create_qr(&caller, "other").await, Err(AccountClientError::Call(_))));
}
