//! Tests of as-of reads.

use crate::support::cluster::Cluster;
use crate::support::engine::{at_counter, finish, take_ticket};
use crate::support::gateway::Gateway;
use paihao_chassis::clock::Clock;
use paihao_domain::Act;
use reqwest::StatusCode;
use serde_json::Value;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

async fn site_at(gateway: &Gateway, at_ms: i64) -> (StatusCode, Value) {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap();
    gateway.get_json(&format!("/at?time={at}")).await
}

/// Returns the site as it is now, without the estimates for somebody who joins, which as-of reads
/// lack.
async fn current_site(gateway: &Gateway) -> Value {
    let (_, mut site) = gateway.get_json("").await;
    for queue in site["queues"].as_array_mut().unwrap() {
        queue.as_object_mut().unwrap().remove("minutes");
    }
    site
}

#[tokio::test]
async fn every_minute_of_two_days_looks_as_it_did() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    let engine = &gateway.engine;
    let mut views = vec![(cluster.clock.now_ms(), current_site(&gateway).await)];
    for day in 0..2 {
        cluster.clock.advance(MINUTE);
        engine
            .submit("hall", at_counter("1", Act::OpenCounter, &format!("open {day}")))
            .await
            .unwrap();
        for i in 0..12 {
            let id = format!("{day} {i}");
            engine.submit("hall", take_ticket(&id)).await.unwrap();
            if i % 2 == 0 {
                engine
                    .submit("hall", at_counter("1", Act::CallNext, &format!("call {id}")))
                    .await
                    .unwrap();
            } else {
                engine
                    .submit("hall", at_counter("1", finish, &format!("finish {id}")))
                    .await
                    .unwrap();
            }
            views.push((cluster.clock.now_ms(), current_site(&gateway).await));
            cluster.clock.advance(MINUTE);
        }
        let today = engine.snapshot("hall").unwrap().site.day();
        cluster.clock.advance(23 * HOUR);
        // The worker ends the day by itself.
        let mut snapshots = engine.watch("hall").unwrap();
        snapshots.wait_for(|snapshot| snapshot.site.day() > today).await.map(drop).unwrap();
        // It is the next morning, before anybody has come.
        views.push((cluster.clock.now_ms(), current_site(&gateway).await));
    }
    let fresh = cluster.start_gateway().await;
    for (at, expected) in views {
        for gateway in [&gateway, &fresh] {
            assert_eq!(site_at(gateway, at).await, (StatusCode::OK, expected.clone()), "{at}");
        }
    }
}

#[tokio::test]
async fn what_is_not_kept_whole_is_refused() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    let morning = cluster.clock.now_ms();
    gateway.engine.submit("hall", at_counter("1", Act::OpenCounter, "open")).await.unwrap();
    let evening = cluster.clock.advance(10 * HOUR);
    gateway.engine.submit("hall", take_ticket("late")).await.unwrap();
    // It is 65 hours after the evening, and the morning has aged out.
    cluster.clock.advance(65 * HOUR);
    let gone = |(status, problem): (StatusCode, Value)| {
        assert_eq!((status, &problem["code"]), (StatusCode::GONE, &"past_gone".into()));
    };
    gone(site_at(&gateway, morning).await);
    // The evening is kept, but not the beginning of its day.
    gone(site_at(&gateway, evening).await);
    // The day after is complete: nobody came.
    let (status, site) = site_at(&gateway, evening + 24 * 3_600_000).await;
    assert_eq!((status, &site["queues"][0]["waiting_count"]), (StatusCode::OK, &0.into()));

    let (status, problem) = site_at(&gateway, cluster.clock.now_ms() + 1).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &"malformed_request".into()));
    for path in ["/at", "/at?time=yesterday"] {
        assert_eq!(gateway.get_json(path).await.0, StatusCode::BAD_REQUEST, "{path}");
    }
    let url = gateway.api("/sites/hall/at?time=2026-11-20T10:00");
    assert_eq!(cluster.http.get(url).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}
