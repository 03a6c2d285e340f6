//! One queue, one permanent code: whichever gateway is asked, however often it starts, and with the
//! cache gone.

use crate::support::cluster::{Cluster, ProgramProcess, STAFF_KEY, site_id};
use crate::support::http::send_json;
use harness::wait_until;
use reqwest::StatusCode;
use std::time::Duration;
use wechat_sim::{Code, Routing};

async fn get(cluster: &Cluster, member: &ProgramProcess, path: &str) -> (StatusCode, String) {
    let answer = cluster.http.get(format!("{}{path}", member.url)).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

/// The permanent codes that WeChat has made.
fn permanent_codes(cluster: &Cluster) -> Vec<Code> {
    let codes = cluster.wechat.codes(1000);
    codes.into_iter().filter(|code| code.expires_at.is_none()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_door_has_one_code_for_ever() {
    let mut cluster = Cluster::start(1).await;
    let (poster, svg) = (
        format!("/poster/{}/a", site_id(0)),
        format!("/api/v1/sites/{}/queues/a/door.svg", site_id(0)),
    );
    assert!(permanent_codes(&cluster).is_empty(), "none is made before somebody asks");

    // Two gateways are asked at the same time, twice each: one code.
    let [one, other] = &cluster.gateways[..] else { panic!("two gateways") };
    let (a, b, c, d) = tokio::join!(
        get(&cluster, one, &poster),
        get(&cluster, other, &poster),
        get(&cluster, one, &svg),
        get(&cluster, other, &svg),
    );
    for (status, page) in [&a, &b] {
        assert_eq!(*status, StatusCode::OK, "{page}");
        assert!(page.contains("综合业务") && page.contains("<svg"), "{page}");
    }
    assert_eq!((a.1, &c.1), (b.1, &d.1), "both show the same");
    let doors = permanent_codes(&cluster);
    assert_eq!((doors.len(), doors[0].scene.as_str()), (1, &*format!("q_{}_a", site_id(0))));

    // Who is not configured has none.
    for path in ["/poster/hall-0/b", "/poster/nowhere", "/api/v1/sites/nowhere/queues/a/door.svg"] {
        assert_eq!(get(&cluster, one, path).await.0, StatusCode::NOT_FOUND, "{path}");
    }

    // A gateway that starts anew finds it in the book; so does a further one.
    cluster.gateways[0].program.restart();
    let fresh = cluster.add_process("gateway");
    for member in [&cluster.gateways[0], &fresh] {
        cluster.wait_until_ready(member).await;
        assert_eq!(get(&cluster, member, &svg).await, (StatusCode::OK, d.1.clone()));
    }

    // With the cache away it is still there, and takes a number.
    cluster.redis.freeze();
    assert_eq!(get(&cluster, &fresh, &poster).await.0, StatusCode::OK);
    let to = Routing { deliveries: 1, to: vec![cluster.callback_urls().remove(1)] };
    let outcome = cluster.wechat.scan("oAnn", &doors[0].url, to).await;
    assert!(outcome.reply.as_ref().is_some_and(|reply| reply.contains("A001")), "{outcome:?}");
    cluster.redis.thaw();
    assert_eq!(permanent_codes(&cluster), doors, "no other was made");

    // A session of one gateway is drawn by the other, from a code that was ready.
    let uuid = "0b2f6c9e-7d1a-4e0e-9a5f-0a1b2c3d4e5f";
    let one_step = format!("/qr/{uuid}?site={}&queue=a", site_id(0));
    wait_until("the cache is back", Duration::from_secs(20), async || {
        get(&cluster, &cluster.gateways[0], &one_step).await.0 == StatusCode::OK
    })
    .await;
    let (status, drawn) = get(&cluster, &cluster.gateways[0], &one_step).await;
    let picture = format!("/api/v1/scan-sessions/{uuid}/qr.svg");
    assert_eq!(get(&cluster, &cluster.gateways[1], &picture).await, (status, drawn));

    // Staff read what the account's codes have cost; WeChat's own word counts.
    let url = format!("{}/api/v1/sites/{}/codes", cluster.gateways[1].url, site_id(0));
    let (status, cost) = send_json(cluster.http.get(&url).bearer_auth(STAFF_KEY)).await;
    assert_eq!(status, StatusCode::OK, "{cost}");
    assert_eq!((&cost["account"], &cost["permanent"]["cap"]), (&"shop".into(), &100_000.into()));
    assert_eq!(cost["permanent"]["made"], 1);
    assert_eq!(cost["today"]["counted_by"], "wechat");
    assert_eq!(cost["today"]["cap"], 100_000);
    assert!(cost["today"]["made"].as_u64() > Some(1), "{cost}");
    assert_eq!(cost["doors"][0]["url"], doors[0].url);
    assert_eq!(send_json(cluster.http.get(&url)).await.0, StatusCode::UNAUTHORIZED);

    // What was spent of the account's 100,000 is a metric at every replica.
    let metrics = format!("{}/metrics", fresh.admin);
    wait_until("the count is shown", Duration::from_secs(20), async || {
        let text = cluster.http.get(&metrics).send().await.unwrap().text().await.unwrap();
        text.contains("paihao_gateway_door_codes{account=\"shop\"} 1")
    })
    .await;
}
