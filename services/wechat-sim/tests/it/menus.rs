//! Tests of the account's menu: the calls, and what a press on an entry pushes.

use serde_json::{Value, json};
use wechat_sim::PressError;

use crate::fake::{FakeBehaviour, FakeGateway, TestClient};

const OPENID: &str = "oPaihaoTest0000000000000001";
const CREATE: &str = "/cgi-bin/menu/create";

fn menu() -> Value {
    json!({ "button": [
        { "type": "click", "name": "取号", "key": "TAKE" },
        { "name": "更多", "sub_button": [
            { "type": "view", "name": "官网", "url": "https://example.com/a?b=c" },
            { "type": "miniprogram", "name": "小程序", "appid": "wx0123456789abcdef",
              "pagepath": "pages/index", "url": "https://example.com/" },
            { "type": "scancode_waitmsg", "name": "扫码", "key": "SCAN" },
        ]},
    ]})
}

async fn get(caller: &TestClient, path: &str) -> Value {
    caller.get(&format!("{path}?access_token={}", caller.token)).await
}

#[tokio::test]
async fn a_menu_is_made_read_and_deleted() {
    let caller = TestClient::plain().await;
    let none = get(&caller, "/cgi-bin/menu/get").await;
    assert_eq!(none["errcode"], 46003);
    assert!(none["errmsg"].as_str().unwrap().starts_with("menu no exist rid: "), "{none}");
    let shown = get(&caller, "/cgi-bin/get_current_selfmenu_info").await;
    assert_eq!(shown["is_menu_open"], 0);

    let long = json!({ "button": [{ "type": "click", "name": "六个汉字太长", "key": "K" }] });
    let refused = caller.with_token(CREATE, long).await;
    assert_eq!(refused["errcode"], 40018);
    assert!(refused["errmsg"].as_str().unwrap().starts_with("invalid button name size"));
    assert_eq!(get(&caller, "/cgi-bin/menu/get").await["errcode"], 46003, "nothing was made");

    assert_eq!(caller.with_token(CREATE, menu()).await["errcode"], 0);
    let made = get(&caller, "/cgi-bin/menu/get").await;
    assert_eq!(made["menu"]["button"][0]["key"], "TAKE");
    assert_eq!(made["menu"]["button"][0]["sub_button"], json!([]));
    assert_eq!(made["menu"]["button"][1]["sub_button"][1]["pagepath"], "pages/index");
    let shown = get(&caller, "/cgi-bin/get_current_selfmenu_info").await;
    assert_eq!(shown["is_menu_open"], 1);
    let entries = &shown["selfmenu_info"]["button"][1]["sub_button"]["list"];
    assert_eq!(entries[0]["url"], "https://example.com/a?b=c");

    assert_eq!(get(&caller, "/cgi-bin/menu/delete").await["errcode"], 0);
    assert_eq!(get(&caller, "/cgi-bin/menu/get").await["errcode"], 46003);
    assert_eq!(caller.simulator.menu(None), Value::Null);
}

#[tokio::test]
async fn an_account_without_the_right_makes_reads_and_deletes_no_menu() {
    let caller = TestClient::plain().await;
    assert_eq!(caller.with_token(CREATE, menu()).await["errcode"], 0);
    caller.post("/sim/api/behaviour", json!({ "menu_permitted": false })).await;
    let refused = caller.with_token(CREATE, menu()).await;
    assert_eq!(refused["errcode"], 48001);
    assert!(refused["errmsg"].as_str().unwrap().starts_with("api unauthorized rid: "), "{refused}");
    for path in ["menu/get", "menu/delete", "get_current_selfmenu_info"] {
        assert_eq!(get(&caller, &format!("/cgi-bin/{path}")).await["errcode"], 48001, "{path}");
    }
    caller.post("/sim/api/behaviour", json!({ "menu_permitted": true })).await;
    let kept = get(&caller, "/cgi-bin/menu/get").await;
    assert_eq!(kept["menu"]["button"][0]["key"], "TAKE", "nothing was deleted");
}

#[tokio::test]
async fn each_account_has_a_menu_of_its_own_and_a_bad_token_reads_none() {
    let caller = TestClient::plain().await;
    caller.simulator.set_menu(None, &menu());
    let refused = caller.get("/cgi-bin/menu/get?access_token=1_forged").await;
    assert_eq!(refused["errcode"], 40001);
    let quota = json!({ "cgi_path": CREATE });
    let quota = caller.with_token("/cgi-bin/openapi/quota/get", quota).await;
    assert_eq!(quota["quota"]["daily_limit"], 1000);
    assert_eq!(quota["quota"]["used"], 0, "a menu that the test made counts for nothing");
}

#[tokio::test]
async fn a_press_pushes_what_the_entry_is() {
    let caller = TestClient::plain().await;
    let gateway = FakeGateway::new(&[FakeBehaviour::Body("success")]).await;
    caller.simulator.set_callback_urls(None, [&gateway.url]);
    caller.simulator.set_menu(None, &menu());
    let press = async |button, entry| {
        caller.simulator.press(None, OPENID, (button, entry), Default::default()).await
    };
    assert_eq!(press(0, None).await.unwrap_err(), PressError::NotFollowing);
    caller.simulator.follow(None, OPENID).await;

    press(0, None).await.unwrap();
    let opened = press(1, Some(0)).await.unwrap();
    assert_eq!(opened.opens.as_deref(), Some("https://example.com/a?b=c"));
    press(1, Some(1)).await.unwrap();
    let received = gateway.received();
    let bodies: Vec<_> = received.iter().skip(1).map(|push| push.body.as_str()).collect();
    for (body, elements) in bodies.iter().zip([
        "<Event><![CDATA[CLICK]]></Event>\n<EventKey><![CDATA[TAKE]]></EventKey>\n</xml>",
        "<Event><![CDATA[VIEW]]></Event>\n<EventKey><![CDATA[https://example.com/a?b=c]]></EventKey>\n\
         <MenuId>1</MenuId>\n</xml>",
        "<Event><![CDATA[view_miniprogram]]></Event>\n<EventKey><![CDATA[pages/index]]></EventKey>\n\
         <MenuId>1</MenuId>\n</xml>",
    ]) {
        assert!(body.ends_with(elements), "{body}");
    }
    assert_eq!(bodies.len(), 3);
    assert_eq!(press(1, Some(2)).await.unwrap_err(), PressError::NotPlayed);
    for (button, entry) in [(1, None), (2, None), (0, Some(0))] {
        assert_eq!(press(button, entry).await.unwrap_err(), PressError::NoSuchEntry);
    }
}

#[tokio::test]
async fn a_tap_on_a_choice_sends_its_text_and_its_id() {
    let caller = TestClient::plain().await;
    let gateway = FakeGateway::new(&[FakeBehaviour::Body("success")]).await;
    caller.simulator.set_callback_urls(None, [&gateway.url]);
    caller.simulator.follow(None, OPENID).await;
    caller.simulator.choose(None, OPENID, "取号 存取款", "101", Default::default()).await.unwrap();
    let received = gateway.received();
    let body = &received.last().unwrap().body;
    assert!(body.contains("<Content><![CDATA[取号 存取款]]></Content>"), "{body}");
    assert!(body.ends_with("<bizmsgmenuid><![CDATA[101]]></bizmsgmenuid>\n</xml>"), "{body}");
}
