//! Tests of the commands on a running shop: a backup under load is restored elsewhere, a restore
//! messages nobody twice, and a shop moves from its file to NATS and back.

use super::store::{PAIRS, Shape};
use super::world::{WAIT_TIMEOUT, World, assert_ran, mode, text};
use crate::support::cluster::STAFF_KEY;
use crate::support::http::send_json;
use harness::wait_until;
use reqwest::StatusCode;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use wechat_sim::Fault;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_shop_is_backed_up_under_load_and_goes_on_elsewhere() {
    for (from, to) in PAIRS {
        let case = format!("{from:?} to {to:?}");
        let world = World::new().await;
        let mut shop = world.shop(from);
        world.start(&mut shop).await;
        // Settings, staff, a visit that has ended and a line.
        let (status, made) =
            world.post(&shop, "/keys", json!({"name": "crm", "sites": ["hall"]})).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let key = made["key"].as_str().unwrap().to_owned();
        let account = format!("{}/api/v1/book/accounts/shop", shop.url);
        let current = world.http.get(&account).bearer_auth(STAFF_KEY).send().await.unwrap();
        let put = world.http.put(&account).bearer_auth(STAFF_KEY);
        let put = put.header("if-match", &current.headers()["etag"]);
        let (status, changed) = send_json(put.json(&json!({"greeting": "你好"}))).await;
        assert!(status.is_success(), "{changed}");
        for _ in 0..3 {
            world.take(&shop).await.unwrap();
        }
        world.act(&shop, "open").await;
        world.act(&shop, "call-next").await;
        world.act(&shop, "finish").await;
        let visits = "/sites/hall/numbers";
        world.get(&shop, visits, STAFF_KEY).await;

        let file = world.path(&format!("{from:?}-{to:?}.backup"));
        let name = file.to_str().unwrap().to_owned();
        let taking = async {
            let mut numbers = BTreeSet::new();
            for _ in 0..15 {
                let taken = futures::future::join_all((0..8).map(|_| world.take(&shop))).await;
                numbers.extend(taken.into_iter().flatten());
            }
            numbers
        };
        let backing_up = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let before = world.take(&shop).await.unwrap();
            (before, world.run(&shop, &["backup", &name]).await)
        };
        let (numbers, (before, output)) = futures::join!(taking, backing_up);
        assert_ran(&output);
        assert_eq!(numbers.len(), 120, "{case}: the shop serves meanwhile");
        assert_eq!(mode(&file), 0o600, "{case}: it names people");
        let again = world.run(&shop, &["backup", &name]).await;
        assert!(!again.status.success() && text(&again).contains("exists"), "{}", text(&again));
        shop.program.as_mut().unwrap().kill();

        let mut other = world.shop(to);
        let resumed = world.run(&other, &["restore", &name, "--resume"]).await;
        assert!(text(&resumed).contains("without --resume"), "{}", text(&resumed));
        assert_ran(&world.run(&other, &["restore", &name]).await);
        world.start(&mut other).await;
        // Every number that was answered before the backup is there, and the next one follows.
        let next = world.take(&other).await.unwrap();
        assert!(next > before && next <= 3 + 120 + 2, "{case}: {next} after {before}");
        assert_eq!(world.take(&other).await, Some(next + 1), "{case}");
        let (_, tickets) = world.get(&other, "/sites/hall/tickets?limit=500", STAFF_KEY).await;
        let found: Vec<_> = tickets["tickets"].as_array().unwrap().iter().collect();
        let expected: Vec<_> = (1..=next + 1).map(|number| format!("A{number:03}")).collect();
        let found: Vec<_> =
            found.iter().map(|ticket| ticket["number"].as_str().unwrap().to_owned()).collect();
        assert_eq!(found, expected, "{case}");
        assert_eq!(world.act(&other, "call-next").await["number"], "A002", "{case}");
        // Staff and settings.
        assert_eq!(world.get(&other, "/me", &key).await.0, StatusCode::OK, "{case}");
        let (_, account) = world.get(&other, "/book/accounts/shop", STAFF_KEY).await;
        assert!(account.to_string().contains("你好"), "{case}: {account}");
        other.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_was_sent_after_the_backup_is_not_sent_again() {
    for (from, to) in [(Shape::Sqlite, Shape::Nats), (Shape::Nats, Shape::Sqlite)] {
        let case = format!("{from:?} to {to:?}");
        let world = World::new().await;
        let mut shop = world.shop(from);
        world.start(&mut shop).await;
        world.scan(&shop, "oAnn").await;
        world.act(&shop, "open").await;
        // WeChat is busy when the backup is made, and takes the message after it.
        world.wechat.add_fault(Fault::errcode("/cgi-bin/message/template/send", -1).times(4));
        world.act(&shop, "call-next").await;
        let file = world.path("busy.backup");
        let name = file.to_str().unwrap().to_owned();
        assert_ran(&world.run(&shop, &["backup", &name]).await);
        assert_eq!(world.cards("oAnn"), 0, "{case}: the backup holds the notice");
        wait_until("the message arrives", WAIT_TIMEOUT, async || world.cards("oAnn") == 1).await;
        shop.program.as_mut().unwrap().kill();

        let mut other = world.shop(to);
        let restored = world.run(&other, &["restore", &name]).await;
        assert_ran(&restored);
        assert!(text(&restored).contains("not sent"), "{}", text(&restored));
        world.start(&mut other).await;
        // A second customer's message shows that the notifier works.
        world.scan(&other, "oBen").await;
        world.act(&other, "finish").await;
        world.act(&other, "call-next").await;
        wait_until("the next one arrives", WAIT_TIMEOUT, async || world.cards("oBen") == 1).await;
        assert_eq!(world.cards("oAnn"), 1, "{case}");
        other.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_moves_from_its_file_to_nats_and_back() {
    let world = World::new().await;
    let mut shop = world.shop(Shape::Sqlite);
    world.start(&mut shop).await;
    world.scan(&shop, "oAnn").await;
    for _ in 0..20 {
        world.take(&shop).await.unwrap();
    }
    world.act(&shop, "open").await;
    world.act(&shop, "call-next").await;
    wait_until("the message arrives", WAIT_TIMEOUT, async || world.cards("oAnn") == 1).await;
    let cursor = {
        let (_, page) = world.get(&shop, "/sites/hall/feed/pages?limit=5", STAFF_KEY).await;
        page["next"].as_str().map(str::to_owned).unwrap_or_else(|| panic!("{page}"))
    };
    let mut number = 21;
    for round in 0..3 {
        let to = if round % 2 == 0 { Shape::Nats } else { Shape::Sqlite };
        let mut other = world.shop(to);
        let to_config = world.write(&format!("to-{round}.toml"), &other.config);
        let to_config = to_config.to_str().unwrap();
        // Not while it runs.
        let refused = world.run(&shop, &["move", "--to", to_config]).await;
        assert!(!refused.status.success(), "it is running");
        assert!(text(&refused).contains("stop every process"), "{}", text(&refused));
        let before = world.digest(&shop).await;
        let feed = format!("/sites/hall/feed/pages?after={cursor}&limit=100");
        let events = world.get(&shop, &feed, STAFF_KEY).await;
        assert_eq!(events.0, StatusCode::OK, "{}", events.1);
        shop.stop();
        let moved = world.run_when_stopped(&shop, &["move", "--to", to_config]).await;
        assert_ran(&moved);
        let again = world.run_when_stopped(&shop, &["move", "--to", to_config]).await;
        assert!(text(&again).contains("not empty"), "{}", text(&again));

        world.start(&mut other).await;
        assert_eq!(world.digest(&other).await, before, "round {round}: the site is the same");
        assert_eq!(
            world.get(&other, &feed, STAFF_KEY).await,
            events,
            "round {round}: so is its feed"
        );
        number += 1;
        assert_eq!(world.take(&other).await, Some(number), "round {round}");
        assert_eq!(world.cards("oAnn"), 1, "round {round}: nobody is messaged twice");
        shop = other;
    }
    shop.stop();
}
