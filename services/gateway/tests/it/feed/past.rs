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
    let hall = Cluster::new();
    let gateway = hall.start_gateway().await;
    let lines = &gateway.engine;
    let mut seen = vec![(hall.clock.now_ms(), current_site(&gateway).await)];
    for day in 0..2 {
        hall.clock.advance(MINUTE);
        lines
            .submit("hall", at_counter("1", Act::OpenCounter, &format!("open {day}")))
            .await
            .unwrap();
        for i in 0..12 {
            let id = format!("{day} {i}");
            lines.submit("hall", take_ticket(&id)).await.unwrap();
            if i % 2 == 0 {
                lines
                    .submit("hall", at_counter("1", Act::CallNext, &format!("call {id}")))
                    .await
                    .unwrap();
            } else {
                lines
                    .submit("hall", at_counter("1", finish, &format!("finish {id}")))
                    .await
                    .unwrap();
            }
            seen.push((hall.clock.now_ms(), current_site(&gateway).await));
            hall.clock.advance(MINUTE);
        }
        let today = lines.snapshot("hall").unwrap().site.day();
        hall.clock.advance(23 * HOUR);
        // The worker ends the day by itself.
        let mut views = lines.watch("hall").unwrap();
        views.wait_for(|view| view.site.day() > today).await.map(drop).unwrap();
        // It is the next morning, before anybody has come.
        seen.push((hall.clock.now_ms(), current_site(&gateway).await));
    }
    let fresh = hall.start_gateway().await;
    for (at, then) in seen {
        for gateway in [&gateway, &fresh] {
            assert_eq!(site_at(gateway, at).await, (StatusCode::OK, then.clone()), "{at}");
        }
    }
}

#[tokio::test]
async fn what_is_not_kept_whole_is_refused() {
    let hall = Cluster::new();
    let gateway = hall.start_gateway().await;
    let morning = hall.clock.now_ms();
    gateway.engine.submit("hall", at_counter("1", Act::OpenCounter, "open")).await.unwrap();
    let evening = hall.clock.advance(10 * HOUR);
    gateway.engine.submit("hall", take_ticket("late")).await.unwrap();
    // It is 65 hours after the evening, and the morning has aged out.
    hall.clock.advance(65 * HOUR);
    let gone = |(status, problem): (StatusCode, Value)| {
        assert_eq!((status, &problem["code"]), (StatusCode::GONE, &"past_gone".into()));
    };
    gone(site_at(&gateway, morning).await);
    // The evening is kept, but not the beginning of its day.
    gone(site_at(&gateway, evening).await);
    // The day after is complete: nobody came.
    let (status, site) = site_at(&gateway, evening + 24 * 3_600_000).await;
    assert_eq!((status, &site["queues"][0]["waiting_count"]), (StatusCode::OK, &0.into()));

    let (status, problem) = site_at(&gateway, hall.clock.now_ms() + 1).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &"malformed_request".into()));
    for path in ["/at", "/at?time=yesterday"] {
        assert_eq!(gateway.get_json(path).await.0, StatusCode::BAD_REQUEST, "{path}");
    }
    let url = gateway.api("/sites/hall/at?time=2026-11-20T10:00");
    assert_eq!(hall.http.get(url).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}
