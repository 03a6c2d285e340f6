//! Tests of every call against recorded answers of WeChat, with all their peculiarities.

#![expect(clippy::disallowed_methods, reason = "it plays WeChat, with a task of its own")]

use axum::Router;
use axum::extract::{Request, State};
use paihao_wechat::menu::{Button, Menu};
use paihao_wechat::migration::{ChangedOpenId, FollowerPage};
use paihao_wechat::template::list::check_binding;
use paihao_wechat::{
    AccessToken, Api, AppId, AppSecret, CallError, Client, ClientOptions, Endpoints, FailureClass,
    MiniProgramPage, OpenId, QrRequest, RateLimit, SubscriptionNotice, TemplateMessage, UnionId,
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

/// A fake WeChat that answers with the bytes of one file and records the request.
#[derive(Clone)]
struct FakeWeChat {
    client: Client,
    file: Arc<Mutex<&'static str>>,
    last_request: Arc<Mutex<Vec<(String, String, Value)>>>,
}

impl FakeWeChat {
    async fn start() -> FakeWeChat {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base: url::Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let endpoints = Endpoints { api: base.clone(), mp: base };
        let client = Client::new(ClientOptions { endpoints, ..ClientOptions::default() }).unwrap();
        let wechat = FakeWeChat { client, file: Arc::default(), last_request: Arc::default() };
        let router = Router::new().fallback(answer).with_state(wechat.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        wechat
    }

    /// Returns the client and sets the file of the next answer.
    fn respond_with(&self, file: &'static str) -> &Client {
        *self.file.lock().unwrap() = file;
        &self.client
    }

    /// Method, path with query, and body of the last call.
    fn take_last_request(&self) -> (String, String, Value) {
        self.last_request.lock().unwrap().pop().unwrap()
    }
}

async fn answer(State(wechat): State<FakeWeChat>, request: Request) -> Vec<u8> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    wechat.last_request.lock().unwrap().push((
        parts.method.to_string(),
        parts.uri.to_string(),
        body,
    ));
    let file = *wechat.file.lock().unwrap();
    let path = format!("{}/tests/answers/{file}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|problem| panic!("{path}: {problem}"))
}

fn token() -> AccessToken {
    AccessToken::new("43_token")
}

fn app() -> (AppId, AppSecret) {
    (AppId("wx1".into()), AppSecret::new("the-secret"))
}

fn expected_request(method: &str, path: &str, body: Value) -> (String, String, Value) {
    (method.into(), path.into(), body)
}

#[tokio::test]
async fn codes_and_tokens() {
    let wechat = FakeWeChat::start().await;
    let request = QrRequest::temporary_str("q", Duration::from_secs(600));
    let code = wechat.respond_with("qrcode_create").create_qr(&token(), &request).await.unwrap();
    assert_eq!(code.url, "http://weixin.qq.com/q/02i_CE54ZYc4E1kHQ9xwcQ");
    assert_eq!(code.expires_in, Some(Duration::from_secs(600)));
    let request = QrRequest::permanent_str("q");
    let code =
        wechat.respond_with("qrcode_create_permanent").create_qr(&token(), &request).await.unwrap();
    assert_eq!((&*code.ticket, code.expires_in), ("gQE/8TwAAAA+AAAA==", None));
    let (app, secret) = app();
    let issued =
        wechat.respond_with("stable_token").stable_token(&app, &secret, false).await.unwrap();
    assert_eq!(issued.token.expose(), "90_Q8Yexample/-_");
    assert_eq!(issued.expires_in, Duration::from_secs(345));
}

#[tokio::test]
async fn a_template_messages_number_is_read_to_its_last_digit() {
    let wechat = FakeWeChat::start().await;
    let message = TemplateMessage {
        to: OpenId::new("oA"),
        template_id: "T".into(),
        url: None,
        mini_program: None,
        client_msg_id: None,
        fields: vec![("thing1".into(), "☺".into())],
    };
    for file in ["template_send", "template_send_as_text"] {
        let id = wechat.respond_with(file).send_template(&token(), &message).await.unwrap();
        assert_eq!(id.0, 3_557_254_367_693_750_277, "{file}");
    }
    let id = wechat.respond_with("done").send_template(&token(), &message).await.unwrap();
    assert_eq!(id.0, 0, "WeChat gave none");
}

#[tokio::test]
async fn the_accounts_templates() {
    let wechat = FakeWeChat::start().await;
    let all = wechat.respond_with("template_list").list_templates(&token()).await.unwrap();
    assert_eq!(all[0].keys(), ["thing1", "character_string2"]);
    assert_eq!(check_binding(&all, "T-called", ["thing1", "character_string2"]), []);
    assert_eq!(all[1].keys(), ["first", "keyword1"]);
    let path = "/cgi-bin/template/get_all_private_template?access_token=43_token";
    assert_eq!(wechat.take_last_request(), expected_request("GET", path, Value::Null));
    let dirty = wechat.respond_with("template_list_dirty").list_templates(&token()).await.unwrap();
    assert_eq!(dirty[0].keys(), ["thing1"], "control characters and bad UTF-8 are read over");
}

#[tokio::test]
async fn the_menu() {
    let wechat = FakeWeChat::start().await;
    let text = |text: &str| Some(text.to_owned());
    let take = Button {
        name: "取号".into(),
        kind: text("click"),
        key: text("paihao.take"),
        ..Button::default()
    };
    let page = Button {
        name: "官网".into(),
        kind: text("view"),
        url: text("https://hall.example/"),
        ..Button::default()
    };
    let mini_program = Button {
        name: "小程序".into(),
        kind: text("miniprogram"),
        url: text("https://hall.example/old"),
        appid: text("wx0123456789abcdef"),
        pagepath: text("pages/index"),
        ..Button::default()
    };
    let entries = vec![page, mini_program];
    let heading = Button { name: "我的排队".into(), entries, ..Button::default() };
    let menu = Menu { buttons: vec![take.clone(), heading] };

    wechat.respond_with("done").create_menu(&token(), &menu).await.unwrap();
    let body = json!({"button": [
        {"type": "click", "name": "取号", "key": "paihao.take"},
        {"name": "我的排队", "sub_button": [
            {"type": "view", "name": "官网", "url": "https://hall.example/"},
            {"type": "miniprogram", "name": "小程序", "url": "https://hall.example/old",
             "appid": "wx0123456789abcdef", "pagepath": "pages/index"},
        ]},
    ]});
    let path = "/cgi-bin/menu/create?access_token=43_token";
    assert_eq!(wechat.take_last_request(), expected_request("POST", path, body));
    let refused = wechat.respond_with("refused_menu").create_menu(&token(), &menu).await;
    let CallError::Refused(refusal) = refused.unwrap_err() else { panic!() };
    assert_eq!((refusal.name, refusal.class), ("menu_name_size", FailureClass::Configuration));

    let read = wechat.respond_with("menu_get").get_menu(&token()).await.unwrap();
    assert_eq!(read, Some(menu), "what was pushed is read as it was pushed");
    let path = "/cgi-bin/menu/get?access_token=43_token";
    assert_eq!(wechat.take_last_request(), expected_request("GET", path, Value::Null));
    assert_eq!(wechat.respond_with("no_menu").get_menu(&token()).await.unwrap(), None);

    let shown = wechat.respond_with("menu_shown").shown_menu(&token()).await.unwrap();
    let path = "/cgi-bin/get_current_selfmenu_info?access_token=43_token";
    assert_eq!(wechat.take_last_request(), expected_request("GET", path, Value::Null));
    assert!(shown.is_open);
    assert_eq!(shown.menu.buttons[0], take);
    let [address, news] = &shown.menu.buttons[1].entries[..] else { panic!("{shown:?}") };
    assert_eq!((address.kind.as_deref(), news.name.as_str()), (Some("text"), "图文"));
    assert_eq!(address.value.as_deref(), Some("城南路 1 号"));
    let closed = wechat.respond_with("menu_closed").shown_menu(&token()).await.unwrap();
    assert!(!closed.is_open && closed.menu.buttons.is_empty());

    wechat.respond_with("done").delete_menu(&token()).await.unwrap();
    let path = "/cgi-bin/menu/delete?access_token=43_token";
    assert_eq!(wechat.take_last_request(), expected_request("GET", path, Value::Null));
}

#[tokio::test]
async fn a_subscription_notice_and_a_text() {
    let wechat = FakeWeChat::start().await;
    let notice = SubscriptionNotice {
        to: OpenId::new("oA"),
        template_id: "S".into(),
        page: Some("https://hall.example/t/1".into()),
        mini_program: Some(MiniProgramPage { appid: "wx2".into(), path: String::new() }),
        fields: vec![("thing1".into(), "东区".into())],
    };
    wechat.respond_with("done").send_subscription(&token(), &notice).await.unwrap();
    let body = json!({"touser": "oA", "template_id": "S", "page": "https://hall.example/t/1",
        "miniprogram": {"appid": "wx2"},
        "data": {"thing1": {"value": "东区"}}});
    let path = "/cgi-bin/message/subscribe/bizsend?access_token=43_token";
    assert_eq!(wechat.take_last_request(), expected_request("POST", path, body));
    let to = OpenId::new("oA");
    let text = "您的号码 A012\n前面还有 3 位";
    wechat.respond_with("done_without_code").send_text(&token(), &to, text).await.unwrap();
    let body = json!({"touser": "oA", "msgtype": "text", "text": {"content": text}});
    let path = "/cgi-bin/message/custom/send?access_token=43_token";
    assert_eq!(wechat.take_last_request(), expected_request("POST", path, body));
    let debug_text = format!("{notice:?}");
    assert!(!debug_text.contains("oA") && !debug_text.contains("东区"), "{debug_text}");
}

#[tokio::test]
async fn a_person_and_a_visitor_of_a_page() {
    let wechat = FakeWeChat::start().await;
    let openid = OpenId::new("o6_bmjrPTlm6_2sgVt7hMZOPfL2M");
    let user = wechat.respond_with("user_info").user_info(&token(), &openid).await.unwrap();
    assert_eq!(
        (user.follows, user.followed_at_s, &user.openid),
        (true, Some(1_382_694_957), &openid)
    );
    assert_eq!(user.scene.as_deref(), Some("q/hall"));
    assert_eq!(user.subscribe_scene.as_deref(), Some("ADD_SCENE_QR_CODE"));
    assert_eq!(user.unionid, None, "the account belongs to no open platform");
    let path =
        "/cgi-bin/user/info?access_token=43_token&openid=o6_bmjrPTlm6_2sgVt7hMZOPfL2M&lang=zh_CN";
    assert_eq!(wechat.take_last_request(), expected_request("GET", path, Value::Null));
    let united =
        wechat.respond_with("user_info_unionid").user_info(&token(), &openid).await.unwrap();
    assert_eq!(united.unionid.as_ref().map(UnionId::expose), Some("o6_bmasdasdsad6_2sgVt7hMZOPfL"));
    assert!(!format!("{united:?}").contains("o6_bma"), "{united:?}");
    let stranger =
        wechat.respond_with("user_info_stranger").user_info(&token(), &openid).await.unwrap();
    assert_eq!((stranger.follows, stranger.followed_at_s, stranger.language), (false, None, None));

    let (app, secret) = app();
    let visitor =
        wechat.respond_with("code_exchange").exchange_code(&app, &secret, "C").await.unwrap();
    assert_eq!((visitor.openid.expose(), visitor.preview), ("oVisitor", false));
    let path =
        "/sns/oauth2/access_token?appid=wx1&secret=the-secret&code=C&grant_type=authorization_code";
    assert_eq!(wechat.take_last_request(), expected_request("GET", path, Value::Null));
    let preview =
        wechat.respond_with("code_exchange_preview").exchange_code(&app, &secret, "C").await;
    assert!(preview.unwrap().preview, "an openid that is nobody's");
}

#[tokio::test]
async fn the_people_of_an_account_that_migrates() {
    let wechat = FakeWeChat::start().await;
    let openids = |names: &[&str]| names.iter().map(|name| OpenId::new(*name)).collect::<Vec<_>>();
    let page = wechat.respond_with("followers").followers(&token(), None).await.unwrap();
    assert_eq!(
        (&page.openids, page.next.as_ref()),
        (&openids(&["oOld1", "oOld2"]), page.openids.last())
    );
    let path = "/cgi-bin/user/get?access_token=43_token&next_openid=";
    assert_eq!(wechat.take_last_request(), expected_request("GET", path, Value::Null));
    let page = wechat.respond_with("followers_end").followers(&token(), page.next.as_ref()).await;
    assert_eq!(page.unwrap(), FollowerPage { openids: Vec::new(), next: None });
    let path = "/cgi-bin/user/get?access_token=43_token&next_openid=oOld2";
    assert_eq!(wechat.take_last_request(), expected_request("GET", path, Value::Null));

    let former = openids(&["oOld1", "oOld2"]);
    let changed = wechat
        .respond_with("change_openids")
        .change_openids(&token(), "wx2", &former)
        .await
        .unwrap();
    let expected = |former: &str, new: Option<&str>| ChangedOpenId {
        former: OpenId::new(former),
        new: new.map(OpenId::new),
    };
    assert_eq!(changed, [expected("oOld1", Some("oNew1")), expected("oOld2", None)]);
    let path = "/cgi-bin/changeopenid?access_token=43_token";
    let body = json!({"from_appid": "wx2", "openid_list": ["oOld1", "oOld2"]});
    assert_eq!(wechat.take_last_request(), expected_request("POST", path, body));

    let refused = wechat
        .respond_with("refused_migration")
        .change_openids(&token(), "wx2", &former)
        .await
        .unwrap_err();
    assert_eq!(refused.class(), FailureClass::Configuration);
    assert!(!format!("{refused} {refused:?}").contains("oOld1"), "{refused:?}");
}

#[tokio::test]
async fn quotas_and_addresses() {
    let wechat = FakeWeChat::start().await;
    let quota = wechat.respond_with("quota").get_quota(&token(), Api::SendTemplate).await.unwrap();
    assert_eq!((quota.daily_limit, quota.used, quota.remain), (100_000, 99, 99_901));
    assert_eq!(quota.rate, Some(RateLimit { calls: 2_000, period: Duration::from_secs(60) }));
    let path = "/cgi-bin/openapi/quota/get?access_token=43_token";
    let body = json!({"cgi_path": "/cgi-bin/message/template/send"});
    assert_eq!(wechat.take_last_request(), expected_request("POST", path, body));
    let quota =
        wechat.respond_with("quota_without_rate").get_quota(&token(), Api::CreateQr).await.unwrap();
    assert_eq!(quota.rate, None);

    let (app, secret) = app();
    wechat.respond_with("done").clear_quota(&token(), &app).await.unwrap();
    let path = "/cgi-bin/clear_quota?access_token=43_token";
    assert_eq!(wechat.take_last_request(), expected_request("POST", path, json!({"appid": "wx1"})));
    wechat.respond_with("done").clear_quota_by_secret(&app, &secret).await.unwrap();
    let body = json!({"appid": "wx1", "appsecret": "the-secret"});
    assert_eq!(
        wechat.take_last_request(),
        expected_request("POST", "/cgi-bin/clear_quota/v2", body)
    );
    let addresses =
        wechat.respond_with("callback_addresses").callback_addresses(&token()).await.unwrap();
    assert_eq!(addresses, ["127.0.0.1", "101.226.103.0/25"]);
}

#[tokio::test]
async fn refusals_are_known_by_their_code_and_keep_what_an_operator_needs() {
    let wechat = FakeWeChat::start().await;
    let (app, secret) = app();
    for (file, meaning, sentence) in [
        (
            "refused_address",
            FailureClass::Configuration,
            "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist",
        ),
        (
            "refused_field",
            FailureClass::Permanent,
            "argument invalid! data.character_string21.value invalid",
        ),
        (
            "refused_with_hint",
            FailureClass::RetryLater(Some(Duration::from_secs(3600))),
            "reach max api daily quota limit",
        ),
        (
            "refused_window",
            FailureClass::Permanent,
            "response out of time limit or subscription is canceled",
        ),
        ("unheard_of", FailureClass::Unknown(Duration::from_secs(30)), "something new"),
    ] {
        let result = wechat.respond_with(file).send_text(&token(), &OpenId::new("oA"), "x").await;
        let Err(CallError::Refused(refusal)) = result else { panic!("{file}: {result:?}") };
        assert_eq!((refusal.class, &*refusal.sentence), (meaning, sentence), "{file}");
    }
    let used =
        wechat.respond_with("refused_code").exchange_code(&app, &secret, "C").await.unwrap_err();
    assert_eq!((used.class(), used.outcome()), (FailureClass::Permanent, "page_code_used"));
}
