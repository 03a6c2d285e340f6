//! Tests of people who unfollow while a store is away: they are forgotten once it is back, and
//! those who have come back meanwhile are not.

use crate::support::away_stores::AwayStores;
use crate::support::cluster::Cluster;
use crate::support::engine::{take_ticket, ticket_number};
use crate::support::gateway::Gateway;
use crate::support::wait_until;
use bytes::Bytes;
use paihao_cache::Cache;
use paihao_contracts::streams::{LEDGER, OUTCOMES, erasures_key, sent_index_key};
use paihao_contracts::unfollowed::Unfollowed;
use paihao_domain::{CommandId, Person};
use paihao_gateway::engine::SiteSnapshot;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use paihao_wechat::{OpenId, PersonTags};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

const ANN: &str = "oAnn0123456789abcdefghijk";

/// Number of tickets of the hall that name a person.
fn named(gateway: &Gateway, person: &str) -> usize {
    let person = Person::new(person);
    gateway.engine.snapshot("hall").unwrap().site.tickets_of(&person).count()
}

fn trace_key(person: &str) -> String {
    sent_index_key("shop", &PersonTags::of_former_versions().tag("shop", &OpenId::new(person)))
}

async fn leave_trace(stores: &AwayStores, person: &str) {
    let hour = Duration::from_secs(3600);
    stores.cache.put(&trace_key(person), Bytes::from_static(b"1"), hour).await.unwrap();
}

async fn has_trace(stores: &AwayStores, person: &str) -> bool {
    stores.cache.get(&trace_key(person)).await.unwrap().is_some()
}

async fn queued_people(stores: &AwayStores) -> usize {
    let queued = stores.cache.get(&erasures_key("shop")).await.unwrap();
    queued.map_or(0, |value| serde_json::from_slice::<Unfollowed>(&value).unwrap().people.len())
}

#[tokio::test]
async fn whoever_unfollows_is_forgotten_once_both_stores_are_there() {
    for (ledger_away, cache_away) in [(false, false), (true, false), (false, true), (true, true)] {
        let case = format!("ledger away: {ledger_away}, cache away: {cache_away}");
        let cluster = Cluster::new();
        let stores = AwayStores::new(&cluster);
        let gateway = stores.start(&cluster).await;
        assert_eq!(ticket_number(gateway.engine.submit("hall", take_ticket(ANN)).await), "A001");
        leave_trace(&stores, ANN).await;
        stores.set_away(ledger_away, cache_away);
        let status = gateway.push_unsubscribe(ANN).await;
        if ledger_away && cache_away {
            // WeChat repeats the push.
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{case}");
            stores.set_away(false, false);
            assert_eq!(gateway.push_unsubscribe(ANN).await, StatusCode::OK, "{case}");
        } else {
            assert_eq!(status, StatusCode::OK, "{case}");
        }
        stores.set_away(false, false);
        wait_until(&case, async || {
            // The ledger goes by this clock.
            cluster.clock.advance(Duration::from_millis(100));
            named(&gateway, ANN) == 0 && !has_trace(&stores, ANN).await
        })
        .await;
        wait_until("nobody is queued", async || queued_people(&stores).await == 0).await;
        cluster.tasks.abort();
    }
}

#[tokio::test]
async fn an_erasure_that_another_process_queued_is_carried_out_and_spares_who_came_back() {
    let cluster = Cluster::new();
    let stores = AwayStores::new(&cluster);
    let gateway = stores.start(&cluster).await;
    let ben = "oBen0123456789abcdefghijk";
    gateway.engine.submit("hall", take_ticket(ANN)).await.unwrap();
    gateway.engine.submit("hall", take_ticket(ben)).await.unwrap();
    stores.set_away(true, false);
    assert_eq!(gateway.push_unsubscribe(ANN).await, StatusCode::OK);
    assert_eq!(gateway.push_unsubscribe(ben).await, StatusCode::OK);
    assert_eq!(queued_people(&stores).await, 2);
    cluster.tasks.stop_and_wait().await;

    // Ben follows again and takes another number before anybody gets to it.
    let cluster = cluster.restarted();
    stores.set_away(false, false);
    cluster.clock.advance(Duration::from_secs(5));
    let elsewhere = cluster.start(cluster.hall_setup()).await;
    let mut again = take_ticket(ben);
    again.id = CommandId([7; 16]);
    let mut leaving = crate::support::engine::command(
        "leave",
        paihao_domain::Act::Withdraw { person: Person::new(ben) },
    );
    leaving.actor = paihao_domain::Actor::Customer(Person::new(ben));
    elsewhere.engine.submit("hall", leaving).await.unwrap();
    assert_eq!(ticket_number(elsewhere.engine.submit("hall", again).await), "A003");

    let gateway = stores.start(&cluster).await;
    wait_until("nobody is queued", async || queued_people(&stores).await == 0).await;
    assert_eq!((named(&gateway, ANN), named(&gateway, ben)), (0, 2));
    let site = gateway.engine.snapshot("hall").unwrap().site;
    assert!(site.live_ticket_of(&Person::new(ben)).is_some());
    cluster.tasks.abort();
}

#[tokio::test]
async fn a_refusal_of_wechat_tells_who_unfollowed_unheard_and_no_other_outcome_does() {
    let refused = |code: i64| json!({"fate": "refused", "code": code, "name": "x"});
    let tried = |code: i64| json!([{"channel": "template", "reason": "x", "code": code}]);
    // Outcome, earlier attempts, time after the ticket, and whether the person is forgotten.
    let cases: [(Value, Value, i64, bool); 8] = [
        (refused(43004), json!([]), 1, true),
        (refused(43101), tried(43004), 1, true),
        (json!({"fate": "sent", "message_id": 1}), json!([]), 1, false),
        (refused(43101), json!([]), 1, false),
        (refused(0), json!([]), 1, false),
        (json!({"fate": "gave_up", "last": "x"}), json!([]), 1, false),
        (json!({"fate": "stale"}), json!([]), 1, false),
        // The person took the number after that.
        (refused(43004), json!([]), -1, false),
    ];
    let cluster = Cluster::new();
    let gateway = cluster.start(cluster.account_setup()).await;
    let people: Vec<String> = (0..cases.len()).map(|index| format!("oPerson{index}")).collect();
    for person in &people {
        gateway.engine.submit("hall", take_ticket(person)).await.unwrap();
    }
    let snapshot = gateway.engine.snapshot("hall").unwrap();
    let day = snapshot.site.day().unwrap().0;
    for (index, (outcome, earlier, after, _)) in cases.iter().enumerate() {
        let taken_at = snapshot.site.tickets().nth(index).unwrap().taken_at.0;
        let mut record = json!({
            "v": 1, "key": format!("hall/{day}/{}/called#1", index + 1), "fate": outcome,
            "at": taken_at + after, "attempts": 1,
        });
        if earlier != &json!([]) {
            record["tried"] = earlier.clone();
        }
        let subject = Subject::new(&["shop", &format!("n{index}")]).unwrap();
        let entry = Entry::new(record.to_string());
        cluster.ledger.append(&OUTCOMES, &subject, ExpectedPosition::Any, entry).await.unwrap();
    }
    let forgotten = |case: usize| named(&gateway, &people[case]) == 0;
    for (case, (.., is_forgotten)) in cases.iter().enumerate() {
        if *is_forgotten {
            wait_until("whoever unfollowed is forgotten", async || forgotten(case)).await;
        }
    }
    // Each outcome is handled: the last one has been, in whatever order.
    let head = cluster.ledger.head(&LEDGER).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(cluster.ledger.head(&LEDGER).await.unwrap(), head);
    for (case, (outcome, _, _, is_forgotten)) in cases.iter().enumerate() {
        assert_eq!(forgotten(case), *is_forgotten, "{outcome}");
    }
    cluster.tasks.abort();
}

#[tokio::test]
async fn a_refusal_concerns_the_holder_of_its_day_and_nobody_else_with_the_id() {
    let cluster = Cluster::new();
    let stores = AwayStores::new(&cluster);
    let gateway = stores.start(&cluster).await;
    let ben = "oBen0123456789abcdefghijk";
    gateway.engine.submit("hall", take_ticket(ANN)).await.unwrap();
    let yesterday = gateway.engine.snapshot("hall").unwrap();
    cluster.clock.advance(Duration::from_secs(24 * 3600));
    gateway.engine.submit("hall", take_ticket(ben)).await.unwrap();
    let today = gateway.engine.snapshot("hall").unwrap();
    let id_and_day = |snapshot: &SiteSnapshot| {
        let ticket = snapshot.site.tickets().next().unwrap().id;
        (ticket.0, snapshot.site.day().unwrap().0)
    };
    let ((id, first_day), (same_id, last_day)) = (id_and_day(&yesterday), id_and_day(&today));
    assert_eq!((same_id, last_day), (id, first_day + 1), "each day begins anew");

    let refuse = async |day: i32| {
        let record = json!({
            "v": 1, "key": format!("hall/{day}/{id}/called#1"),
            "fate": {"fate": "refused", "code": 43004, "name": "x"}, "at": 1, "attempts": 1,
        });
        let subject = Subject::new(&["shop", &format!("n{day}")]).unwrap();
        let entry = Entry::new(record.to_string());
        cluster.ledger.append(&OUTCOMES, &subject, ExpectedPosition::Any, entry).await.unwrap();
    };
    for (day, meant, other) in [(last_day, ben, ANN), (first_day, ANN, ben)] {
        leave_trace(&stores, ANN).await;
        leave_trace(&stores, ben).await;
        for nobodys in [first_day - 2, first_day - 1, last_day + 1] {
            refuse(nobodys).await;
        }
        refuse(day).await;
        wait_until("the holder is meant", async || !has_trace(&stores, meant).await).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(has_trace(&stores, other).await, "{day}: {other} is not meant");
    }
    cluster.tasks.abort();
}
