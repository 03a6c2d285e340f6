//! Tests of replies to messages of every kind: empty ones, customer service.

use crate::support::cluster::Cluster;
use crate::support::wechat::event_elements;
use paihao_contracts::settings::{AccountSetup, CustomerServiceSetup};
use reqwest::StatusCode;

/// Messages that nothing here answers.
const MESSAGES: [&str; 6] = [
    "<MsgType>text</MsgType><Content>你们几点下班</Content><MsgId>1</MsgId>",
    "<MsgType>image</MsgType><PicUrl>http://a/b</PicUrl><MediaId>m</MediaId><MsgId>2</MsgId>",
    "<MsgType>voice</MsgType><MediaId>m</MediaId><Format>amr</Format>\
     <Recognition>你好。</Recognition><MsgId>3</MsgId>",
    "<MsgType>voice</MsgType><MediaId>m</MediaId><Format>amr</Format><MsgId>4</MsgId>",
    "<MsgType>video</MsgType><MediaId>m</MediaId><ThumbMediaId>t</ThumbMediaId><MsgId>5</MsgId>",
    "<MsgType>location</MsgType><Location_X>1</Location_X><Location_Y>2</Location_Y>\
     <Scale>3</Scale><Label>x</Label><MsgId>6</MsgId>",
];

#[tokio::test]
async fn what_nothing_answers_is_handed_on_to_people_if_the_owner_says_so() {
    let service = |kf_account: Option<&str>| {
        Some(CustomerServiceSetup { kf_account: kf_account.map(str::to_owned) })
    };
    for (service, transferred, account) in [
        (None, false, false),
        (service(None), true, false),
        (service(Some("ming@gh_shop")), true, true),
    ] {
        let cluster = Cluster::new();
        let setup = AccountSetup { customer_service: service, ..AccountSetup::default() };
        let gateway = cluster.start(cluster.setup_with_account(setup)).await;
        for message in MESSAGES {
            let (status, reply) = gateway.push("oAnn", message).await;
            assert_eq!(status, StatusCode::OK);
            let is_transferred = reply.contains("<![CDATA[transfer_customer_service]]>")
                && reply.contains("<ToUserName><![CDATA[oAnn]]>");
            assert_eq!(is_transferred, transferred, "{message}: {reply}");
            let names_account = reply
                .contains("<TransInfo><KfAccount><![CDATA[ming@gh_shop]]></KfAccount></TransInfo>");
            assert_eq!(names_account, account, "{message}: {reply}");
            assert!(transferred || reply == "success", "{reply}");
        }
        // What is ours, and what no person wrote, is not handed on.
        for (own, expected) in [
            ("<MsgType>text</MsgType><Content>进度</Content><MsgId>9</MsgId>", "hold no number"),
            (
                "<MsgType>voice</MsgType><Recognition>进度。</Recognition><MsgId>8</MsgId>",
                "no number",
            ),
            (&event_elements("CLICK", "THEIRS", "1"), "success"),
            (&event_elements("SCAN", "123", "2"), "success"),
            (&event_elements("LOCATION", "", "3"), "success"),
            ("<MsgType>hologram</MsgType>", "success"),
        ] {
            let reply = gateway.push("oAnn", own).await.1;
            assert!(reply.contains(expected), "{own}: {reply}");
        }
    }
}

#[tokio::test]
async fn an_empty_text_is_success_and_never_an_empty_content() {
    for empty in ["", " ", "\n\u{3000}"] {
        let cluster = Cluster::new();
        let account = AccountSetup { greeting: Some(empty.to_owned()), ..AccountSetup::default() };
        let gateway = cluster.start(cluster.setup_with_account(account)).await;
        let reply = gateway.push("oAnn", &event_elements("subscribe", "", "")).await.1;
        assert_eq!(reply, "success", "{empty:?}");
    }
}
