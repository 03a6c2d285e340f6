//! Test of a ledger that is full: nobody is told a number that is not durable, everybody is told
//! that none was taken, and it goes on when there is room.

use super::store::Shape;
use super::world::{WAIT_TIMEOUT, World};
use crate::support::cluster::STAFF_KEY;
use crate::support::http::{send_json, staff_request};
use harness::wait_until;
use reqwest::StatusCode;
use serde_json::json;
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_ledger_is_answered_honestly_and_left_when_there_is_room() {
    for (shape, small, large) in [
        (Shape::Sqlite, "max_file_mb = 1", "max_file_mb = 64"),
        (Shape::Nats, "max_stream_mb = { ledger = 1 }", "max_stream_mb = { ledger = 64 }"),
    ] {
        let world = World::new().await;
        let mut shop = world.shop_with(shape, small);
        world.start(&mut shop).await;
        let url = format!("{}/api/v1/sites/hall/queues/a/tickets", shop.url);
        let take = async |index: u64| -> Result<u32, ()> {
            let request = staff_request(&world.http, STAFF_KEY, &url, &format!("take {index}"));
            let (status, taken) = send_json(request.json(&json!({}))).await;
            match status {
                StatusCode::OK => Ok(taken["number"]
                    .as_str()
                    .unwrap()
                    .trim_start_matches('A')
                    .parse::<u32>()
                    .unwrap()),
                _ => {
                    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{shape:?}: {taken}");
                    assert_eq!(taken["code"], "ledger_unavailable", "{shape:?}");
                    Err(())
                }
            }
        };
        let mut answered: Vec<u32> = Vec::new();
        let mut asked = 0;
        loop {
            let results = futures::future::join_all((asked..asked + 32).map(&take)).await;
            asked += 32;
            answered.extend(results.iter().filter_map(|result| result.ok()));
            if results.iter().all(Result::is_err) {
                break;
            }
            assert!(asked < 20_000, "{shape:?}: it is never full");
        }
        let numbers: BTreeSet<u32> = answered.iter().copied().collect();
        assert!(numbers.len() > 100, "{shape:?}: {}", numbers.len());
        assert_eq!(numbers.len(), answered.len(), "{shape:?}: each once");
        // A gateway that cannot give numbers is the one that says so: it stays ready, and shows
        // what there is.
        let board = format!("{}/api/v1/sites/hall", shop.url);
        assert_eq!(send_json(world.http.get(&board)).await.0, StatusCode::OK, "{shape:?}");
        let metrics = world.http.get(format!("{}/metrics", shop.admin)).send().await.unwrap();
        let metrics = metrics.text().await.unwrap();
        assert!(metrics.contains("paihao_store_limit_bytes"), "{shape:?}");
        wait_until("it is warned of", WAIT_TIMEOUT, async || {
            let program = shop.program.as_ref().unwrap();
            program.output().contains("nearly full")
        })
        .await;
        shop.stop();

        // The same store with more room.
        shop.config = shop.config.replace(small, large);
        world.start(&mut shop).await;
        let next = world.take(&shop).await.unwrap();
        // Whoever was told that no number was taken may have got one unheard, and nobody has it.
        assert!(next > *numbers.last().unwrap(), "{shape:?}: {next} is given twice");
        shop.stop();
    }
}
