//! Tests of permanent codes: one a queue, over all gateways, restarts and an outage of the cache.

use crate::support::cluster::{Cluster, ProgramProcess, STAFF_KEY, site_id};
use crate::support::http::send_json;
use harness::wait_until;
use reqwest::StatusCode;
use std::time::Duration;
use wechat_sim::{Code, Routing};

/// Asks as somebody of the staff, for whom a code is made.
async fn staff_get(
    cluster: &Cluster,
    process: &ProgramProcess,
    path: &str,
) -> (StatusCode, String) {
    let request = cluster.http.get(format!("{}{path}", process.url)).bearer_auth(STAFF_KEY);
    let response = request.send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

async fn get(cluster: &Cluster, process: &ProgramProcess, path: &str) -> (StatusCode, String) {
    let response = cluster.http.get(format!("{}{path}", process.url)).send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

/// Permanent codes that WeChat has created.
fn permanent_codes(cluster: &Cluster) -> Vec<Code> {
    let all = cluster.wechat.codes(1000);
    all.into_iter().filter(|code| code.expires_at.is_none()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_has_one_permanent_code() {
    let mut cluster = Cluster::start(1).await;
    let poster = format!("/poster/{}/a", site_id(0));
    let svg = format!("/api/v1/sites/{}/queues/a/door.svg", site_id(0));
    let [one, other] = &cluster.gateways[..] else { panic!("two gateways") };
    for path in [&poster, &svg] {
        assert_eq!(get(&cluster, one, path).await.0, StatusCode::NOT_FOUND, "nobody is known");
    }
    assert!(permanent_codes(&cluster).is_empty(), "none is created for strangers");

    // Two concurrent requests at each of two gateways create one code.
    let (a, b, c, d) = tokio::join!(
        staff_get(&cluster, one, &poster),
        staff_get(&cluster, other, &poster),
        staff_get(&cluster, one, &svg),
        staff_get(&cluster, other, &svg),
    );
    assert_eq!(get(&cluster, one, &svg).await, (StatusCode::OK, c.1.clone()), "everybody sees it");
    for (status, page) in [&a, &b] {
        assert_eq!(*status, StatusCode::OK, "{page}");
        assert!(page.contains("综合业务") && page.contains("<svg"), "{page}");
    }
    assert_eq!((a.1, &c.1), (b.1, &d.1), "both gateways show the same");
    let codes = permanent_codes(&cluster);
    assert_eq!((codes.len(), codes[0].scene.as_str()), (1, &*format!("q_{}_a", site_id(0))));

    // Queues and sites that do not exist have none.
    for path in ["/poster/hall-0/b", "/poster/nowhere", "/api/v1/sites/nowhere/queues/a/door.svg"] {
        assert_eq!(get(&cluster, one, path).await.0, StatusCode::NOT_FOUND, "{path}");
    }

    // A restarted and a new gateway read the code from the ledger.
    cluster.gateways[0].program.restart();
    let fresh = cluster.add_process("gateway");
    for process in [&cluster.gateways[0], &fresh] {
        cluster.wait_until_ready(process).await;
        assert_eq!(get(&cluster, process, &svg).await, (StatusCode::OK, d.1.clone()));
    }

    // It works without the cache, too.
    cluster.redis.freeze();
    assert_eq!(get(&cluster, &fresh, &poster).await.0, StatusCode::OK);
    let to = Routing { deliveries: 1, urls: vec![cluster.callback_urls().remove(1)] };
    let outcome = cluster.wechat.scan("oAnn", &codes[0].url, to).await;
    assert!(outcome.reply.as_ref().is_some_and(|reply| reply.contains("A001")), "{outcome:?}");
    cluster.redis.thaw();
    assert_eq!(permanent_codes(&cluster), codes, "no other code was created");

    // A session opened at one gateway is drawn by the other, from a code of the pool.
    let uuid = "0b2f6c9e-7d1a-4e0e-9a5f-0a1b2c3d4e5f";
    let one_step = format!("/qr/{uuid}?site={}&queue=a", site_id(0));
    wait_until("the cache is back", Duration::from_secs(20), async || {
        get(&cluster, &cluster.gateways[0], &one_step).await.0 == StatusCode::OK
    })
    .await;
    let (status, drawn) = get(&cluster, &cluster.gateways[0], &one_step).await;
    let picture = format!("/api/v1/scan-sessions/{uuid}/qr.svg");
    assert_eq!(get(&cluster, &cluster.gateways[1], &picture).await, (status, drawn));

    // Staff read the usage of the account's codes, as counted by WeChat.
    let url = format!("{}/api/v1/sites/{}/codes", cluster.gateways[1].url, site_id(0));
    let (status, usage) = send_json(cluster.http.get(&url).bearer_auth(STAFF_KEY)).await;
    assert_eq!(status, StatusCode::OK, "{usage}");
    assert_eq!((&usage["account"], &usage["permanent"]["cap"]), (&"shop".into(), &100_000.into()));
    assert_eq!(usage["permanent"]["made"], 1);
    assert_eq!(usage["today"]["counted_by"], "wechat");
    assert_eq!(usage["today"]["cap"], 100_000);
    assert!(usage["today"]["made"].as_u64() > Some(1), "{usage}");
    assert_eq!(usage["doors"][0]["url"], codes[0].url);
    assert_eq!(send_json(cluster.http.get(&url)).await.0, StatusCode::UNAUTHORIZED);

    // Every replica has a metric of the permanent codes used, of 100,000 an account.
    let metrics = format!("{}/metrics", fresh.admin);
    wait_until("the count is shown", Duration::from_secs(20), async || {
        let text = cluster.http.get(&metrics).send().await.unwrap().text().await.unwrap();
        text.contains("paihao_gateway_door_codes{account=\"shop\"} 1")
    })
    .await;
}
