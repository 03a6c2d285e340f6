//! Tests of browser sessions: valid at every replica until revoked, and never for a page of another
//! site.

use super::browser::Browser;
use crate::support::cluster::Cluster;
use crate::support::gateway::read_json;
use crate::support::wait_until;
use reqwest::{Method, StatusCode};
use serde_json::json;

#[tokio::test]
async fn a_session_does_at_any_replica_what_its_key_does_and_can_be_seen_and_ended() {
    let cluster = Cluster::new();
    let one = cluster.start_gateway().await;
    let other = cluster.start_gateway().await;
    let browser = Browser::log_in(&cluster, &one).await;
    let (status, me) = browser.get(&other, "/me").await;
    assert_eq!(
        (status, &me["id"], &me["role"]),
        (StatusCode::OK, &json!("desk"), &json!("manager"))
    );
    let open = browser.same_origin_request(Method::POST, &other, "/sites/hall/counters/1/open");
    let (status, opened) = read_json(open.send().await.unwrap()).await;
    assert_eq!((status, &opened["outcome"]), (StatusCode::OK, &json!("counter_open")), "{opened}");
    assert_eq!(browser.get(&other, "/sites/hall/feed/pages").await.0, StatusCode::OK);
    let (status, refused) = browser.get(&other, "/sites/elsewhere/feed/pages").await;
    assert!(status == 403 || status == 404, "{refused}");

    let second = Browser::log_in(&cluster, &other).await;
    let listed = async || {
        let (_, listed) = browser.get(&one, "/me/sessions").await;
        listed.as_array().unwrap().clone()
    };
    wait_until("both are known", async || listed().await.len() == 2).await;
    let listed = listed().await;
    assert_eq!(listed.iter().filter(|session| session["current"] == true).count(), 1);
    assert!(listed.iter().all(|session| session["address"] == "127.0.0.*"), "{listed:?}");
    let text = serde_json::to_string(&listed).unwrap();
    for value in [&browser.cookie, &second.cookie] {
        assert!(!text.contains(value.split('=').nth(1).unwrap()), "a list opens nothing");
    }

    let ended =
        browser.same_origin_request(Method::DELETE, &one, "/me/sessions").send().await.unwrap();
    assert_eq!(read_json(ended).await.1, json!({"ended": 1}));
    wait_until("it is over", async || second.get(&other, "/me").await.0 != StatusCode::OK).await;
    let logged_out = browser
        .same_origin_request(Method::DELETE, &one, "/me/sessions/current")
        .send()
        .await
        .unwrap();
    assert_eq!(logged_out.status(), StatusCode::NO_CONTENT);
    assert!(logged_out.headers()["set-cookie"].to_str().unwrap().starts_with("paihao=; "));
    let (status, refused) = browser.get(&one, "/me").await;
    assert_eq!((status, &refused["code"]), (StatusCode::UNAUTHORIZED, &json!("unauthorised")));
    cluster.tasks.abort();
}

#[tokio::test]
async fn a_page_of_another_site_gets_nothing_done() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    let browser = Browser::log_in(&cluster, &gateway).await;
    let open = "/sites/hall/counters/1/open";
    let forged = [
        browser.cross_site_request(Method::POST, &gateway, open),
        browser
            .same_origin_request(Method::POST, &gateway, open)
            .header("origin", "https://evil.example.com"),
        browser
            .same_origin_request(Method::POST, &gateway, open)
            .header("sec-fetch-site", "cross-site"),
        browser.cross_site_request(Method::DELETE, &gateway, "/me/sessions"),
        browser.cross_site_request(Method::POST, &gateway, "/keys").body(r#"{"name":"x"}"#),
    ];
    for forged in forged {
        let (status, refused) = read_json(forged.send().await.unwrap()).await;
        assert_eq!((status, &refused["code"]), (StatusCode::FORBIDDEN, &json!("cross_site")));
    }
    let board = gateway.get_json("").await.1;
    assert_eq!(board["counters"][0]["open"], json!(false), "{board}");
    cluster.tasks.abort();
}

/// Waits for the end of a stream, which would otherwise continue until the test's own end.
pub async fn assert_stream_ends(stream: reqwest::Response) {
    let read = tokio::time::timeout(std::time::Duration::from_secs(30), stream.bytes());
    let _ = read.await.expect("the stream ends");
}

#[tokio::test]
async fn a_stream_ends_with_the_session_it_was_asked_with() {
    let cluster = Cluster::new();
    let one = cluster.start_gateway().await;
    let other = cluster.start_gateway().await;
    let browser = Browser::log_in(&cluster, &one).await;
    let streams = ["/sites/hall/feed", "/sites/hall/desk/events"].map(|path| {
        let request = browser.same_origin_request(Method::GET, &one, path);
        async { request.send().await.unwrap() }
    });
    let streams = futures::future::join_all(streams).await;
    assert!(streams.iter().all(|stream| stream.status() == StatusCode::OK));
    browser
        .same_origin_request(Method::DELETE, &other, "/me/sessions/current")
        .send()
        .await
        .unwrap();
    for stream in streams {
        assert_stream_ends(stream).await;
    }
    cluster.tasks.abort();
}
