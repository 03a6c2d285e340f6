//! Tests of English names of sites, queues and counters.

use super::client::{SettingsClient, send};
use crate::support::cluster::Cluster;
use reqwest::Method;
use serde_json::{Value, json};

const ENGLISH: [&str; 3] = ["South Hall", "Cash", "Counter 1"];

/// The hall's document with English names, or without.
async fn put_names(
    client: &SettingsClient,
    names: [Option<&str>; 3],
) -> super::client::ApiResponse {
    let mut site = client.get("/book/sites/hall").await.body;
    let places = ["", "/queues/cash", "/counters/1"];
    for (place, name) in places.into_iter().zip(names) {
        let document = site.pointer_mut(place).unwrap().as_object_mut().unwrap();
        document.remove("name_en");
        document.extend(name.map(|name| ("name_en".to_owned(), json!(name))));
    }
    client.put("/book/sites/hall", site).await
}

/// Every value in an answer whose field is an English name.
fn english_names(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().flat_map(english_names).collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, value)| match value {
                Value::String(name) if key.ends_with("name_en") => vec![name.as_str()],
                value => english_names(value),
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn an_english_name_is_told_wherever_the_name_is_and_only_where_there_is_one() {
    let cluster = Cluster::new();
    let client = SettingsClient::start(&cluster).await;
    let act = async |path: &str| {
        let response = send(client.request(Method::POST, path, super::client::OWNER_KEY)).await;
        assert_eq!(response.status, 200, "{path}: {}", response.text);
        response.body
    };
    let taken = act("/sites/hall/queues/cash/tickets").await;
    act("/sites/hall/counters/1/open").await;
    act("/sites/hall/counters/1/call-next").await;
    let held = taken["link"].as_str().unwrap().replace("/t/", "/tickets/");
    let [site, queue, counter] = ENGLISH;
    let answers: [(&str, &[&str]); 5] = [
        ("/sites", &[site]),
        ("/sites/hall", &[site, queue, counter, counter]),
        ("/sites/hall/desk", &[site, queue, counter, counter]),
        ("/sites/hall/tickets/A001/slip", &ENGLISH),
        (&held, &ENGLISH),
    ];
    for (path, _) in answers {
        let answer = client.get(path).await;
        assert_eq!((answer.status, english_names(&answer.body)), (200, vec![]), "{path}");
    }
    let put = put_names(&client, ENGLISH.map(Some)).await;
    assert_eq!(put.status, 200, "{}", put.text);
    for (path, expected) in answers {
        let answer = client.get(path).await;
        let mut names = english_names(&answer.body);
        let mut expected = expected.to_vec();
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names, expected, "{path}: {}", answer.text);
    }
    let exported = client.get("/book?format=toml").await.text;
    for name in ENGLISH {
        assert!(exported.contains(&format!("name_en = \"{name}\"")), "{exported}");
    }
    assert_eq!(put_names(&client, [None; 3]).await.status, 200);
    assert!(!client.get("/book?format=toml").await.text.contains("name_en"));
}

#[tokio::test]
async fn an_english_name_that_nobody_can_read_is_refused() {
    let cluster = Cluster::new();
    let client = SettingsClient::start(&cluster).await;
    let long = "x".repeat(41);
    for name in ["", " ", "two\nlines", &long] {
        for (i, key) in ["name_en", "queues.cash.name_en", "counters.1.name_en"].iter().enumerate()
        {
            let mut names = [None; 3];
            names[i] = Some(name);
            let response = put_names(&client, names).await;
            assert_eq!(response.problem_code(), "unsound_setup", "{key}: {name:?}");
            let found = &response.body["problems"][0]["key"];
            assert_eq!(found, &json!(format!("sites.hall.{key}")), "{}", response.text);
        }
    }
}

#[tokio::test]
async fn english_names_are_written_only_where_every_program_reads_them() {
    let cluster = Cluster::new();
    for (generation, status) in [(1, 409), (2, 200)] {
        for i in 0..3 {
            let client = SettingsClient::start_writing(&cluster, generation).await;
            let mut names = [None; 3];
            names[i] = Some(ENGLISH[i]);
            let response = put_names(&client, names).await;
            assert_eq!(response.status, status, "{}", response.text);
        }
    }
}
