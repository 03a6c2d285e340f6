//! Tests of events: content, signatures, timeout and repeats.

use std::collections::HashMap;
use std::time::Duration;

use wechat_sim::{
    ChatContent, OnHttpError, PushOverrides, RepeatStamps, ReplyOutcome, Routing,
    SERVICE_ERROR_TEXT, ScanResult, SimAccount, signature,
};

use crate::fake::{FakeBehaviour, FakeGateway, ReceivedRequest, TestClient};

const OPENID: &str = "oPaihaoTest0000000000000001";

async fn client_with_gateways(gateways: &[&FakeGateway]) -> TestClient {
    let caller = TestClient::plain().await;
    caller.simulator.set_callback_urls(None, gateways.iter().map(|gateway| &gateway.url));
    caller
}

fn query(received: &ReceivedRequest) -> HashMap<String, String> {
    let pairs = received.query.split('&').map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[tokio::test]
async fn the_first_scan_follows_and_the_next_ones_scan() {
    let gateway = FakeGateway::new(&[FakeBehaviour::Reply("您的号码 A001")]).await;
    let caller = client_with_gateways(&[&gateway]).await;
    let url = caller.code("queue-a", 600).await;
    let outcome = caller.simulator.scan(OPENID, &url, Routing::default()).await;
    assert_eq!(
        (outcome.scan_result, outcome.reply.as_deref()),
        (Some(ScanResult::Followed), Some("您的号码 A001"))
    );
    let ticket = caller.simulator.code(&url).unwrap().ticket;
    let outcome = caller.simulator.scan(OPENID, &ticket, Routing::default()).await;
    assert_eq!(outcome.scan_result, Some(ScanResult::Scanned));

    let received = gateway.received();
    let created = received[0].body.split("<CreateTime>").nth(1).unwrap().split('<').next().unwrap();
    let expected = format!(
        "<xml><ToUserName><![CDATA[{}]]></ToUserName>\n\
         <FromUserName><![CDATA[{OPENID}]]></FromUserName>\n\
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
    let kinds: Vec<_> =
        caller.simulator.chat(OPENID).iter().map(|line| line.content.clone()).collect();
    assert!(matches!(
        &kinds[..],
        [
            ChatContent::Note { .. },
            ChatContent::Reply { .. },
            ChatContent::Note { .. },
            ChatContent::Reply { .. }
        ]
    ));
}

#[tokio::test]
async fn a_push_has_wechats_headers_and_signature() {
    let gateway = FakeGateway::new(&[FakeBehaviour::Body("success")]).await;
    let caller = client_with_gateways(&[&gateway]).await;
    caller.simulator.follow(None, OPENID).await;
    let received = &gateway.received()[0];
    let names: Vec<_> =
        received.query.split('&').map(|pair| pair.split('=').next().unwrap()).collect();
    assert_eq!(names, ["signature", "timestamp", "nonce", "openid"]);
    let query = query(received);
    let token = SimAccount::default().callback_token;
    assert_eq!(query["signature"], signature(&token, &query["timestamp"], &query["nonce"]));
    assert_eq!(query["openid"], OPENID);
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
        let entry = received.headers.iter().find(|(other, _)| other == name);
        entry.map(|(_, value)| value.as_str()).unwrap_or_default()
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
    let slow = FakeBehaviour::Delay(Duration::from_secs(60));
    for stamps in [RepeatStamps::Keep, RepeatStamps::Renew] {
        let gateway = FakeGateway::new(std::slice::from_ref(&slow)).await;
        let caller = client_with_gateways(&[&gateway]).await;
        caller.simulator.change_behaviour(|behaviour| {
            behaviour.cut = Duration::from_millis(50);
            behaviour.stamps = stamps;
        });
        let outcome = caller.simulator.follow(None, OPENID).await;
        let received = gateway.received();
        assert_eq!(received.len(), 3, "the first and two repeats");
        assert!(received.iter().all(|one| one.body == received[0].body), "the body stays the same");
        let same = received[1].query == received[0].query;
        assert_eq!(same, stamps == RepeatStamps::Keep);
        assert_eq!(outcome.pushes[0].deliveries.len(), 3);
        assert!(matches!(outcome.pushes[0].answer, ReplyOutcome::UserSawError { .. }));
        let chat = caller.simulator.chat(OPENID);
        assert!(
            matches!(&chat[1].content, ChatContent::Failure { text, .. } if text == SERVICE_ERROR_TEXT)
        );
    }
}

#[tokio::test]
async fn a_repeat_that_is_answered_counts_and_goes_to_the_next_gateway() {
    let slow = FakeGateway::new(&[FakeBehaviour::Delay(Duration::from_secs(60))]).await;
    let quick = FakeGateway::new(&[FakeBehaviour::Reply("您的号码 A002")]).await;
    let caller = client_with_gateways(&[&slow, &quick]).await;
    caller.simulator.change_behaviour(|behaviour| behaviour.cut = Duration::from_millis(500));
    let url = caller.code("q", 60).await;
    let outcome = caller.simulator.scan(OPENID, &url, Routing::default()).await;
    assert_eq!(outcome.reply.as_deref(), Some("您的号码 A002"));
    let deliveries = &outcome.pushes[0].deliveries;
    assert_eq!((deliveries[0].url.as_str(), deliveries[1].url.as_str()), (&*slow.url, &*quick.url));
    assert!(deliveries[0].problem.as_deref().unwrap().starts_with("cut"));
    caller.simulator.follow(None, OPENID).await;
    assert_eq!(quick.received().len(), 2, "the next push begins at the next address");
    assert_eq!(slow.received().len(), 1);
}

#[tokio::test]
async fn http_errors_and_refused_connections() {
    let gateway =
        FakeGateway::new(&[FakeBehaviour::Status(500), FakeBehaviour::Body("success")]).await;
    let caller = client_with_gateways(&[&gateway]).await;
    let outcome = caller.simulator.follow(None, OPENID).await;
    assert_eq!(outcome.pushes[0].answer, ReplyOutcome::Success, "repeated and then answered");

    let gateway = FakeGateway::new(&[FakeBehaviour::Status(302)]).await;
    caller.simulator.set_callback_urls(None, [&gateway.url]);
    caller
        .simulator
        .change_behaviour(|behaviour| behaviour.on_http_error = OnHttpError::ErrorAtOnce);
    caller.simulator.follow(None, OPENID).await;
    assert_eq!(gateway.received().len(), 1);

    caller.simulator.set_callback_urls(None, ["http://127.0.0.1:9/wechat"]);
    let outcome = caller.simulator.follow(None, OPENID).await;
    assert_eq!(outcome.pushes[0].deliveries.len(), 3);
    assert_eq!(outcome.pushes[0].deliveries[2].problem.as_deref(), Some("connection refused"));
}

#[tokio::test]
async fn bad_answers_are_shown_as_an_error_without_a_repeat() {
    let gateway = FakeGateway::new(&[FakeBehaviour::Body("{\"ok\":1}")]).await;
    let caller = client_with_gateways(&[&gateway]).await;
    caller.simulator.follow(None, OPENID).await;
    assert_eq!(gateway.received().len(), 1);
    assert!(matches!(&caller.simulator.chat(OPENID)[1].content, ChatContent::Failure { .. }));
    assert_eq!(caller.simulator.stats().pushes_failed, 1);
    caller.simulator.unfollow(None, OPENID).await;
    let last = caller.simulator.chat(OPENID).pop().unwrap();
    assert!(matches!(&last.content, ChatContent::Note { .. }), "who left sees no error: {last:?}");
}

#[tokio::test]
async fn expired_and_unknown_codes_give_no_event() {
    let gateway = FakeGateway::new(&[FakeBehaviour::Body("success")]).await;
    let caller = client_with_gateways(&[&gateway]).await;
    let url = caller.code("q", 60).await;
    caller.simulator.advance_clock(Duration::from_secs(61));
    let outcome = caller.simulator.scan(OPENID, &url, Routing::default()).await;
    assert_eq!(outcome.scan_result, Some(ScanResult::Expired));
    let line = &caller.simulator.chat(OPENID)[0].content;
    assert_eq!(*line, ChatContent::Note { text: "二维码已过期".into() });
    let unknown =
        caller.simulator.scan(OPENID, "http://weixin.qq.com/q/none", Routing::default()).await;
    assert_eq!(unknown.scan_result, Some(ScanResult::Unknown));
    assert!(gateway.received().is_empty());
}

#[tokio::test]
async fn one_event_reaches_two_gateways_at_the_same_time() {
    let one = FakeGateway::new(&[FakeBehaviour::Reply("您的号码 A003")]).await;
    let two = replying_gateway().await;
    let caller = TestClient::plain().await;
    let url = caller.code("q", 60).await;
    let routing = Routing::to_each([&one.url, &two.url]);
    let outcome = caller.simulator.scan(OPENID, &url, routing).await;
    assert_eq!(outcome.pushes.len(), 2);
    assert_eq!(outcome.pushes[0].deliveries[0].url, one.url);
    assert_eq!(outcome.pushes[1].deliveries[0].url, two.url);
    assert_eq!(one.received()[0].body, two.received()[0].body, "the same event");
    let replies = caller
        .simulator
        .chat(OPENID)
        .iter()
        .filter(|line| matches!(line.content, ChatContent::Reply { .. }))
        .count();
    assert_eq!(replies, 1, "and the customer sees one reply");
}

async fn replying_gateway() -> FakeGateway {
    FakeGateway::new(&[FakeBehaviour::Reply("您的号码 A003")]).await
}

#[tokio::test]
async fn only_followers_write() {
    let gateway = FakeGateway::new(&[FakeBehaviour::Body("")]).await;
    let caller = client_with_gateways(&[&gateway]).await;
    assert!(caller.simulator.send_text(None, OPENID, "你好", Routing::default()).await.is_none());
    caller.simulator.follow(None, OPENID).await;
    let outcome =
        caller.simulator.send_text(None, OPENID, "你好", Routing::default()).await.unwrap();
    assert_eq!(outcome.pushes[0].answer, ReplyOutcome::Empty);
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
    let gateway = FakeGateway::new(&[FakeBehaviour::Body("success")]).await;
    let caller = client_with_gateways(&[&gateway]).await;
    let forged = PushOverrides {
        timestamp: Some("1".into()),
        signature: Some("0".repeat(40)),
        ..PushOverrides::default()
    };
    caller.simulator.push_raw(None, OPENID, "<!DOCTYPE x><xml/>", Routing::default(), forged).await;
    let received = &gateway.received()[0];
    assert_eq!(received.body, "<!DOCTYPE x><xml/>");
    assert_eq!(
        (query(received)["timestamp"].as_str(), query(received)["signature"].len()),
        ("1", 40)
    );
}

#[tokio::test]
async fn the_server_is_verified_by_its_echo() {
    let right_echo = FakeGateway::new(&[FakeBehaviour::Body("echo")]).await;
    let wrong_echo = FakeGateway::new(&[FakeBehaviour::Body("\"echo\"")]).await;
    let caller = TestClient::plain().await;
    assert_eq!(caller.simulator.verify_server(None, &right_echo.url).await, Ok(()));
    assert!(caller.simulator.verify_server(None, &wrong_echo.url).await.is_err());
    let received = &right_echo.received()[0];
    assert_eq!(received.method, "GET");
    let names: Vec<_> =
        received.query.split('&').map(|pair| pair.split('=').next().unwrap()).collect();
    assert_eq!(names, ["signature", "echostr", "timestamp", "nonce"]);
}

#[tokio::test]
async fn a_reply_that_is_too_long_is_shown_as_an_error() {
    // Longest text by measurement: 2,047 bytes, which is 682 Chinese characters and one byte.
    let longest: &str = Box::leak(("号".repeat(682) + "1").into_boxed_str());
    let longer: &str = Box::leak("号".repeat(683).into_boxed_str());
    let gateway =
        FakeGateway::new(&[FakeBehaviour::Reply(longest), FakeBehaviour::Reply(longer)]).await;
    let caller = client_with_gateways(&[&gateway]).await;
    let outcome = caller.simulator.follow(None, OPENID).await;
    assert_eq!(outcome.reply.as_deref(), Some(longest));
    let outcome = caller.simulator.follow(None, OPENID).await;
    assert_eq!(outcome.reply, None);
    let shown = caller.simulator.chat(OPENID).pop().unwrap();
    assert!(
        matches!(&shown.content, ChatContent::Failure { text, .. } if text == SERVICE_ERROR_TEXT)
    );
}

#[tokio::test]
async fn failed_pushes_stop_all_pushes_for_a_minute_if_so_set() {
    let failing = [500, 404, 403].map(FakeBehaviour::Status);
    let script = [&failing[..], &[FakeBehaviour::Body("success")]].concat();
    let gateway = FakeGateway::new(&script).await;
    let caller = client_with_gateways(&[&gateway]).await;
    let wechat = &caller.simulator;
    wechat.change_behaviour(|behaviour| {
        (behaviour.mark_fail_after, behaviour.repeats) = (3, 0);
    });
    for _ in 0..4 {
        wechat.follow(None, OPENID).await;
    }
    assert_eq!(gateway.received().len(), 3, "the fourth push is not made");
    let others = wechat.follow(None, "oSomebodyElse").await;
    assert!(others.pushes[0].deliveries.is_empty(), "nor is anybody else's");
    assert_eq!(wechat.stats().pushes_withheld, 2);
    wechat.advance_clock(Duration::from_secs(59));
    wechat.follow(None, OPENID).await;
    assert_eq!(gateway.received().len(), 3);
    wechat.advance_clock(Duration::from_secs(1));
    let outcome = wechat.follow(None, OPENID).await;
    assert_eq!(outcome.pushes[0].answer, ReplyOutcome::Success);

    // Failures that are not in a row stop nothing, and by default no failures do.
    let failing = [FakeBehaviour::Status(500), FakeBehaviour::Status(500), FakeBehaviour::Body("")];
    let gateway = FakeGateway::new(&[&failing[..], &failing, &failing].concat()).await;
    wechat.set_callback_urls(None, [&gateway.url]);
    for _ in 0..9 {
        wechat.follow(None, OPENID).await;
    }
    wechat.change_behaviour(|behaviour| behaviour.mark_fail_after = 0);
    wechat.set_callback_urls(None, ["http://127.0.0.1:9/wechat"]);
    for _ in 0..9 {
        wechat.follow(None, OPENID).await;
    }
    assert_eq!(gateway.received().len(), 9);
    assert_eq!(wechat.stats().pushes_withheld, 3);
}

#[tokio::test]
async fn a_customers_own_words_are_passed_on_as_they_are() {
    let gateway = FakeGateway::new(&[FakeBehaviour::Body("success")]).await;
    let caller = client_with_gateways(&[&gateway]).await;
    caller.simulator.follow(None, OPENID).await;
    let says = || caller.simulator.send_text(None, OPENID, "a]]>\u{1}b", Routing::default());
    says().await.unwrap();
    assert!(gateway.received()[1].body.contains("<Content><![CDATA[a]]>\u{1}b]]></Content>"));
    caller.simulator.change_behaviour(|behaviour| behaviour.splits_cdata = true);
    says().await.unwrap();
    let split = "<Content><![CDATA[a]]]]><![CDATA[>\u{1}b]]></Content>";
    assert!(gateway.received()[2].body.contains(split));
}
