//! Tests of the export and import of all settings as one file, and of previews of notices.

use super::client::{OWNER_KEY, STAFF_KEY, SettingsClient, send};
use crate::support::cluster::Cluster;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn what_is_exported_is_the_same_when_it_is_imported_elsewhere() {
    let cluster = Cluster::new();
    let gateway = SettingsClient::start(&cluster).await;
    let loan = json!({"name": "贷款", "prefix": "L", "open": false, "hours": ["mon-fri 09:00-17:00", "2026-12-31 closed"]});
    assert_eq!(gateway.put("/book/sites/hall/queues/loan", loan).await.status, 200);
    let words = json!({"news": "请到{counter}"});
    assert_eq!(gateway.put("/book/sites/hall/wording/called", words).await.status, 200);
    let toml = gateway.get("/book?format=toml").await.text;

    let elsewhere = Cluster::new();
    let empty = SettingsClient::start_with(&elsewhere, "[accounts.shop]\n[accounts.other]\n").await;
    let import = |query: &str| {
        let request = empty.request(Method::PUT, &format!("/book{query}"), OWNER_KEY);
        send(request.header("content-type", "application/toml").body(toml.clone()))
    };
    let tried = import("?dry_run=true").await;
    assert_eq!(
        (tried.status, tried.body["written"].as_array().unwrap().len()),
        (200, 1),
        "{}",
        tried.text
    );
    assert!(empty.engine.settings("hall").is_none(), "it was only tried");
    assert_eq!(import("").await.status, 200);
    assert_eq!(empty.get("/book?format=toml").await.text, toml);
    assert_eq!(
        empty.engine.settings("hall").unwrap().rules,
        gateway.engine.settings("hall").unwrap().rules
    );
    let again = import("").await;
    assert_eq!(again.body["written"], json!([]), "what is so already is not written");

    let json_form = gateway.get("/book").await.body;
    let request = empty.request(Method::PUT, "/book", OWNER_KEY).json(&json_form);
    assert_eq!(send(request).await.body["written"], json!([]));
    let request =
        empty.request(Method::PUT, "/book", OWNER_KEY).json(&json!({"sites": {"x": {"nmae": 1}}}));
    let wrong = send(request).await;
    assert_eq!((wrong.status, wrong.problem_code()), (422, "unsound_setup"));
    assert!(wrong.text.contains("did you mean `name`"), "{}", wrong.text);
    let staff = send(empty.request(Method::GET, "/book", STAFF_KEY)).await;
    assert_eq!((staff.status, staff.problem_code()), (403, "not_allowed"));
}

#[tokio::test]
async fn words_are_shown_as_they_will_be_said() {
    let cluster = Cluster::new();
    let gateway = SettingsClient::start(&cluster).await;
    let path = "/book/sites/hall/preview";
    let preview = |body| send(gateway.request(Method::POST, path, OWNER_KEY).json(&body));
    let called = preview(json!({"kind": "called"})).await;
    assert_eq!(called.body["text"], "【大厅】请 A012 到 1号窗口", "{}", called.text);
    let mut site = gateway.get("/book/sites/hall").await.body;
    site["wording"] = json!({"called": {"news": "请速到{counter}", "text": "{news}！"}});
    let binding = json!({"template_id": "T", "fields": {"thing1": "{news}", "character_string2": "{number}"}});
    let account = json!({"called": binding});
    let draft = preview(json!({"kind": "called", "setup": site, "account": account})).await;
    assert_eq!(draft.body["text"], "请速到1号窗口！", "{}", draft.text);
    let lines = &draft.body["template"]["lines"];
    assert!(lines.to_string().contains("请速到1号窗口") && lines.to_string().contains("A012"));
    let joined = preview(json!({"kind": "joined"})).await;
    assert!(joined.body["text"].as_str().unwrap().contains("取号成功 A012"), "{}", joined.text);
    assert_eq!(preview(json!({"kind": "caled"})).await.problem_code(), "unknown_wording");
}
