//! Story of an account that may not make codes: from the poster to the end of the service.

use crate::doctor::run::run_doctor;
use crate::support::cluster::STAFF_KEY;
use crate::support::gateway::{HALL, process_configuration, start_program, wait_until_ready};
use crate::support::http::{client, send_json};
use harness::{free_port, wait_until};
use paihao_chassis::clock::{Clock, SystemClock};
use reqwest::StatusCode;
use serde_json::json;
use std::time::Duration;
use wechat_sim::{
    ChatContent, Fault, PushOverrides, ReplyOutcome, Routing, SimAccount, SimConfig, Simulator,
};

/// Body of a push about a code that was scanned by a menu entry of the kind `scancode_waitmsg`.
fn scanned_body(account: &SimAccount, person: &str, content: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[{}]]></ToUserName>\n\
         <FromUserName><![CDATA[{person}]]></FromUserName>\n<CreateTime>{}</CreateTime>\n\
         <MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[scancode_waitmsg]]></Event>\n\
         <EventKey><![CDATA[SCAN]]></EventKey>\n<ScanCodeInfo><ScanType><![CDATA[qrcode]]></ScanType>\n\
         <ScanResult><![CDATA[{content}]]></ScanResult>\n</ScanCodeInfo>\n</xml>",
        account.original_id,
        SystemClock.now_ms() / 1000,
    )
}

#[tokio::test]
async fn an_account_without_the_right_to_make_codes_serves_from_end_to_end() {
    let account = SimAccount::default();
    let wechat = Simulator::start(SimConfig::default()).await.unwrap();
    for path in ["/cgi-bin/qrcode/create", "/cgi-bin/template/get_all_private_template"] {
        wechat.add_fault(Fault::errcode(path, 48001));
    }
    let [port, admin] = [free_port(), free_port()];
    let url = format!("http://127.0.0.1:{port}");
    let text = format!(
        "
        {process}
        gateway.public = '{url}'
        [accounts.shop]
        appid = '{}'
        secret = '{}'
        callback_token = '{}'
        mode = 'plain'
        codes = 'page'
        [staff.tests]
        key = '{STAFF_KEY}'
        sites = ['hall']
        {HALL}
        ",
        account.appid,
        account.secret,
        account.callback_token,
        process = process_configuration(port, admin, &wechat.base_url()),
    );
    let _program = start_program(&text);
    let http = client();
    wait_until_ready(&http, &format!("http://127.0.0.1:{admin}")).await;
    wechat.set_callback_urls(None, [format!("{url}/wechat/shop")]);

    // The doctor tells what the account can do, before and after the setting.
    let findings = async |text: &str| {
        let run = run_doctor(text).await;
        &run.problems() | &run.passed()
    };
    let found = findings(&text).await;
    assert!(found.contains("shop codes_by_page"), "{found:?}");
    let found = findings(&text.replace("codes = 'page'", "")).await;
    assert!(found.contains("shop codes_not_permitted"), "{found:?}");

    // A poster and a kiosk have codes all the same.
    let poster = http.get(format!("{url}/poster/hall")).send().await.unwrap();
    assert_eq!(poster.status(), StatusCode::OK);
    let open = http.post(format!("{url}/api/v1/scan-sessions"));
    let (status, _) = send_json(open.json(&json!({"site": "hall", "queue": "a"}))).await;
    assert_eq!(status, StatusCode::CREATED);

    // A number by a word, by a scan from the menu, and on the page.
    wechat.follow(None, "oAnn").await;
    wechat.follow(None, "oBen").await;
    let reply = wechat.send_text(None, "oAnn", "取号。", Routing::default()).await.unwrap().reply;
    assert!(reply.as_ref().unwrap().contains("取号成功 A001"), "{reply:?}");
    let body = scanned_body(&account, "oBen", &format!("{url}/q/q_hall_a"));
    let (routing, forged) = (Routing::default(), PushOverrides::default());
    let pushes = wechat.push_raw(None, "oBen", &body, routing, forged).await;
    let ReplyOutcome::Text { content } = &pushes[0].answer else { panic!("{pushes:?}") };
    assert!(content.contains("取号成功 A002") && content.contains("前面 1 位"), "{content}");
    let page = http.get(format!("{url}/q/q_hall_a")).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let take = http.post(format!("{url}/api/v1/page-codes/q_hall_a/tickets"));
    let (status, taken) = send_json(take.json(&json!({}))).await;
    assert_eq!((status, &taken["number"]), (StatusCode::CREATED, &json!("A003")), "{taken}");

    // Each is called, told, served and done.
    let staff = async |act: &str| {
        let request = http.post(format!("{url}/api/v1/sites/hall/counters/1/{act}"));
        let (status, answer) = send_json(request.bearer_auth(STAFF_KEY).json(&json!({}))).await;
        assert!(status.is_success(), "{act}: {answer}");
        answer
    };
    staff("open").await;
    for number in ["A001", "A002", "A003"] {
        let called = staff("call-next").await;
        assert!(called.to_string().contains(number), "{called}");
        if number == "A001" {
            wait_until("oAnn is told", Duration::from_secs(30), async || {
                wechat.chat("oAnn").iter().any(|line| {
                    matches!(&line.content, ChatContent::Service { text } if text.contains("A001"))
                })
            })
            .await;
        }
        staff("start").await;
        staff("finish").await;
    }
    let page = http.get(format!("{url}{}", taken["path"].as_str().unwrap())).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let reply = wechat.send_text(None, "oAnn", "进度", Routing::default()).await.unwrap().reply;
    assert!(reply.as_ref().unwrap().contains("回复「取号」"), "{reply:?}");
    assert_eq!(wechat.stats().pushes_failed, 0, "no customer saw an error");
}
