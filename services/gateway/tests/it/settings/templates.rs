//! Tests of the choice of templates: what a file sets, and what stays as it was.

use super::client::{BASE_SETTINGS, OWNER_KEY, SettingsClient, send};
use crate::support::cluster::Cluster;
use reqwest::Method;
use serde_json::{Value, json};

const LIST: &str = "/accounts/shop/templates";
const ACCOUNT: &str = "/book/accounts/shop";

/// Chooses no template for a kind of notice.
async fn clear(client: &SettingsClient, kind: &str) -> (u16, Value) {
    let etag = client.get(LIST).await.etag.unwrap();
    let path = format!("{ACCOUNT}/notices/{kind}");
    let request = client.request(Method::PUT, &path, OWNER_KEY).header("If-Match", etag);
    let answer = send(request.json(&json!({"message": null, "subscription": null}))).await;
    (answer.status, answer.body)
}

#[tokio::test]
async fn what_a_file_sets_is_shown_and_changed_there_until_the_account_is_changed_here() {
    let cluster = Cluster::new();
    let base = format!(
        "{BASE_SETTINGS}
        [accounts.shop.called]
        template_id = 'T'
        fields = {{ thing1 = '{{site}}' }}
        text = '请来'"
    );
    let client = SettingsClient::start_with(&cluster, &base).await;
    let list = client.get(LIST).await;
    assert_eq!(list.status, 200, "{}", list.text);
    let notices = list.body["notices"].as_array().unwrap();
    let flags: Vec<_> = notices.iter().map(|notice| &notice["set_by_file"]).collect();
    assert_eq!(flags, [&json!(true), &json!(false), &json!(false)]);
    assert_eq!(notices[0]["message"], json!({"template_id": "T", "fields": {"thing1": "{site}"}}));
    // WeChat is not there, and the list says so.
    assert_eq!(list.body["message"]["templates"], json!([]));
    assert!(list.body["message"]["refused"]["words"].is_string(), "{}", list.text);

    let (status, refused) = clear(&client, "called").await;
    assert_eq!((status, &refused["code"]), (409, &json!("set_by_file")));
    let mut account = client.get(ACCOUNT).await.body;
    account["greeting"] = json!("欢迎");
    assert_eq!(client.put_account(&account).await.status, 200);
    let list = client.get(LIST).await;
    assert_eq!(list.body["notices"][0]["set_by_file"], false);
    let (status, cleared) = clear(&client, "called").await;
    assert_eq!(status, 200, "{cleared}");
    let account = client.get(ACCOUNT).await.body;
    assert_eq!(account["called"]["template_id"], "", "{account}");
    assert_eq!(account["called"]["text"], "请来", "its text stays");
    assert_eq!(account["greeting"], "欢迎");
    let changes = client.get("/book/changes").await;
    let change = &changes.body["changes"][0];
    assert_eq!((&change["by"], &change["id"]), (&json!("owner"), &json!("shop")), "{change}");
}
