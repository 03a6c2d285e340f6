//! Tests of opening hours as people write them: what is stored is what every program reads.

use super::client::{MANAGER_KEY, SettingsClient, send};
use crate::support::cluster::Cluster;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn hours_are_stored_in_the_form_that_every_program_reads() {
    let cluster = Cluster::new();
    let client = SettingsClient::start(&cluster).await;
    let mut site = client.get("/book/sites/hall").await.body;
    site["dates"] = json!(["2027年2月6日至12日 放假"]);
    site["queues"]["cash"]["hours"] =
        json!(["周一至周五 9:00-17:30", "周六 9:00-12:00", "周日休息"]);
    site["counters"]["1"]["shifts"] = json!(["工作日 上午9点-12点"]);
    let put = client.put("/book/sites/hall", site).await;
    assert_eq!(put.status, 200, "{}", put.text);
    let stored = client.get("/book/sites/hall").await.body;
    assert_eq!(stored["dates"], json!(["2027-02-06..2027-02-12 closed"]));
    let hours = &stored["queues"]["cash"]["hours"];
    assert_eq!(*hours, json!(["mon-fri 09:00-17:30", "sat 09:00-12:00"]));
    assert_eq!(stored["counters"]["1"]["shifts"], json!(["mon-fri 09:00-12:00"]));

    // What is in the stored form already stays as it was written.
    let mut site = stored.clone();
    site["queues"]["cash"]["hours"] = json!(["mon 9:00-12:00", "MON 13:00-17:00"]);
    assert_eq!(client.put("/book/sites/hall", site.clone()).await.status, 200);
    assert_eq!(client.get("/book/sites/hall").await.body, site);
    let parts = json!({"queues": {"cash": ["每天 9:00-12:00"]}});
    assert_eq!(client.put("/book/sites/hall/hours", parts).await.status, 200);
    let stored = client.get("/book/sites/hall/hours").await.body;
    assert_eq!(stored["queues"]["cash"], json!(["mon-sun 09:00-12:00"]));
    cluster.tasks.abort();
}

async fn read(client: &SettingsClient, path: &str, body: Value) -> Value {
    let request = client.request(Method::POST, &format!("/book/hours/{path}"), MANAGER_KEY);
    let answer = send(request.json(&body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body
}

#[tokio::test]
async fn a_list_of_holidays_is_laid_over_the_hours_that_there_are() {
    let cluster = Cluster::new();
    let client = SettingsClient::start(&cluster).await;
    let text = "2026年国庆节：10月1日（周四）至7日（周三）放假调休。10月10日（周六）上班。";
    let dates = ["2026-09-28..2026-10-03 09:00-12:00"];
    let same =
        json!({"a": ["mon-fri 09:00-17:00"], "b": ["mon-fri 09:00-17:00", "sat 10:00-12:00"]});
    let read_over = json!({"text": text, "dates": dates, "queues": same});
    let reading = read(&client, "holidays", read_over).await;
    let expected = [
        "2026-09-28..2026-09-30 09:00-12:00",
        "2026-10-01..2026-10-07 closed",
        "2026-10-10 09:00-17:00",
    ];
    assert_eq!(reading["dates"], json!(expected));
    assert_eq!(reading["queues"], same, "the queues agree on a Monday");
    assert_eq!(reading["parts"][1]["dates"][0]["kind"], "workday");

    // Queues that differ on a Monday have a working day each.
    let differing = json!({"a": ["mon-fri 09:00-17:00"], "b": ["mon 10:00-12:00"]});
    let reading = read(&client, "holidays", json!({"text": text, "queues": differing})).await;
    assert_eq!(reading["queues"]["b"], json!(["mon 10:00-12:00", "2026-10-10 10:00-12:00"]));
    let wrong_year = json!({"text": "10月10日（周六）上班", "year": 2027});
    let reading = read(&client, "holidays", wrong_year).await;
    let problem = json!({"code": "other_weekday", "about": "2027-10-10", "weekday": 6});
    assert_eq!(reading["parts"][0]["problem"], problem);
    cluster.tasks.abort();
}
