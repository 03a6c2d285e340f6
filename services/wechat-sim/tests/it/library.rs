//! Tests of the public library of templates: what it lists, adds and refuses.

use crate::fake::TestClient;
use serde_json::{Value, json};
use wechat_sim::SimTemplate;

const ADD: &str = "/cgi-bin/template/api_add_template";
const ADD_SUBSCRIPTION: &str = "/wxaapi/newtmpl/addtemplate";

async fn get(caller: &TestClient, path: &str, query: &str) -> Value {
    caller.get(&format!("{path}?access_token={}{query}", caller.token)).await
}

#[tokio::test]
async fn a_template_message_is_added_by_number_and_keywords_and_can_be_sent() {
    let caller = TestClient::plain().await;
    for (body, errcode) in [
        (json!({"template_id_short": "99999", "keyword_name_list": ["门店名称"]}), 40037),
        (json!({"template_id_short": "43524"}), 40246),
        (
            json!({"template_id_short": "43524", "keyword_name_list": ["门店名称", "门店名称"]}),
            40246,
        ),
        (json!({"template_id_short": "43524", "keyword_name_list": ["店名"]}), 40246),
    ] {
        assert_eq!(caller.with_token(ADD, body.clone()).await["errcode"], errcode, "{body}");
    }
    let body = json!({"template_id_short": "43524", "keyword_name_list": ["排队号码", "温馨提示"]});
    let added = caller.with_token(ADD, body.clone()).await;
    let id = added["template_id"].as_str().unwrap_or_else(|| panic!("{added}"));
    let list = get(&caller, "/cgi-bin/template/get_all_private_template", "").await;
    let listed = list["template_list"].as_array().unwrap();
    let own = listed.iter().find(|one| one["template_id"] == id).unwrap();
    assert_eq!(own["content"], "排队号码：{{character_string2.DATA}}\n温馨提示：{{thing3.DATA}}\n");
    while caller.with_token(ADD, body.clone()).await["errcode"] == 0 {}
    assert_eq!(caller.with_token(ADD, body).await["errcode"], 200_012, "twenty-five at most");
}

#[tokio::test]
async fn a_subscription_notice_is_found_by_category_title_and_keywords() {
    let caller = TestClient::plain().await;
    let category = &get(&caller, "/wxaapi/newtmpl/getcategory", "").await["data"][0]["id"];
    let titles = "/wxaapi/newtmpl/getpubtemplatetitles";
    for (query, errcode) in [
        ("&ids=1&start=0&limit=30".to_owned(), 200_018),
        (format!("&ids={category}&start=x&limit=30"), 200_016),
        (format!("&ids={category}&start=0&limit=31"), 200_017),
    ] {
        assert_eq!(get(&caller, titles, &query).await["errcode"], errcode, "{query}");
    }
    let page = get(&caller, titles, &format!("&ids={category}&start=1&limit=2")).await;
    assert_eq!((&page["count"], page["data"].as_array().unwrap().len()), (&json!(4), 2));
    let tid = &page["data"][0]["tid"];
    let keywords = "/wxaapi/newtmpl/getpubtemplatekeywords";
    assert_eq!(get(&caller, keywords, "&tid=9").await["errcode"], 200_014);
    let listed = get(&caller, keywords, &format!("&tid={tid}")).await;
    assert_eq!(listed["data"][1]["name"], "排队号码");
    assert_eq!(listed["data"][1]["rule"], "character_string");
    for (body, errcode) in [
        (json!({"tid": "9", "kidList": [1, 2], "sceneDesc": ""}), 200_014),
        (json!({"tid": tid, "kidList": [1], "sceneDesc": ""}), 200_022),
        (json!({"tid": tid, "kidList": [1, 9], "sceneDesc": ""}), 200_020),
        (
            json!({"tid": tid, "kidList": [1, 2], "sceneDesc": "一二三四五六七八九十一二三四五六"}),
            200_021,
        ),
    ] {
        let refused = caller.with_token(ADD_SUBSCRIPTION, body.clone()).await;
        assert_eq!(refused["errcode"], errcode, "{body}");
    }
    let body = json!({"tid": tid.to_string(), "kidList": [2, 1], "sceneDesc": "叫号时通知"});
    let added = caller.with_token(ADD_SUBSCRIPTION, body).await;
    let id = added["priTmplId"].as_str().unwrap_or_else(|| panic!("{added}"));
    let list = get(&caller, "/wxaapi/newtmpl/gettemplate", "").await;
    assert_eq!(list["data"][0]["priTmplId"], SimTemplate::DEMO_SUBSCRIPTION_CALLED);
    let own = list["data"].as_array().unwrap().iter().find(|one| one["priTmplId"] == id).unwrap();
    assert_eq!(own["content"], "排队号码:{{character_string2.DATA}}\n门店名称:{{thing1.DATA}}\n");
    // A template of one kind is none of the other.
    let message = json!({"touser": "o", "template_id": id, "data": {}});
    let refused = caller.with_token("/cgi-bin/message/template/send", message).await;
    assert_eq!(refused["errcode"], 40037);
}
