//! Callers within limits, against a host that is away, comes back, and loses patience.

#![allow(clippy::disallowed_methods, reason = "it plays WeChat, with a task of its own")]

use axum::Router;
use axum::extract::State;
use paihao_wechat::traffic::{Gates, Limit, Limits, Reason};
use paihao_wechat::{
    AccessToken, Api, AppId, Caller, CallerError, Client, ClientOptions, Endpoints, Meaning,
    QrRequest, TokenSource, TokenUnavailable, Value,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const CODE: &str = r#"{"ticket":"t","expire_seconds":600,"url":"http:\/\/q"}"#;

/// A host that gives one answer for ever, and counts.
#[derive(Clone, Default)]
struct Host {
    answer: Arc<Mutex<String>>,
    calls: Arc<AtomicUsize>,
}

impl Host {
    async fn listen(&self, at: SocketAddr) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind(at).await.unwrap();
        let at = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(self.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (at, serving)
    }

    fn says(&self, text: &str) {
        *self.answer.lock().unwrap() = text.to_owned();
    }

    fn calls(&self) -> usize {
        self.calls.swap(0, Ordering::SeqCst)
    }
}

async fn answer(State(host): State<Host>) -> String {
    host.calls.fetch_add(1, Ordering::SeqCst);
    host.answer.lock().unwrap().clone()
}

fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

struct OneToken;

#[async_trait::async_trait]
impl TokenSource for OneToken {
    async fn current(&self, _: &str) -> Result<AccessToken, TokenUnavailable> {
        Ok(AccessToken::new("1_token"))
    }
    async fn refused(&self, _: &str, _: &AccessToken) -> Result<AccessToken, TokenUnavailable> {
        Err(TokenUnavailable("none left".into()))
    }
}

fn client(at: SocketAddr, fallback: Option<SocketAddr>) -> Client {
    let url = |at: SocketAddr| format!("http://{at}/").parse::<url::Url>().unwrap();
    Client::new(ClientOptions {
        endpoints: Endpoints { api: url(at), mp: url(at) },
        fallbacks: fallback.into_iter().map(url).collect(),
        look_back: Duration::from_millis(1),
        // Otherwise a kept connection hides that nobody listens any more.
        max_idle_per_host: 0,
        ..ClientOptions::default()
    })
    .unwrap()
}

fn caller(at: SocketAddr, limits: Limits) -> (Caller, Arc<Gates>) {
    let gates = Gates::new(limits, Arc::new(|| 1_795_320_000_000));
    (Caller::new(client(at, None), Arc::new(OneToken)).within(gates.clone()), gates)
}

fn only(limit: Limit) -> Limits {
    Limits { apis: BTreeMap::from([(Api::CreateQr, limit)]), ..Limits::default() }
}

async fn create(caller: &Caller, account: &str) -> Result<(), CallerError> {
    caller.create_qr(account, &QrRequest::permanent_str("q")).await.map(drop)
}

fn reason(answer: Result<(), CallerError>) -> Option<Reason> {
    match answer {
        Err(CallerError::Busy(busy)) => Some(busy.reason),
        Ok(()) => None,
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_is_passed_over_until_it_is_back() {
    let (first, second) = (Host::default(), Host::default());
    first.says(CODE);
    second.says(CODE);
    let (at, serving) = first.listen(anywhere()).await;
    let (other, _) = second.listen(anywhere()).await;
    let caller = Caller::new(client(at, Some(other)), Arc::new(OneToken));
    create(&caller, "hall").await.unwrap();
    assert_eq!((first.calls(), second.calls()), (1, 0));

    serving.abort();
    let _ = serving.await;
    for _ in 0..5 {
        create(&caller, "hall").await.unwrap();
    }
    assert_eq!((first.calls(), second.calls()), (0, 5), "every call was made, and once");

    let _serving = first.listen(at).await;
    let back = async {
        while first.calls() == 0 {
            create(&caller, "hall").await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), back).await.expect("it is looked at again");
    second.calls();
    create(&caller, "hall").await.unwrap();
    assert_eq!((first.calls(), second.calls()), (1, 0), "and kept to");
}

#[tokio::test]
async fn an_answer_from_a_host_is_an_answer_however_bad() {
    let (first, second) = (Host::default(), Host::default());
    first.says("<html>");
    let (at, _) = first.listen(anywhere()).await;
    let (other, _) = second.listen(anywhere()).await;
    let caller = Caller::new(client(at, Some(other)), Arc::new(OneToken));
    assert!(create(&caller, "hall").await.unwrap_err().may_have_happened());
    assert_eq!((first.calls(), second.calls()), (1, 0), "never sent twice");
}

#[tokio::test]
async fn wechats_word_is_obeyed_by_one_account_and_lifted_by_a_clearing() {
    let host = Host::default();
    let (at, _) = host.listen(anywhere()).await;
    let (caller, gates) = caller(at, Limits::default());
    host.says(r#"{"errcode":45009,"errmsg":"reach max api daily quota limit rid: 1"}"#);
    let refused = create(&caller, "one").await.unwrap_err();
    assert!(matches!(refused, CallerError::Call(_)), "{refused}");
    host.says(CODE);
    host.calls();
    let held = create(&caller, "one").await.unwrap_err();
    let Meaning::Later(Some(wait)) = held.meaning() else { panic!("{held}") };
    assert!(wait > Duration::from_secs(60) && !held.may_have_happened());
    assert_eq!(reason(Err(held)), Some(Reason::DailyQuota));
    assert_eq!(host.calls(), 0, "not called");
    assert!(gates.standing("one", Api::CreateQr).stopped);
    create(&caller, "two").await.unwrap();

    host.says(r#"{"errcode":0,"errmsg":"ok"}"#);
    caller.clear_quota("one", &AppId("wx1".into())).await.unwrap();
    host.says(CODE);
    create(&caller, "one").await.unwrap();
}

#[tokio::test]
async fn what_is_worth_more_goes_on_when_the_budget_runs_low() {
    let host = Host::default();
    let (at, _) = host.listen(anywhere()).await;
    host.says(CODE);
    let (caller, _) =
        caller(at, only(Limit { in_flight: 0, per_second: 0, per_day: 10, reserve_percent: None }));
    let mut made = Vec::new();
    for value in [Value::Low, Value::Normal, Value::High] {
        let caller = caller.worth(value);
        while create(&caller, "hall").await.is_ok() {}
        made.push(host.calls());
    }
    assert_eq!(made, [8, 1, 1]);
}

#[tokio::test]
async fn wechats_own_figures_replace_ours() {
    let host = Host::default();
    let (at, _) = host.listen(anywhere()).await;
    let (caller, gates) = caller(at, Limits::default());
    host.says(r#"{"errcode":0,"quota":{"daily_limit":1000,"used":950,"remain":50}}"#);
    caller.get_quota("hall", Api::CreateQr).await.unwrap();
    assert_eq!(gates.standing("hall", Api::CreateQr).used_today, 950);
    host.says(CODE);
    assert_eq!(reason(create(&caller, "hall").await), Some(Reason::Budget));
    create(&caller.worth(Value::High), "hall").await.unwrap();
}

#[tokio::test]
async fn a_wechat_that_cannot_be_reached_is_left_alone_for_a_while() {
    let nowhere = {
        let listener = TcpListener::bind(anywhere()).await.unwrap();
        listener.local_addr().unwrap()
    };
    let (caller, _) = caller(nowhere, Limits::default());
    for _ in 0..10 {
        assert!(matches!(create(&caller, "hall").await, Err(CallerError::Call(_))));
    }
    assert_eq!(reason(create(&caller, "hall").await), Some(Reason::Circuit));
    assert!(matches!(create(&caller, "other").await, Err(CallerError::Call(_))));
}
