//! Tests of an account that may not make codes: its codes lead to pages.

use crate::support::cluster::Cluster;
use crate::support::gateway::{Gateway, read_json};
use crate::support::wechat::LEAVE;
use paihao_cache::{Cache, MemoryCache, MemoryOptions};
use paihao_contracts::settings::{AccountSetup, CodeKind};
use paihao_contracts::streams::scan_session_key;
use paihao_domain::QueueId;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

async fn gateway(cluster: &Cluster, codes: CodeKind) -> Gateway {
    let account = AccountSetup { codes, ..AccountSetup::default() };
    cluster.start(cluster.setup_with_account(account)).await
}

/// Elements of the push of a code that was scanned from a menu entry.
fn scanned(url: &str, waits: bool) -> String {
    let event = if waits { "scancode_waitmsg" } else { "scancode_push" };
    format!(
        "<MsgType>event</MsgType><Event>{event}</Event><EventKey>SCAN</EventKey><ScanCodeInfo>\
         <ScanType>qrcode</ScanType><ScanResult><![CDATA[{url}]]></ScanResult></ScanCodeInfo>"
    )
}

async fn take(gateway: &Gateway, scene: &str, key: &str) -> (StatusCode, Value) {
    let request = gateway.post_public(&format!("/page-codes/{scene}/tickets"));
    read_json(request.header("idempotency-key", key).json(&json!({})).send().await.unwrap()).await
}

#[tokio::test]
async fn a_code_that_leads_to_a_page_gives_a_number_in_wechat_and_on_the_page() {
    let cluster = Cluster::new();
    let gateway = gateway(&cluster, CodeKind::Page).await;
    let (_, codes) = read_json(gateway.get("/codes").send().await.unwrap()).await;
    assert_eq!(codes["doors"][0]["url"], "https://queue.example/q/q_hall_a");
    let picture = gateway.get_public("/sites/hall/queues/a/door.jpg").send().await.unwrap();
    assert_eq!(picture.headers()["content-type"], "image/png", "nothing of WeChat's is needed");
    assert_eq!(gateway.get_page("/poster/hall").await.status(), StatusCode::OK);

    let reply = gateway.push("oAnn", &scanned("https://queue.example/q/q_hall_a", true)).await.1;
    assert!(reply.contains("取号成功 A001"), "{reply}");
    for foreign in ["https://queue.example/q/x", "https://evil.example/q/q_hall_a", "690123"] {
        assert_eq!(gateway.push("oBen", &scanned(foreign, true)).await.1, "success", "{foreign}");
    }
    // WeChat opens the page of the other kind of entry by itself.
    let opened = gateway.push("oBen", &scanned("https://queue.example/q/q_hall_a", false)).await.1;
    assert_eq!(opened, "success");

    let page = gateway.get_page("/q/q_hall_a").await;
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.unwrap();
    assert!(page.contains("存取款") && page.contains("data-scene=\"q_hall_a\""), "{page}");
    let (status, taken) = take(&gateway, "q_hall_a", "k1").await;
    assert_eq!((status, &taken["number"]), (StatusCode::CREATED, &json!("A002")));
    assert_eq!(take(&gateway, "q_hall_a", "k1").await, (status, taken.clone()));
    let ticket = gateway.get_page(taken["path"].as_str().unwrap()).await;
    assert_eq!(ticket.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_screens_code_shows_the_number_that_was_taken_through_it() {
    let cluster = Cluster::new();
    let account = AccountSetup { codes: CodeKind::Page, ..AccountSetup::default() };
    let setup = cluster.setup_with_account(account);
    let cache = setup.cache.clone();
    let gateway = cluster.start(setup).await;
    let stored_session = async |uuid: &str| -> Value {
        let stored = cache.get(&scan_session_key(uuid)).await.unwrap().unwrap();
        serde_json::from_slice(&stored).unwrap()
    };
    let open = async || {
        let request = gateway.post_public("/scan-sessions");
        let request = request.json(&json!({"site": "hall", "queue": "a"}));
        let (status, session) = read_json(request.send().await.unwrap()).await;
        assert_eq!(status, StatusCode::CREATED, "{session}");
        session
    };
    for by_page in [true, false] {
        let session = open().await;
        let uuid = session["uuid"].as_str().unwrap();
        let stored = stored_session(uuid).await;
        let url = stored["qr_url"].as_str().unwrap();
        let scene = url.strip_prefix("https://queue.example/q/").unwrap();
        let number = if by_page {
            take(&gateway, scene, "k").await.1["number"].as_str().unwrap().to_owned()
        } else {
            assert!(gateway.push("oAnn", &scanned(url, true)).await.1.contains("取号成功"));
            "A002".to_owned()
        };
        let progress = stored_session(uuid).await["progress"].to_string();
        assert!(progress.contains(&number), "{progress}");
    }
}

#[tokio::test]
async fn pages_give_numbers_only_for_accounts_that_say_so() {
    let cluster = Cluster::new();
    let gateway = gateway(&cluster, CodeKind::Wechat).await;
    assert_eq!(gateway.get_page("/q/q_hall_a").await.status(), StatusCode::NOT_FOUND);
    let (status, problem) = take(&gateway, "q_hall_a", "k").await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("unknown_session")));
    // A code that was printed before the setting was changed still works in WeChat.
    let reply = gateway.push("oAnn", &scanned("https://queue.example/q/q_hall_a", true)).await.1;
    assert!(reply.contains("取号成功 A001"), "{reply}");
}

#[tokio::test]
async fn a_kiosk_tells_who_has_taken_as_many_as_one_may_and_that_staff_lift_it() {
    let cluster = Cluster::new();
    let cache: Arc<dyn Cache> = Arc::new(MemoryCache::new(MemoryOptions::default()));
    let setup = || {
        let documents = cluster.account_setup().deployment.configured;
        let account = documents.accounts["shop"].setup.clone().unwrap();
        let account = AccountSetup { codes: CodeKind::Page, ..account };
        let mut setup = cluster.setup_with_account(account);
        setup.cache = cache.clone();
        let hall = Arc::get_mut(setup.deployment.sites.get_mut("hall").unwrap()).unwrap();
        hall.rules.queues.get_mut(&QueueId::new("a")).unwrap().daily_per_person = Some(1);
        setup
    };
    let one = cluster.start(setup()).await;
    let two = cluster.start(setup()).await;
    let request = one.post_public("/scan-sessions").json(&json!({"site": "hall", "queue": "a"}));
    let (_, session) = read_json(request.send().await.unwrap()).await;
    let uuid = session["uuid"].as_str().unwrap();
    let stored = cache.get(&scan_session_key(uuid)).await.unwrap().unwrap();
    let stored: Value = serde_json::from_slice(&stored).unwrap();
    let url = stored["qr_url"].as_str().unwrap();
    assert!(one.push("oAnn", &scanned(url, true)).await.1.contains("取号成功 A001"));
    one.push_text("oAnn", LEAVE, 5).await;

    // The kiosk is at another replica than the one that WeChat's push reaches.
    let mut stream = two.get_public(&format!("/scan-sessions/{uuid}/events")).send().await.unwrap();
    let mut received = String::new();
    let again = scanned(url, true).replace("SCAN</EventKey>", "AGAIN</EventKey>");
    let reply = one.push("oAnn", &again).await.1;
    assert!(reply.contains("号 1 个") && reply.contains("放开"), "{reply}");
    assert!(reply.contains("1 of this queue's numbers today"), "{reply}");
    let refused = async {
        while !received.contains("event: refused") {
            let bytes = stream.chunk().await.unwrap().expect("the stream goes on");
            received.push_str(&String::from_utf8_lossy(&bytes));
        }
    };
    timeout(Duration::from_secs(20), refused).await.expect("the kiosk is told");
    assert!(received.contains(r#"{"code":"person_limit","limit":1}"#), "{received}");
    assert!(!received.contains("oAnn"), "{received}");
    // The code works on for the next person.
    assert!(two.push("oBen", &scanned(url, true)).await.1.contains("取号成功 A002"));
    cluster.tasks.abort();
}
