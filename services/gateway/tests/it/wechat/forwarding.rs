//! Tests of forwarding, with a server of another system behind the gateway.

use crate::support::cluster::Cluster;
use crate::support::gateway::Gateway;
use crate::support::wechat::{TOKEN, event_elements, plain_protection, push_body, signed_query};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use paihao_contracts::settings::{AccountSetup, CustomerServiceSetup, ForwardSetup, PushClass};
use paihao_wechat::CallbackToken;
use paihao_wechat::callback::{AesKey, Mode, Protection, encrypt, msg_signature};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::Instant;

/// Push as the other system received it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Received {
    query: String,
    content_type: Option<String>,
    body: Bytes,
}

/// Behaviour of the other system.
#[derive(Debug, Clone)]
enum Behaviour {
    Answer(Bytes),
    Status(StatusCode),
    Silent,
}

/// Another system of the owner's.
#[derive(Clone)]
struct OtherSystem {
    url: String,
    received: Arc<Mutex<Vec<Received>>>,
    behaviour: Arc<Mutex<Behaviour>>,
}

impl OtherSystem {
    async fn start(cluster: &Cluster, answer: &str) -> OtherSystem {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/wx?key=s3cret", listener.local_addr().unwrap());
        let behaviour = Behaviour::Answer(Bytes::copy_from_slice(answer.as_bytes()));
        let system = OtherSystem {
            url,
            received: Arc::default(),
            behaviour: Arc::new(Mutex::new(behaviour)),
        };
        let routes = Router::new().route("/wx", post(receive)).with_state(system.clone());
        cluster.tasks.spawn("other", async move { axum::serve(listener, routes).await.unwrap() });
        system
    }

    fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock() = behaviour;
    }

    fn count(&self) -> usize {
        self.received.lock().len()
    }

    fn target(&self, name: &str, pushes: &[PushClass]) -> ForwardSetup {
        let (name, url) = (name.to_owned(), self.url.clone());
        ForwardSetup { name, url, pushes: pushes.to_vec(), begins: Vec::new() }
    }
}

async fn receive(
    State(system): State<OtherSystem>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let content_type = headers.get("content-type").map(|value| value.to_str().unwrap().to_owned());
    let query = query.unwrap_or_default();
    system.received.lock().push(Received { query, content_type, body });
    let behaviour = system.behaviour.lock().clone();
    match behaviour {
        Behaviour::Answer(answer) => {
            ([("content-type", "application/x-odd")], Body::from(answer)).into_response()
        }
        Behaviour::Status(status) => (status, "<xml></xml>").into_response(),
        Behaviour::Silent => std::future::pending().await,
    }
}

async fn gateway(cluster: &Cluster, forward: Vec<ForwardSetup>) -> Gateway {
    let account = AccountSetup {
        forward,
        greeting: Some("你好".to_owned()),
        customer_service: Some(CustomerServiceSetup { kf_account: None }),
        ..AccountSetup::default()
    };
    cluster.start(cluster.setup_with_account(account)).await
}

const TEXT: &str = "<MsgType>text</MsgType><Content>]]>&amp;  几点</Content><MsgId>1</MsgId>";
const ANSWER: &str = "\u{feff}<xml>\n <Any>\u{1}of theirs</Any>\r\n</xml>\n";

/// A push of each class, and whether it is also of interest to this system.
const PUSHES: [(&str, PushClass); 8] = [
    ("<MsgType>text</MsgType><Content>crm_几点</Content><MsgId>1</MsgId>", PushClass::Texts),
    ("<MsgType>image</MsgType><MediaId>m</MediaId><MsgId>2</MsgId>", PushClass::Messages),
    (
        "<MsgType>voice</MsgType><Recognition>你好</Recognition><MsgId>3</MsgId>",
        PushClass::Messages,
    ),
    ("<MsgType>event</MsgType><Event>SCAN</Event><EventKey>crm_1</EventKey>", PushClass::Scenes),
    (
        "<MsgType>event</MsgType><Event>subscribe</Event><EventKey>qrscene_crm_1</EventKey>",
        PushClass::Scenes,
    ),
    ("<MsgType>event</MsgType><Event>CLICK</Event><EventKey>crm_1</EventKey>", PushClass::Keys),
    ("<MsgType>event</MsgType><Event>VIEW</Event><EventKey>http://a</EventKey>", PushClass::Events),
    ("<MsgType>event</MsgType><Event>subscribe</Event><EventKey></EventKey>", PushClass::Events),
];

const CLASSES: [PushClass; 6] = [
    PushClass::Scenes,
    PushClass::Keys,
    PushClass::Texts,
    PushClass::Messages,
    PushClass::Events,
    PushClass::Everything,
];

#[tokio::test]
async fn a_push_and_its_reply_are_passed_on_byte_for_byte() {
    let cluster = Cluster::new();
    let other = OtherSystem::start(&cluster, ANSWER).await;
    let gateway = gateway(&cluster, vec![other.target("crm", &[PushClass::Texts])]).await;
    let query = format!("{}&openid=oAnn&odd=%2B+%e4%bd%a0", signed_query());
    let body = push_body("oAnn", TEXT);
    let response = gateway
        .http
        .post(format!("{}/wechat/shop?{query}", gateway.url))
        .header("content-type", "text/xml; odd")
        .body(body.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/x-odd");
    assert_eq!(response.bytes().await.unwrap(), ANSWER.as_bytes());
    let received = other.received.lock()[0].clone();
    assert_eq!(received.query, format!("key=s3cret&{query}"));
    assert_eq!(received.content_type.as_deref(), Some("text/xml; odd"));
    assert_eq!(received.body, body.as_bytes());
}

#[tokio::test]
async fn a_sealed_push_is_passed_on_as_it_is() {
    let key = AesKey::parse("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap();
    for mode in [Mode::Compatible, Mode::Secure] {
        let cluster = Cluster::new();
        let protection = Protection { mode, aes_key: Some(key.clone()), ..plain_protection() };
        let other = OtherSystem::start(&cluster, ANSWER).await;
        let account = AccountSetup {
            forward: vec![other.target("crm", &[PushClass::Texts])],
            ..AccountSetup::default()
        };
        let setup = cluster.setup_with_protected_account(account, protection.clone());
        let gateway = cluster.start(setup).await;
        let push = push_body("oAnn", TEXT);
        let sealed = encrypt(&key, &protection.app, [7; 16], push.as_bytes());
        let at = (crate::support::engine::MORNING_MS / 1000).to_string();
        let signed = msg_signature(&CallbackToken::new(TOKEN), &at, "n", &sealed);
        let query = format!("{}&encrypt_type=aes&msg_signature={signed}", signed_query());
        let body = format!("<xml><ToUserName>gh</ToUserName><Encrypt>{sealed}</Encrypt></xml>");
        let request = gateway.http.post(format!("{}/wechat/shop?{query}", gateway.url));
        let reply = request.body(body.clone()).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(reply, ANSWER.as_bytes(), "sealed by whoever replies");
        let received = other.received.lock()[0].clone();
        assert_eq!((received.query, received.body), (format!("key=s3cret&{query}"), body.into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_class_of_push_goes_where_the_rule_says() {
    let own = [
        "<MsgType>text</MsgType><Content>进度</Content><MsgId>1</MsgId>".to_owned(),
        event_elements("SCAN", "q_hall_a", "own"),
    ];
    for class in CLASSES {
        let cluster = Cluster::new();
        let other = OtherSystem::start(&cluster, ANSWER).await;
        let gateway = gateway(&cluster, vec![other.target("crm", &[class])]).await;
        for (push, of_class) in PUSHES {
            let reply = gateway.push("oAnn", push).await.1;
            let is_taken = class == of_class || class == PushClass::Everything;
            assert_eq!(reply == ANSWER, is_taken, "{class:?}: {push}: {reply}");
            if !is_taken && push.contains("subscribe") {
                assert!(reply.contains("你好"), "{reply}");
            }
        }
        let before = other.count();
        for push in &own {
            let reply = gateway.push("oAnn", push).await.1;
            assert!(reply.contains("A001") || reply.contains("hold no number"), "{reply}");
        }
        assert_eq!(other.count(), before, "what is ours stays here");
        // Events that both need: theirs is a copy.
        let follow = event_elements("subscribe", "qrscene_q_hall_a", "both");
        let reply = gateway.push("oBen", &follow).await.1;
        assert!(reply.contains("取号成功"), "{reply}");
        assert_eq!(gateway.push_unsubscribe("oBen").await, StatusCode::OK);
        let is_copied = matches!(class, PushClass::Events | PushClass::Everything);
        assert_eq!(other.count() - before, if is_copied { 2 } else { 0 }, "{class:?}");
    }
}

#[tokio::test]
async fn the_first_target_whose_rule_fits_gets_a_push_and_each_repeat_of_it() {
    let cluster = Cluster::new();
    let [crm, rest] =
        [OtherSystem::start(&cluster, ANSWER).await, OtherSystem::start(&cluster, "").await];
    let mut first = crm.target("crm", &[PushClass::Scenes, PushClass::Texts, PushClass::Keys]);
    first.begins = vec!["crm_".to_owned(), "表".to_owned()];
    let gateway =
        gateway(&cluster, vec![first, rest.target("rest", &[PushClass::Everything])]).await;
    let text = |text| format!("<MsgType>text</MsgType><Content>{text}</Content><MsgId>7</MsgId>");
    for (push, is_first) in [
        (text("crm_1"), true),
        (text("表扬"), true),
        (text("代表"), false),
        (event_elements("SCAN", "crm_9", "1"), true),
        (event_elements("SCAN", "shop_9", "1"), false),
        (event_elements("CLICK", "crm_9", "1"), true),
        (event_elements("LOCATION", "", "1"), false),
    ] {
        for _repeat in 0..3 {
            let before = (crm.count(), rest.count());
            gateway.push("oAnn", &push).await;
            let counts = (crm.count() - before.0, rest.count() - before.1);
            assert_eq!(counts, if is_first { (1, 0) } else { (0, 1) }, "{push}");
        }
    }
}

#[tokio::test]
async fn a_new_follower_is_greeted_by_one_of_the_two() {
    for (answer, greeted_here) in [(ANSWER, false), ("", true), ("success", true)] {
        let cluster = Cluster::new();
        let other = OtherSystem::start(&cluster, answer).await;
        let gateway = gateway(&cluster, vec![other.target("crm", &[PushClass::Everything])]).await;
        for key in ["", "qrscene_123"] {
            let reply = gateway.push("oAnn", &event_elements("subscribe", key, "")).await.1;
            assert_eq!(reply.contains("你好"), greeted_here, "{answer:?} {key:?}: {reply}");
        }
        // Silence about a text is their answer, and not handed on.
        let silent = gateway.push_text("oAnn", "你好", 1).await;
        assert_eq!(silent, answer, "{answer:?}");
    }
}

#[tokio::test]
async fn a_system_that_fails_is_left_alone_and_the_person_gets_the_next_best_answer() {
    let failures = [
        Behaviour::Status(StatusCode::INTERNAL_SERVER_ERROR),
        Behaviour::Status(StatusCode::FOUND),
        Behaviour::Answer(Bytes::from_static(b"<html>oops</html>")),
        Behaviour::Answer(Bytes::from(vec![b' '; (256 << 10) + 1])),
    ];
    for failure in failures {
        let cluster = Cluster::new();
        let other = OtherSystem::start(&cluster, ANSWER).await;
        let gateway = gateway(&cluster, vec![other.target("crm", &[PushClass::Everything])]).await;
        assert_eq!(gateway.push_text("oAnn", "你好", 1).await, ANSWER);
        other.behave(failure.clone());
        for id in 2..12 {
            let reply = gateway.push_text("oAnn", "你好", id).await;
            assert!(reply.contains("transfer_customer_service"), "{reply}");
        }
        assert_eq!(other.count(), 6, "five failures in a row open the circuit");
        let follow = gateway.push("oAnn", &event_elements("subscribe", "", "")).await.1;
        assert!(follow.contains("你好"), "{follow}");
    }
}

#[tokio::test]
async fn a_circuit_closes_again_when_the_system_is_back() {
    let cluster = Cluster::new();
    let other = OtherSystem::start(&cluster, ANSWER).await;
    let gateway = gateway(&cluster, vec![other.target("crm", &[PushClass::Everything])]).await;
    other.behave(Behaviour::Status(StatusCode::BAD_GATEWAY));
    for id in 1..8 {
        gateway.push_text("oAnn", "你好", id).await;
    }
    other.behave(Behaviour::Answer(Bytes::from_static(ANSWER.as_bytes())));
    let mut id = 100;
    crate::support::wait_until("the circuit is closed", async || {
        id += 1;
        gateway.push_text("oAnn", "你好", id).await == ANSWER
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_or_silent_system_leaves_time_for_an_answer() {
    let cluster = Cluster::new();
    let silent = OtherSystem::start(&cluster, ANSWER).await;
    silent.behave(Behaviour::Silent);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    for url in [silent.url.clone(), dead, "http://192.168.7.7/".to_owned()] {
        let mut target = silent.target("crm", &[PushClass::Everything]);
        target.url = url.clone();
        let gateway = gateway(&cluster, vec![target]).await;
        let begin = Instant::now();
        let reply = gateway.push_text("oAnn", "你好", 1).await;
        assert!(reply.contains("transfer_customer_service"), "{url}: {reply}");
        assert!(begin.elapsed() < Duration::from_secs(5), "{url}: WeChat waits for five seconds");
        let reply = gateway.push_text("oAnn", "进度", 2).await;
        assert!(reply.contains("hold no number"), "{reply}");
    }
}

#[tokio::test]
async fn a_push_that_was_forwarded_goes_no_further() {
    let cluster = Cluster::new();
    let other = OtherSystem::start(&cluster, ANSWER).await;
    let gateway = gateway(&cluster, vec![other.target("crm", &[PushClass::Everything])]).await;
    let url = format!("{}/wechat/shop?{}", gateway.url, signed_query());
    let request = gateway.http.post(url).header("paihao-forwarded", "1");
    let reply = request.body(push_body("oAnn", TEXT)).send().await.unwrap();
    assert!(reply.text().await.unwrap().contains("transfer_customer_service"));
    assert_eq!(other.count(), 0);
}
