//! Test of clients that are told whose login is over, and of what is in the audit log then.

use crate::support::cluster::Cluster;
use crate::support::gateway::{Gateway, MANAGER_KEY, OWNER_KEY, read_json};
use crate::support::wait_until;
use axum::Router;
use axum::http::StatusCode as Status;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use paihao_contracts::staff::{Member, StaffEntry, StaffEvent, StaffRole};
use paihao_contracts::streams::STAFF;
use paihao_gateway::identity::login::settings::{Confirmation, OAuthClient};
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use parking_lot::Mutex;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::net::TcpListener;

/// Tokens that a client has received. It refuses the first one.
#[derive(Clone, Default)]
struct Received(Arc<Mutex<Vec<String>>>);

impl Received {
    async fn serve(&self, cluster: &Cluster) -> String {
        let received = self.clone();
        let router = Router::new().route(
            "/logout",
            post(async move |body: String| {
                let token = body.strip_prefix("logout_token=").unwrap().to_owned();
                let mut tokens = received.0.lock();
                tokens.push(token);
                if tokens.len() == 1 { Status::BAD_GATEWAY } else { Status::OK }
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/logout", listener.local_addr().unwrap());
        cluster.tasks.spawn("client", async move {
            let _ = axum::serve(listener, router).await;
        });
        url
    }
}

async fn join(cluster: &Cluster, gateway: &Gateway, id: &str, site: &str) {
    let member = Member {
        id: id.to_owned(),
        name: format!("=1+{id}"),
        role: StaffRole::Manager,
        sites: Some([site.to_owned()].into()),
        counters: [].into(),
    };
    let event = StaffEvent::Joined { member, person: id.to_owned(), invitation: id.to_owned() };
    let entry = Entry::new(StaffEntry::new(1_795_000_000_000, "first", event).encode());
    let subject = Subject::new(&["staff"]).unwrap();
    cluster.ledger.append(&STAFF, &subject, ExpectedPosition::Any, entry).await.unwrap();
    wait_until("the member is known", async || {
        let (_, listed) = owner(gateway, Method::GET, "/staff", Value::Null).await;
        listed["members"].to_string().contains(id)
    })
    .await;
}

async fn owner(gateway: &Gateway, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let request = gateway.http.request(method, gateway.api(path)).bearer_auth(OWNER_KEY);
    let response = request.body(body.to_string()).send().await.unwrap();
    match response.status() {
        StatusCode::NO_CONTENT => (StatusCode::NO_CONTENT, Value::Null),
        _ => read_json(response).await,
    }
}

/// Verifies a token with the published keys. Returns its header and its claims.
async fn verified(gateway: &Gateway, token: &str) -> (Value, Value) {
    let (_, keys) = read_json(gateway.get_page("/.well-known/jwks.json").await).await;
    let (text, signature) = token.rsplit_once('.').unwrap();
    let part = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let mut parts =
        text.split('.').map(|text| serde_json::from_slice::<Value>(&part(text)).unwrap());
    let (header, claims) = (parts.next().unwrap(), parts.next().unwrap());
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]);
    let half = |name: &str| part(key.expect("published")[name].as_str().unwrap());
    let point = [vec![4], half("x"), half("y")].concat();
    let key =
        ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_FIXED, point);
    key.verify(text.as_bytes(), &part(signature)).expect("signed with it");
    (header, claims)
}

#[tokio::test]
async fn a_client_is_told_when_a_member_is_out_or_less_than_before_and_the_log_says_who_did_it() {
    let cluster = Cluster::new();
    let received = Received::default();
    let client = OAuthClient {
        name: "值班表".into(),
        redirect_uris: vec!["https://duty.example.com/back".into()],
        account: "shop".into(),
        confirm: Confirmation::Digits,
        staff_only: true,
        roles: Vec::new(),
        sites: [].into(),
        logout_url: Some(received.serve(&cluster).await.parse().unwrap()),
        unionid: false,
    };
    let mut setup = cluster.hall_setup();
    setup.settings.login.public_url = Some("https://queue.example".to_owned());
    setup.settings.login.clients = [("duty".to_owned(), client)].into();
    let gateway = cluster.start(setup).await;
    join(&cluster, &gateway, "m_ann", "hall").await;
    join(&cluster, &gateway, "m_ben", "elsewhere").await;
    let tokens = || received.0.lock().clone();

    // A new name ends no login; other rights do, and so does the end of the membership. A client
    // that does not answer is asked again.
    owner(&gateway, Method::PATCH, "/staff/m_ann", json!({"name": "安"})).await;
    let demoted = json!({"role": "staff", "counters": ["1"]});
    let (status, changed) = owner(&gateway, Method::PATCH, "/staff/m_ann", demoted).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    wait_until("the client is told", async || tokens().len() == 2).await;
    let (header, claims) = verified(&gateway, &tokens()[1]).await;
    assert_eq!(header["typ"], "logout+jwt");
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("https://queue.example"), &json!("duty")));
    let logout = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    assert_eq!((&claims["events"], &claims["nonce"]), (&logout, &Value::Null));
    assert!(claims["jti"].is_string() && !claims.to_string().contains("m_ann"), "{claims}");
    assert_eq!(verified(&gateway, &tokens()[0]).await.1["sub"], claims["sub"]);
    owner(&gateway, Method::DELETE, "/staff/m_ben", Value::Null).await;
    wait_until("the client is told", async || tokens().len() == 3).await;
    let (_, of_other) = verified(&gateway, &tokens()[2]).await;
    assert_ne!(of_other["sub"], claims["sub"]);

    // The log has who, when and from where, for those whose sites it concerns.
    let read = async |key: &str, query: &str| {
        let request = gateway.http.get(gateway.api(&format!("/audit{query}"))).bearer_auth(key);
        read_json(request.send().await.unwrap()).await.1
    };
    let page = read(OWNER_KEY, "?kind=people").await;
    let told: Vec<_> = page["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap_or("-").to_owned();
            format!("{} {} {} {}", text("event"), text("by"), text("from"), text("target"))
        })
        .collect();
    assert_eq!(
        told,
        [
            "member_removed owner 127.0.0.* m_ben",
            "member_changed owner 127.0.0.* m_ann",
            "member_renamed owner 127.0.0.* m_ann",
            "member_joined first - m_ben",
            "member_joined first - m_ann",
        ]
    );
    let of_hall = read(MANAGER_KEY, "?kind=people").await;
    assert!(!of_hall.to_string().contains("m_ben"), "{of_hall}");
    assert_eq!(of_hall["entries"].as_array().unwrap().len(), 3);
    let everything = read(OWNER_KEY, "").await.to_string();
    assert!(everything.contains("secret_made") && everything.contains("signing_key_made"));
    assert!(!read(MANAGER_KEY, "").await.to_string().contains("secret_made"));
    assert!(!everything.contains("pkcs8") && !everything.contains("a-key-of"), "{everything}");

    // Pages join without a gap, filters agree with the whole, and no cell of the export is a
    // formula.
    let mut ids = Vec::new();
    let mut query = "?limit=1".to_owned();
    loop {
        let page = read(OWNER_KEY, &query).await;
        ids.extend(page["entries"].as_array().unwrap().iter().map(|it| it["id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=1&after={next}");
    }
    let whole = read(OWNER_KEY, "").await;
    let whole: Vec<_> =
        whole["entries"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
    assert_eq!(ids, whole);
    for (query, count) in [
        ("?by=owner&kind=people", 3),
        ("?target=m_ben", 2),
        ("?target=m_ben&by=first", 1),
        ("?until=1795000000001", 2),
        ("?since=1795000000001&kind=people", 3),
        ("?kind=keys", 0),
    ] {
        let page = read(OWNER_KEY, query).await;
        assert_eq!(page["entries"].as_array().unwrap().len(), count, "{query}: {page}");
    }
    for query in ["?kind=nonsense", "?format=xml", "?limit=0", "?x=1"] {
        assert_eq!(read(OWNER_KEY, query).await["code"], "malformed_request", "{query}");
    }
    let request = gateway.http.get(gateway.api("/audit?format=csv")).bearer_auth(OWNER_KEY);
    let csv = request.send().await.unwrap().text().await.unwrap();
    assert_eq!(csv.lines().count(), whole.len() + 1);
    assert!(csv.contains("\"'=1+m_ben\"") && !csv.contains(",=1"), "{csv}");
    cluster.tasks.abort();
}
