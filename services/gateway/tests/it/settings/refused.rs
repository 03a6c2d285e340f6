//! Tests of settings that contradict themselves: each is refused by name, and nothing is written.

use super::client::{OWNER_KEY, STAFF_KEY, SettingsClient, send};
use crate::support::cluster::Cluster;
use reqwest::Method;
use serde_json::{Value, json};

fn site_with(path: &str, value: Value) -> Value {
    let mut site = json!({
        "account": "shop",
        "name": "大厅",
        "queues": {"cash": {"name": "存取款", "prefix": "A"}},
        "counters": {"1": {"name": "1号窗口", "queues": ["cash"]}},
    });
    let (parent, name) = path.rsplit_once('/').unwrap();
    site.pointer_mut(parent).unwrap()[name] = value;
    site
}

#[tokio::test]
async fn every_contradiction_is_named_with_where_it_stands() {
    let cluster = Cluster::new();
    let gateway = SettingsClient::start(&cluster).await;
    let queue = |more: Value| {
        let mut queue = json!({"name": "贷款", "prefix": "L"});
        queue.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        queue
    };
    for (path, value, key) in [
        ("/account", json!("nobody"), "account"),
        ("/account", json!("other"), "account"),
        ("/name", json!(""), "name"),
        ("/time_zone", json!("Asia/Shangri-La"), "time_zone"),
        ("/day_starts_at", json!(24), "day_starts_at"),
        ("/dates", json!(["2027-02-12..2027-02-06 closed"]), "dates"),
        ("/queues/Loan!", queue(json!({})), "queues.Loan!"),
        ("/queues/loan", queue(json!({"prefix": "A"})), "queues.loan.prefix"),
        ("/queues/loan", queue(json!({"prefix": "IO"})), "queues.loan.prefix"),
        ("/queues/loan", queue(json!({"hours": ["mon 12:00-12:00"]})), "queues.loan.hours"),
        (
            "/queues/loan",
            queue(json!({"hours": ["mon 09:00-12:00 11:00-13:00"]})),
            "queues.loan.hours",
        ),
        ("/queues/loan", queue(json!({"minutes": 0})), "queues.loan.minutes"),
        ("/queues/loan", queue(json!({"missed_lane": true})), "queues.loan.missed_lane"),
        ("/queues/loan", queue(json!({"daily_cap": 5, "capacity": 6})), "queues.loan.capacity"),
        ("/counters/2", json!({"name": "2", "queues": ["lone"]}), "counters.2.queues"),
        ("/wording", json!({"called": {"news": "{nubmer}"}}), "wording.called.news"),
        ("/wording", json!({"caled": {"news": "x"}}), "wording.caled"),
        ("/wording", json!({"joined": {"text": "{counter}"}}), "wording.joined.text"),
    ] {
        let response = gateway.put("/book/sites/hall", site_with(path, value)).await;
        assert_eq!(
            (response.status, response.problem_code()),
            (422, "unsound_setup"),
            "{path}: {}",
            response.text
        );
        let keys: Vec<_> =
            response.body["problems"].as_array().unwrap().iter().map(|p| &p["key"]).collect();
        assert!(keys.contains(&&json!(format!("sites.hall.{key}"))), "{path}: {keys:?}");
    }
    let unknown_field = gateway.put("/book/sites/hall", site_with("/nmae", json!("x"))).await;
    assert_eq!((unknown_field.status, unknown_field.problem_code()), (400, "malformed_request"));
    assert_eq!(gateway.get("/book/sites/hall").await.etag.unwrap(), "\"0\"", "nothing was written");
}

/// A conflict has one code in a part, in a site and in a file.
#[tokio::test]
async fn a_contradiction_has_the_same_code_whichever_way_it_comes() {
    let cluster = Cluster::new();
    let gateway = SettingsClient::start(&cluster).await;
    let queue = json!({"name": "存取款", "prefix": "A", "missed_lane": true});
    let site = site_with("/queues/cash", queue.clone());
    let file = json!({"sites": {"hall": site}});
    let import = gateway.request(Method::PUT, "/book", OWNER_KEY).json(&file);
    for response in [
        gateway.put("/book/sites/hall/queues/cash", queue).await,
        gateway.put("/book/sites/hall", site).await,
        send(import).await,
    ] {
        let problem = &response.body["problems"][0];
        assert_eq!(problem["code"], "lane_without_turns", "{}", response.text);
        assert_eq!(problem["key"], "sites.hall.queues.cash.missed_lane");
    }
    let unbound = json!({"called": {"channels": ["template"]}});
    let request =
        gateway.request(Method::PUT, "/book/accounts/shop", OWNER_KEY).header("If-Match", "\"0\"");
    let response = send(request.json(&unbound)).await;
    assert_eq!(response.body["problems"][0]["code"], "no_template", "{}", response.text);
}

#[tokio::test]
async fn an_account_says_only_what_wechat_shows() {
    let cluster = Cluster::new();
    let gateway = SettingsClient::start(&cluster).await;
    let called = |fields: Value| json!({"called": {"template_id": "T", "fields": fields}});
    for (setup, key) in [
        (called(json!({"first": "{site}"})), "called.fields.first"),
        (called(json!({"time4": "{number}"})), "called.fields.time4"),
        (called(json!({"thing1": "{openid}"})), "called.fields.thing1"),
        (json!({"channels": []}), "channels"),
        (json!({"missed": {"channels": ["subscription"]}}), "missed.subscription"),
        (json!({"greeting": "欢".repeat(700)}), "greeting"),
    ] {
        let request = gateway.request(Method::PUT, "/book/accounts/shop", OWNER_KEY);
        let response = send(request.header("If-Match", "\"0\"").json(&setup)).await;
        assert_eq!(
            (response.status, response.problem_code()),
            (422, "unsound_setup"),
            "{key}: {}",
            response.text
        );
        assert!(
            response.text.contains(&format!("accounts.shop.{key}")),
            "{key}: {}",
            response.text
        );
    }
    assert_eq!(gateway.get("/book/accounts/nobody").await.problem_code(), "unknown_account");
    let staff = send(gateway.request(Method::GET, "/book/accounts/shop", STAFF_KEY)).await;
    assert_eq!((staff.status, staff.problem_code()), (403, "not_allowed"));
    let valid = called(json!({"thing1": "{site}", "character_string2": "{number}"}));
    let request =
        gateway.request(Method::PUT, "/book/accounts/shop", OWNER_KEY).header("If-Match", "\"0\"");
    assert_eq!(send(request.json(&valid)).await.status, 200);
}

#[tokio::test]
async fn words_and_other_systems_of_an_account_are_checked() {
    let cluster = Cluster::new();
    let gateway = SettingsClient::start(&cluster).await;
    let target = |name: &str, url: &str| json!({"name": name, "url": url, "pushes": ["texts"]});
    let good = "https://crm.example.com/";
    for (account, key, code) in [
        (json!({"keywords": {"取消！": {"text": "x"}}}), "keywords.取消！", Some("usual_word")),
        (
            json!({"keywords": {"a": "leave", "Ａ": {"text": "x"}}}),
            "keywords.Ａ",
            Some("word_twice"),
        ),
        (json!({"keywords": {"？": "leave"}}), "keywords.？", None),
        (json!({"menu": {"K": {"queue": "hall"}}}), "menu.K", None),
        (json!({"codes": "page"}), "codes", Some("codes_without_address")),
        (json!({"customer_service": {"kf_account": "x"}}), "customer_service.kf_account", None),
        (
            json!({"forward": [target("a", good), target("a", good)]}),
            "forward.1.name",
            Some("forward_twice"),
        ),
        (json!({"forward": [target("A!", good)]}), "forward.0.name", None),
        (
            json!({"forward": [target("a", "https://169.254.169.254/s3cret")]}),
            "forward.0.url",
            Some("bad_forward"),
        ),
        (
            json!({"forward": [target("a", "http://crm.example.com/s3cret")]}),
            "forward.0.url",
            Some("bad_forward"),
        ),
    ] {
        let response = gateway.put_account(&account).await;
        assert_eq!((response.status, response.problem_code()), (422, "unsound_setup"), "{account}");
        let found = &response.body["problems"][0];
        assert_eq!(found["key"], format!("accounts.shop.{key}"), "{account}: {}", response.text);
        assert_eq!(found["code"].as_str(), code, "{account}");
        assert!(!response.text.contains("s3cret"), "{}", response.text);
    }
}

#[tokio::test]
async fn what_an_older_program_cannot_read_is_written_only_if_the_operator_allows_it() {
    let cluster = Cluster::new();
    let words = json!({"keywords": {"停车": {"text": "地下一层"}}});
    for (allowed, status) in [(1, 409), (2, 200)] {
        let gateway = SettingsClient::start_writing(&cluster, allowed).await;
        let plain = gateway.put_account(&json!({"greeting": "你好"})).await;
        assert_eq!(plain.status, 200, "{}", plain.text);
        let response = gateway.put_account(&words).await;
        assert_eq!(response.status, status, "{}", response.text);
        if status == 409 {
            assert_eq!(response.problem_code(), "forms_held_back");
        }
    }
}
