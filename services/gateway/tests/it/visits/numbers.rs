//! Tests of the statistics of a small day, computed by hand.

use super::visit_writer::{append_history, history_entries};
use crate::support::cluster::Cluster;
use crate::support::engine::{at_counter, command, finish, take_ticket};
use crate::support::gateway::{Gateway, read_json};
use paihao_domain::{Act, CounterId, CounterTicket, TicketId};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

async fn submit_after(
    cluster: &Cluster,
    gateway: &Gateway,
    minutes: u64,
    command: paihao_domain::Command,
) {
    cluster.clock.advance(Duration::from_secs(minutes * 60));
    let day = gateway.engine.snapshot("hall").unwrap().site.day();
    gateway.engine.submit("hall", command.on_day(day)).await.unwrap();
}

fn served_ticket(counter: CounterId) -> CounterTicket {
    CounterTicket { counter, number: None }
}

/// Runs a day from 10:00 on. Ann waits for 2 minutes and is served for 7. Ben waits for 10 and is
/// served for 20; his end is undone and repeated. Cai leaves. Dan is missed for good. Eva is called
/// from behind the others and is still served at the end. Fay waits.
async fn run_day(cluster: &Cluster, gateway: &Gateway) {
    let submit = |minutes, command| submit_after(cluster, gateway, minutes, command);
    submit(0, at_counter("1", Act::OpenCounter, "1")).await;
    submit(0, take_ticket("ann")).await;
    submit(0, take_ticket("ben")).await;
    submit(2, at_counter("1", Act::CallNext, "2")).await;
    submit(1, at_counter("1", |c| Act::Start(served_ticket(c)), "3")).await;
    submit(2, take_ticket("cai")).await;
    submit(1, command("leave", Act::Leave { ticket: TicketId(3), reason: Some("走了".into()) }))
        .await;
    submit(4, at_counter("1", finish, "4")).await;
    submit(0, at_counter("1", Act::CallNext, "5")).await;
    submit(0, at_counter("1", |c| Act::Start(served_ticket(c)), "6")).await;
    submit(20, at_counter("1", finish, "7")).await;
    submit(0, command("undo", Act::Undo(TicketId(2)))).await;
    submit(0, at_counter("1", finish, "8")).await;
    // It is 10:30.
    submit(30, take_ticket("dan")).await;
    submit(0, take_ticket("eva")).await;
    submit(0, take_ticket("fay")).await;
    let over = Act::CallTicket {
        counter: CounterId::new("1"),
        ticket: TicketId(5),
        reason: Some("老人".into()),
    };
    submit(1, command("over", over)).await;
    submit(0, at_counter("2", Act::OpenCounter, "9")).await;
    submit(1, at_counter("2", Act::CallNext, "10")).await;
    submit(1, at_counter("2", |c| Act::Miss(served_ticket(c)), "11")).await;
    submit(
        0,
        command("dan leaves", Act::Leave { ticket: TicketId(4), reason: Some("过号".into()) }),
    )
    .await;
}

async fn get_statistics(gateway: &Gateway, query: &str) -> Value {
    let (status, numbers) = gateway.get_json(&format!("/numbers{query}")).await;
    assert_eq!(status, StatusCode::OK, "{numbers}");
    numbers
}

#[tokio::test]
async fn a_service_that_nobody_started_counts_from_its_call() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    let submit = |minutes, command| submit_after(&cluster, &gateway, minutes, command);
    submit(0, at_counter("1", Act::OpenCounter, "1")).await;
    submit(0, take_ticket("ann")).await;
    submit(2, at_counter("1", Act::CallNext, "2")).await;
    submit(6, at_counter("1", finish, "3")).await;
    let last = append_history(&cluster, history_entries(&cluster).await).await;
    gateway.visits.until(last).await;
    let day = get_statistics(&gateway, "?from=2026-11-20").await;
    let six_minutes = json!({"count": 1, "median_s": 360, "p90_s": 360});
    assert_eq!(day["rows"][0]["serving"], six_minutes);
}

#[tokio::test]
async fn a_small_day_adds_up() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    run_day(&cluster, &gateway).await;
    let last = append_history(&cluster, history_entries(&cluster).await).await;
    gateway.visits.until(last).await;

    let day = get_statistics(&gateway, "?from=2026-11-20").await;
    assert_eq!((&day["zone"], &day["by"]), (&json!("Asia/Shanghai"), &json!("day")));
    assert_eq!(day["rows"].as_array().unwrap().len(), 1);
    let row = &day["rows"][0];
    assert_eq!((&row["day"], &row["queue_name"]), (&json!("2026-11-20"), &json!("存取款")));
    let expected = json!({
        "taken": 6, "served": 2, "missed": 0, "left": 2, "void": 0, "here": 2,
        "unanswered_calls": 1,
        // The waits are ann 2, ben 10 and dan 2 minutes.
        "waiting": {"count": 3, "median_s": 120, "p90_s": 600},
        // The services are ann 7 and ben 20 minutes.
        "serving": {"count": 2, "median_s": 420, "p90_s": 1200},
        "overtaken": {"people": 1, "priority": 0, "returned": 0, "transferred": 0, "resumed": 0,
                      "taken_back": 0, "out_of_order": 1},
    });
    for (figure, value) in expected.as_object().unwrap() {
        assert_eq!(&row[figure], value, "{figure}: {row}");
        assert_eq!(&day["total"][figure], value, "{figure}");
        assert_eq!(&day["all_queues"][0][figure], value, "{figure}");
    }
    // Only ben had to wait and was called: he was quoted 5 to 7 minutes and waited for ten. Dan and
    // the people who came with him found a free counter.
    let estimate = json!({"count": 1, "kept": 0.0, "mean_error_minutes": 5.0,
        "median_error_minutes": 5.25, "bias_minutes": -5.0});
    assert_eq!(row["estimate"], estimate);

    let hours = get_statistics(&gateway, "?from=2026-11-20&by=hour&queue=a").await;
    let taken: Vec<_> =
        hours["rows"].as_array().unwrap().iter().map(|r| (&r["hour"], &r["taken"])).collect();
    assert_eq!(taken, [(&json!(10), &json!(3)), (&json!(11), &json!(3))]);
    assert_eq!(get_statistics(&gateway, "?queue=b").await["rows"], json!([]));
    assert_eq!(
        get_statistics(&gateway, "?from=2026-11-01&to=2026-11-19").await["total"]["taken"],
        0
    );
}

#[tokio::test]
async fn what_is_written_twice_and_in_another_order_counts_once_and_as_it_was_last() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    run_day(&cluster, &gateway).await;
    let mut history = history_entries(&cluster).await;
    append_history(&cluster, history.clone()).await;
    history.reverse();
    let last = append_history(&cluster, history).await;
    gateway.visits.until(last).await;
    let total = &get_statistics(&gateway, "").await["total"];
    assert_eq!((&total["taken"], &total["served"]), (&json!(6), &json!(2)), "{total}");
}

#[tokio::test]
async fn the_table_has_the_same_figures_and_bad_questions_are_refused() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    run_day(&cluster, &gateway).await;
    let last = append_history(&cluster, history_entries(&cluster).await).await;
    gateway.visits.until(last).await;
    let response = gateway.get("/numbers.csv").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
    let table = response.text().await.unwrap();
    let lines: Vec<_> = table.trim_start_matches('\u{feff}').lines().collect();
    assert!(lines[0].starts_with("day,hour,queue,queue_name,taken,served,missed,left,void,here,"));
    assert!(
        lines[1]
            .starts_with("2026-11-20,,a,存取款,6,2,0,2,0,2,1,3,120,600,2,420,1200,1,0,5,5.25,-5,"),
        "{table}"
    );
    assert!(lines[1].ends_with(",1,0,0,0,0,0,1,1"), "{table}");
    assert_eq!(lines.len(), 2);
    for query in ["?from=yesterday", "?from=2026-11-20&to=2026-11-19", "?by=week", "?who=ann"] {
        let (status, problem) = gateway.get_json(&format!("/numbers{query}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(problem["code"], "malformed_request");
    }
    let stranger = gateway.get_with_key("/numbers", "nobody's").send().await.unwrap();
    assert_eq!(read_json(stranger).await.0, StatusCode::UNAUTHORIZED);
}
