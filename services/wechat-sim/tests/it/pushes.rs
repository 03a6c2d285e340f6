//! Events: their content, their signatures, the cut and the repeats.

use std::collections::HashMap;
use std::time::Duration;

use wechat_sim::{
    Answer, ERROR_SENTENCE, Forged, OnHttpError, RepeatStamps, Routing, Seen, Shown, SimAccount,
    signature,
};

use crate::fake::{Caller, Does, Gateway, Received};

const O: &str = "oPaihaoTest0000000000000001";

async fn with(gateways: &[&Gateway]) -> Caller {
    let caller = Caller::plain().await;
    caller.wechat.set_callback_urls(None, gateways.iter().map(|gateway| &gateway.url));
    caller
}

fn query(received: &Received) -> HashMap<String, String> {
    let pairs = received.query.split('&').map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[tokio::test]
async fn the_first_scan_follows_and_the_next_ones_scan() {
    let gateway = Gateway::new(&[Does::Replies("您的号码 A001")]).await;
    let caller = with(&[&gateway]).await;
    let url = caller.code("queue-a", 600).await;
    let outcome = caller.wechat.scan(O, &url, Routing::default()).await;
    assert_eq!(
        (outcome.seen, outcome.reply.as_deref()),
        (Some(Seen::Followed), Some("您的号码 A001"))
    );
    let ticket = caller.wechat.code(&url).unwrap().ticket;
    let outcome = caller.wechat.scan(O, &ticket, Routing::default()).await;
    assert_eq!(outcome.seen, Some(Seen::Scanned));

    let received = gateway.received();
    let created = received[0].body.split("<CreateTime>").nth(1).unwrap().split('<').next().unwrap();
    let expected = format!(
        "<xml><ToUserName><![CDATA[{}]]></ToUserName>\n\
         <FromUserName><![CDATA[{O}]]></FromUserName>\n\
         <CreateTime>{created}</CreateTime>\n\
         <MsgType><![CDATA[event]]></MsgType>\n\
         <Event><![CDATA[subscribe]]></Event>\n\
         <EventKey><![CDATA[qrscene_queue-a]]></EventKey>\n\
         <Ticket><![CDATA[{ticket}]]></Ticket>\n\
         </xml>",
        SimAccount::default().original_id
    );
    assert_eq!(received[0].body, expected);
    let second = received[1].body.replace("subscribe", "SCAN").replace("qrscene_", "");
    assert!(
        second
            .contains("<Event><![CDATA[SCAN]]></Event>\n<EventKey><![CDATA[queue-a]]></EventKey>")
    );
    let kinds: Vec<_> = caller.wechat.chat(O).iter().map(|line| line.shown.clone()).collect();
    assert!(matches!(
        &kinds[..],
        [Shown::Note { .. }, Shown::Reply { .. }, Shown::Note { .. }, Shown::Reply { .. }]
    ));
}

#[tokio::test]
async fn a_push_has_wechats_headers_and_signature() {
    let gateway = Gateway::new(&[Does::Says("success")]).await;
    let caller = with(&[&gateway]).await;
    caller.wechat.follow(None, O).await;
    let received = &gateway.received()[0];
    let names: Vec<_> =
        received.query.split('&').map(|pair| pair.split('=').next().unwrap()).collect();
    assert_eq!(names, ["signature", "timestamp", "nonce", "openid"]);
    let query = query(received);
    let token = SimAccount::default().callback_token;
    assert_eq!(query["signature"], signature(&token, &query["timestamp"], &query["nonce"]));
    assert_eq!(query["openid"], O);
    assert!(query["nonce"].bytes().all(|byte| byte.is_ascii_digit()));
    let created: u64 = received
        .body
        .split("<CreateTime>")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let stamped: u64 = query["timestamp"].parse().unwrap();
    assert!((created..=created + 1).contains(&stamped));
    let header = |name: &str| {
        let found = received.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    assert_eq!(header("user-agent"), "Mozilla/4.0");
    assert_eq!(header("accept"), "*/*");
    assert_eq!(header("pragma"), "no-cache");
    assert_eq!(header("content-type"), "text/xml");
    assert_eq!(header("content-length"), received.body.len().to_string());
    assert!(
        received.body.contains("<EventKey><![CDATA[]]></EventKey>")
            && !received.body.contains("Ticket")
    );
}

#[tokio::test]
async fn a_slow_answer_is_cut_and_the_push_repeated_twice() {
    let slow = Does::Slow(Duration::from_secs(60));
    for stamps in [RepeatStamps::Keep, RepeatStamps::Renew] {
        let gateway = Gateway::new(std::slice::from_ref(&slow)).await;
        let caller = with(&[&gateway]).await;
        caller.wechat.behave(|behaviour| {
            behaviour.cut = Duration::from_millis(50);
            behaviour.stamps = stamps;
        });
        let outcome = caller.wechat.follow(None, O).await;
        let received = gateway.received();
        assert_eq!(received.len(), 3, "the first and two repeats");
        assert!(received.iter().all(|one| one.body == received[0].body), "the body stays the same");
        let same = received[1].query == received[0].query;
        assert_eq!(same, stamps == RepeatStamps::Keep);
        assert_eq!(outcome.pushes[0].deliveries.len(), 3);
        assert!(matches!(outcome.pushes[0].answer, Answer::UserSawError { .. }));
        let chat = caller.wechat.chat(O);
        assert!(matches!(&chat[1].shown, Shown::Failure { text, .. } if text == ERROR_SENTENCE));
    }
}

#[tokio::test]
async fn a_repeat_that_is_answered_counts_and_goes_to_the_next_gateway() {
    let slow = Gateway::new(&[Does::Slow(Duration::from_secs(60))]).await;
    let quick = Gateway::new(&[Does::Replies("您的号码 A002")]).await;
    let caller = with(&[&slow, &quick]).await;
    caller.wechat.behave(|behaviour| behaviour.cut = Duration::from_millis(50));
    let url = caller.code("q", 60).await;
    let outcome = caller.wechat.scan(O, &url, Routing::default()).await;
    assert_eq!(outcome.reply.as_deref(), Some("您的号码 A002"));
    let deliveries = &outcome.pushes[0].deliveries;
    assert_eq!((deliveries[0].url.as_str(), deliveries[1].url.as_str()), (&*slow.url, &*quick.url));
    assert!(deliveries[0].problem.as_deref().unwrap().starts_with("cut"));
    caller.wechat.follow(None, O).await;
    assert_eq!(quick.received().len(), 2, "the next push begins at the next address");
    assert_eq!(slow.received().len(), 1);
}

#[tokio::test]
async fn http_errors_and_refused_connections() {
    let gateway = Gateway::new(&[Does::Status(500), Does::Says("success")]).await;
    let caller = with(&[&gateway]).await;
    let outcome = caller.wechat.follow(None, O).await;
    assert_eq!(outcome.pushes[0].answer, Answer::Success, "repeated and then answered");

    let gateway = Gateway::new(&[Does::Status(302)]).await;
    caller.wechat.set_callback_urls(None, [&gateway.url]);
    caller.wechat.behave(|behaviour| behaviour.on_http_error = OnHttpError::ErrorAtOnce);
    caller.wechat.follow(None, O).await;
    assert_eq!(gateway.received().len(), 1);

    caller.wechat.set_callback_urls(None, ["http://127.0.0.1:9/wechat"]);
    let outcome = caller.wechat.follow(None, O).await;
    assert_eq!(outcome.pushes[0].deliveries.len(), 3);
    assert_eq!(outcome.pushes[0].deliveries[2].problem.as_deref(), Some("connection refused"));
}

#[tokio::test]
async fn bad_answers_are_shown_as_an_error_without_a_repeat() {
    let gateway = Gateway::new(&[Does::Says("{\"ok\":1}")]).await;
    let caller = with(&[&gateway]).await;
    caller.wechat.follow(None, O).await;
    assert_eq!(gateway.received().len(), 1);
    assert!(matches!(&caller.wechat.chat(O)[1].shown, Shown::Failure { .. }));
    assert_eq!(caller.wechat.stats().pushes_failed, 1);
    caller.wechat.unfollow(None, O).await;
    let last = caller.wechat.chat(O).pop().unwrap();
    assert!(matches!(&last.shown, Shown::Note { .. }), "who left sees no error: {last:?}");
}

#[tokio::test]
async fn expired_and_unknown_codes_give_no_event() {
    let gateway = Gateway::new(&[Does::Says("success")]).await;
    let caller = with(&[&gateway]).await;
    let url = caller.code("q", 60).await;
    caller.wechat.advance(Duration::from_secs(61));
    let outcome = caller.wechat.scan(O, &url, Routing::default()).await;
    assert_eq!(outcome.seen, Some(Seen::Expired));
    let line = &caller.wechat.chat(O)[0].shown;
    assert_eq!(*line, Shown::Note { text: "二维码已过期".into() });
    let unknown = caller.wechat.scan(O, "http://weixin.qq.com/q/none", Routing::default()).await;
    assert_eq!(unknown.seen, Some(Seen::Unknown));
    assert!(gateway.received().is_empty());
}

#[tokio::test]
async fn one_event_reaches_two_gateways_at_the_same_time() {
    let one = Gateway::new(&[Does::Replies("您的号码 A003")]).await;
    let two = one_more().await;
    let caller = Caller::plain().await;
    let url = caller.code("q", 60).await;
    let routing = Routing::to_each([&one.url, &two.url]);
    let outcome = caller.wechat.scan(O, &url, routing).await;
    assert_eq!(outcome.pushes.len(), 2);
    assert_eq!(outcome.pushes[0].deliveries[0].url, one.url);
    assert_eq!(outcome.pushes[1].deliveries[0].url, two.url);
    assert_eq!(one.received()[0].body, two.received()[0].body, "the same event");
    let replies = caller
        .wechat
        .chat(O)
        .iter()
        .filter(|line| matches!(line.shown, Shown::Reply { .. }))
        .count();
    assert_eq!(replies, 1, "and the customer sees one reply");
}

async fn one_more() -> Gateway {
    Gateway::new(&[Does::Replies("您的号码 A003")]).await
}

#[tokio::test]
async fn only_followers_write() {
    let gateway = Gateway::new(&[Does::Says("")]).await;
    let caller = with(&[&gateway]).await;
    assert!(caller.wechat.send_text(None, O, "你好", Routing::default()).await.is_none());
    caller.wechat.follow(None, O).await;
    let outcome = caller.wechat.send_text(None, O, "你好", Routing::default()).await.unwrap();
    assert_eq!(outcome.pushes[0].answer, Answer::Empty);
    let body = &gateway.received()[1].body;
    assert!(
        body.contains(
            "<MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[你好]]></Content>\n<MsgId>"
        ),
        "{body}"
    );
}

#[tokio::test]
async fn forged_queries_and_raw_bodies_are_sent_as_they_are() {
    let gateway = Gateway::new(&[Does::Says("success")]).await;
    let caller = with(&[&gateway]).await;
    let forged = Forged {
        timestamp: Some("1".into()),
        signature: Some("0".repeat(40)),
        ..Forged::default()
    };
    caller.wechat.push_raw(None, O, "<!DOCTYPE x><xml/>", Routing::default(), forged).await;
    let received = &gateway.received()[0];
    assert_eq!(received.body, "<!DOCTYPE x><xml/>");
    assert_eq!(
        (query(received)["timestamp"].as_str(), query(received)["signature"].len()),
        ("1", 40)
    );
}

#[tokio::test]
async fn the_server_is_verified_by_its_echo() {
    let good = Gateway::new(&[Does::Says("echo")]).await;
    let bad = Gateway::new(&[Does::Says("\"echo\"")]).await;
    let caller = Caller::plain().await;
    assert_eq!(caller.wechat.verify_server(None, &good.url).await, Ok(()));
    assert!(caller.wechat.verify_server(None, &bad.url).await.is_err());
    let received = &good.received()[0];
    assert_eq!(received.method, "GET");
    let names: Vec<_> =
        received.query.split('&').map(|pair| pair.split('=').next().unwrap()).collect();
    assert_eq!(names, ["signature", "echostr", "timestamp", "nonce"]);
}
