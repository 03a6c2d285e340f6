//! Tests with random requests: every answer is one of the document's, and none a fault of the
//! server.

use super::everywhere::{sample_body, sample_query};
use super::fixture::{Fixture, KEY_HOLDERS};
use super::script::run_script;
use super::walk::{Coverage, OPERATIONS, Operation};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

/// Requests to each operation.
const REQUESTS_PER_OPERATION: usize = 40;

/// Strategy for any JSON of limited size.
fn any_json() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        Just(json!("A001")),
        Just(json!(u64::MAX)),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
    .boxed()
}

/// Strategy for a body: mostly an object with the operation's fields and random values, sometimes
/// random JSON or bytes.
fn request_body(operation: &Operation) -> BoxedStrategy<Vec<u8>> {
    let schema = &operation.spec["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    let name = schema.as_str().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    let fields = super::walk::DOCUMENT["components"]["schemas"][name]["properties"].as_object();
    let names: Vec<String> = fields.into_iter().flatten().map(|(name, _)| name.clone()).collect();
    let valid_body = sample_body(&operation.id).unwrap_or_else(|| json!({}));
    let fields = names.into_iter().map(|name| (Just(name), prop::option::of(any_json())));
    let changed = fields.collect::<Vec<_>>().prop_map(move |fields| {
        let mut body = valid_body.clone();
        for (name, value) in fields {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        body.to_string().into_bytes()
    });
    prop_oneof![
        6 => changed,
        2 => any_json().prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..64),
    ]
    .boxed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_sent_is_answered_as_the_document_says() {
    let fixture = Fixture::new(&Coverage::default()).await;
    run_script(
        &fixture,
        "",
        "manager take_ticket\nmanager take_ticket\nmanager open_counter counter=2",
    )
    .await;
    let mut runner = TestRunner::deterministic();
    let text = prop_oneof![3 => Just("A001".to_owned()), 2 => Just("a".to_owned()), 2 => Just("1".to_owned()), 3 => ".{1,30}"];
    let mut sample =
        |strategy: &BoxedStrategy<Vec<u8>>| strategy.new_tree(&mut runner).unwrap().current();
    let mut parameters = TestRunner::deterministic();
    for operation in OPERATIONS.values() {
        let bodies = request_body(operation);
        for turn in 0..REQUESTS_PER_OPERATION {
            let mut request =
                fixture.client.request(&operation.id).query(sample_query(&operation.id));
            if turn % 4 != 0 {
                let holder = KEY_HOLDERS[turn % KEY_HOLDERS.len()];
                request =
                    if operation.roles().is_some() { request.with_key_of(holder) } else { request };
            }
            for parameter in
                ["counter", "number", "queue", "site", "uuid", "id", "account", "kind", "letter"]
            {
                let value = text.new_tree(&mut parameters).unwrap().current();
                let keeps_default = turn % 3 != 0 || matches!(&*value, "." | "..");
                request =
                    if keeps_default { request } else { request.path_parameter(parameter, &value) };
            }
            if turn % 5 == 1 {
                let fields: Vec<_> =
                    operation.parameters().filter(|p| p["in"] == "query").collect();
                let query: Vec<_> = fields
                    .iter()
                    .map(|field| {
                        let value = text.new_tree(&mut parameters).unwrap().current();
                        let value: String =
                            value.bytes().map(|byte| format!("%{byte:02X}")).collect();
                        format!("{}={value}", field["name"].as_str().unwrap())
                    })
                    .collect();
                request = request.query(&query.join("&"));
            }
            if operation.method != "GET" {
                request = request.bytes(sample(&bodies));
            }
            request.send().await;
        }
    }
}
