//! Tests of the feed, read page by page.

use crate::support::cluster::Cluster;
use crate::support::engine::{at_counter, take_ticket};
use paihao_contracts::streams::LEDGER;
use paihao_domain::Act;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use reqwest::StatusCode;
use serde_json::Value;

#[tokio::test]
async fn pages_of_any_size_are_the_ledger_and_the_last_ones_cursor_leads_on() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    gateway.engine.submit("hall", at_counter("1", Act::OpenCounter, "open")).await.unwrap();
    for i in 0..20 {
        gateway.engine.submit("hall", take_ticket(&format!("o{i}"))).await.unwrap();
        gateway
            .engine
            .submit("hall", at_counter("1", Act::CallNext, &format!("call {i}")))
            .await
            .ok();
    }
    let all = cluster.public_events().await;
    for limit in [1, 2, 7, 500] {
        let mut read = Vec::<Value>::new();
        let mut next = None::<String>;
        loop {
            let after = next.map_or(String::new(), |next| format!("&after={next}"));
            let (status, page) =
                gateway.get_json(&format!("/feed/pages?limit={limit}{after}")).await;
            assert_eq!(status, StatusCode::OK, "{page}");
            let events = page["events"].as_array().unwrap();
            assert!(events.len() <= limit);
            read.extend(events.iter().cloned());
            next = Some(page["next"].as_str().unwrap().to_owned());
            if page["more"] == false {
                break;
            }
        }
        assert_eq!(read, all, "limit {limit}");

        // There is nothing more yet. Another site's entry advances the cursor, and then comes an
        // event of this site.
        let next = next.unwrap();
        let (_, page) = gateway.get_json(&format!("/feed/pages?after={next}")).await;
        assert_eq!((page["events"].as_array().unwrap().len(), &page["more"]), (0, &false.into()));
        let elsewhere = Subject::new(&["shop", "elsewhere"]).unwrap();
        let entry = Entry::new("not even a commit");
        cluster.ledger.append(&LEDGER, &elsewhere, ExpectedPosition::Any, entry).await.unwrap();
        let (_, page) = gateway.get_json(&format!("/feed/pages?after={next}")).await;
        let further = page["next"].as_str().unwrap();
        assert!(further != next && page["events"].as_array().unwrap().is_empty(), "{page}");
        if limit == 500 {
            gateway.engine.submit("hall", take_ticket("one-more")).await.unwrap();
            let (_, page) = gateway.get_json(&format!("/feed/pages?after={further}")).await;
            assert_eq!(page["events"][0]["number"], "A021", "{page}");
        }
    }
}

#[tokio::test]
async fn a_site_where_nothing_happened_has_an_empty_page_and_limits_are_kept() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    for path in ["/feed/pages", "/feed/pages?after=now", "/feed/pages?after=0"] {
        let (status, page) = gateway.get_json(path).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(page, serde_json::json!({"events": [], "next": "0", "more": false}), "{path}");
    }
    for limit in ["0", "501", "x", "-1"] {
        let (status, problem) = gateway.get_json(&format!("/feed/pages?limit={limit}")).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::BAD_REQUEST, &"malformed_request".into())
        );
    }
}
