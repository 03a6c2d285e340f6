//! Callbacks as WeChat pushes them, and as an attacker would.

use paihao_wechat::OpenId;
use paihao_wechat::callback::{
    Article, BadXml, Event, Kind, Message, news_reply, parse, text_reply,
};
use proptest::prelude::*;

const LIMIT: usize = 64 << 10;

fn read(body: &str) -> Result<Message, BadXml> {
    parse(body.as_bytes(), LIMIT)
}

/// A push in WeChat's layout, with these elements after the head.
fn push(rest: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_de0f036ce08f]]></ToUserName>\n\
         <FromUserName><![CDATA[ooUo26seZPcU3qKfcMiXLneG3fO4]]></FromUserName>\n\
         <CreateTime>1670592443</CreateTime>\n{rest}\n</xml>"
    )
}

fn event(name: &str, key: &str) -> String {
    push(&format!(
        "<MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[{name}]]></Event>\n\
         <EventKey><![CDATA[{key}]]></EventKey>"
    ))
}

fn happened(body: &str) -> Event {
    match read(body).unwrap().kind {
        Kind::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

fn some(scene: &str) -> Option<String> {
    Some(scene.to_owned())
}

#[test]
fn a_follow_by_scanning_is_read_in_full() {
    let message = read(&push(
        "<MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[subscribe]]></Event>\n\
         <EventKey><![CDATA[qrscene_110]]></EventKey>\n<Ticket><![CDATA[gQGP8Dw]]></Ticket>",
    ))
    .unwrap();
    assert_eq!(message.to_user, "gh_de0f036ce08f");
    assert_eq!(message.from_user.expose(), "ooUo26seZPcU3qKfcMiXLneG3fO4");
    assert_eq!(message.create_time, 1_670_592_443);
    let event = Event::Subscribe { scene: some("110"), ticket: some("gQGP8Dw") };
    assert!(message.kind == Kind::Event(event));
}

#[test]
fn scenes_follow_wechats_rules() {
    let subscribe = |scene| Event::Subscribe { scene, ticket: None };
    let scan = |scene| Event::Scan { scene, ticket: None };
    for (name, key, expected) in [
        ("SCAN", "110", scan(some("110"))),
        ("scan", "door-1", scan(some("door-1"))),
        ("SCAN", "qrscene_1", scan(some("qrscene_1"))),
        ("SCAN", "", scan(None)),
        ("SCAN", "last_trade_no_1", scan(None)),
        ("subscribe", "qrscene_110", subscribe(some("110"))),
        ("SUBSCRIBE", "qrscene_qrscene_1", subscribe(some("qrscene_1"))),
        ("subscribe", "", subscribe(None)),
        ("subscribe", "qrscene_", subscribe(None)),
        ("subscribe", "110", subscribe(None)),
        ("subscribe", "last_trade_no_40000", subscribe(None)),
        ("unsubscribe", "", Event::Unsubscribe),
        ("unsubscribe", "last_trade_no_40000", Event::Unsubscribe),
        ("Something_New", "k", Event::Other("Something_New".into())),
    ] {
        assert!(happened(&event(name, key)) == expected, "{name} {key}");
    }
    let without_key = push("<MsgType>event</MsgType><Event>subscribe</Event>");
    assert!(happened(&without_key) == subscribe(None), "the documentation leaves the key out");
}

#[test]
fn the_message_type_is_not_the_event() {
    let seed = push("<MsgType><![CDATA[Event]]></MsgType><Event><![CDATA[SCAN]]></Event>");
    assert!(happened(&seed) == Event::Scan { scene: None, ticket: None });
}

#[test]
fn a_text_is_read_with_its_long_number() {
    let body = "<xml><ToUserName><![CDATA[gh_10f6c3c3ac5a]]></ToUserName>\
        <FromUserName><![CDATA[oyORnuP8q7ou2gfYjqLzSIWZf0rs]]></FromUserName>\
        <CreateTime>1409735668</CreateTime><MsgType><![CDATA[text]]></MsgType>\
        <Content><![CDATA[abcdteT]]></Content><MsgId>6054768590064713728</MsgId>\
        <Encrypt><![CDATA[hyzAe4OzmOMbd6TvGdIOO6uB]]></Encrypt></xml>";
    let expected =
        Kind::Text { content: "abcdteT".into(), chosen: None, id: Some(6054768590064713728) };
    assert_eq!(read(body).unwrap().kind, expected);
}

#[test]
fn unknown_elements_in_any_order_are_passed_over() {
    let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- x --><xml a=\"b\">\
        <ScanCodeInfo><ScanType>qrcode</ScanType><Event>not this</Event></ScanCodeInfo>\
        <List><MsgID>1</MsgID></List><List><MsgID>2</MsgID></List><Empty/>\
        <EventKey>7</EventKey><Event> SCAN </Event><MsgType>event</MsgType>\
        <CreateTime> 5 </CreateTime><FromUserName>o&amp;&#x41;</FromUserName>\
        <ToUserName>\n<![CDATA[g]]>\n</ToUserName></xml>\n";
    let message = read(body).unwrap();
    assert_eq!((message.to_user.as_str(), message.from_user.expose()), ("g", "o&A"));
    assert!(message.kind == Kind::Event(Event::Scan { scene: some("7"), ticket: None }));
}

#[test]
fn every_attack_is_refused_for_what_it_is() {
    let good = event("SCAN", "1");
    let deep = format!("{}x{}", "<a>".repeat(9), "</a>".repeat(9));
    let doctype = "<!DOCTYPE xml [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>";
    for (what, body, expected) in [
        ("doctype", format!("{doctype}{good}"), BadXml::Doctype),
        ("lower case", format!("<!doctype xml>{good}"), BadXml::Doctype),
        ("entity", event("SCAN", "]]>&x;<![CDATA["), BadXml::Entity),
        ("bad reference", event("SCAN", "]]>&#xffffffff;<![CDATA["), BadXml::Entity),
        ("null reference", event("SCAN", "]]>&#0;<![CDATA["), BadXml::Entity),
        ("instruction", format!("<?php x ?>{good}"), BadXml::Instruction),
        ("stylesheet", push("<?xml-stylesheet href='x'?>"), BadXml::Instruction),
        ("late declaration", format!("{good}<?xml version='1.0'?>"), BadXml::Instruction),
        ("deep", push(&deep), BadXml::TooDeep),
        ("many", push(&"<a/>".repeat(600)), BadXml::TooMany),
        (
            "twice",
            push("<FromUserName>o2</FromUserName><MsgType>event</MsgType>"),
            BadXml::Twice("FromUserName"),
        ),
        ("empty", String::new(), BadXml::Malformed),
        ("text", "success".into(), BadXml::Malformed),
        ("json", "{\"MsgType\":\"event\"}".into(), BadXml::Malformed),
        ("other root", good.replace("xml>", "html>"), BadXml::Malformed),
        ("second root", format!("{good}{good}"), BadXml::Malformed),
        ("tail", format!("{good}tail"), BadXml::Malformed),
        ("unclosed", good.replace("</xml>", ""), BadXml::Malformed),
        ("crossed", push("<a><b></a></b>"), BadXml::Malformed),
        ("nested field", event("SCAN", "]]><Ticket>t</Ticket><![CDATA["), BadXml::Malformed),
        ("no sender", good.replace("FromUserName", "From"), BadXml::Missing("FromUserName")),
        (
            "empty sender",
            good.replace("ooUo26seZPcU3qKfcMiXLneG3fO4", ""),
            BadXml::Missing("FromUserName"),
        ),
        ("no type", push(""), BadXml::Missing("MsgType")),
        ("no event", push("<MsgType>event</MsgType>"), BadXml::Missing("Event")),
        ("no time", good.replace("1670592443", "soon"), BadXml::Number("CreateTime")),
        (
            "huge time",
            good.replace("1670592443", "99999999999999999999"),
            BadXml::Number("CreateTime"),
        ),
    ] {
        assert_eq!(read(&body).err(), Some(expected), "{what}");
    }
    assert_eq!(parse(good.as_bytes(), good.len() - 1).err(), Some(BadXml::TooLarge));
    assert!(parse(good.as_bytes(), good.len()).is_ok());
}

#[test]
fn every_cut_of_a_push_is_refused() {
    let body = event("SCAN", "1");
    for end in 0..body.len() {
        assert!(read(&body[..end]).is_err(), "{}", &body[..end]);
    }
}

#[test]
fn a_repeat_is_the_same_and_everything_else_is_not() {
    let identity = |body: &str| read(body).unwrap().identity();
    let one = event("SCAN", "110");
    assert_eq!(identity(&one), identity(&one.replace('\n', "")), "layout does not matter");
    assert_eq!(identity(&one), identity(&one.replace("</xml>", "<New>x</New></xml>")));
    let others = [
        one.replace("gh_de", "gh_df"),
        one.replace("ooUo", "ooUp"),
        one.replace("1670592443", "1670592444"),
        event("CLICK", "110"),
        event("SCAN", "111"),
        one.replace("</xml>", "<Ticket>t</Ticket></xml>"),
        one.replace("</xml>", "<Ticket></Ticket></xml>"),
        one.replace("</xml>", "<MsgId>1</MsgId></xml>"),
        one.replace("</xml>", "<MsgID>1</MsgID></xml>"),
        event("SCAN1", "10"),
    ];
    let mut all: Vec<_> = others.iter().map(|body| identity(body)).collect();
    all.push(identity(&one));
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), others.len() + 1);
}

#[test]
fn the_identity_of_a_push_never_changes() {
    // Stored as a command's id: another version must find the same.
    let identity = read(&event("SCAN", "110")).unwrap().identity();
    assert_eq!(hex::encode(identity), "f33b2aa92d716a173698038143587376");
}

#[test]
fn a_message_prints_neither_person_nor_words() {
    let text = read(&push("<MsgType>text</MsgType><Content>my secret</Content>")).unwrap();
    let scan = read(&event("SCAN", "the-scene")).unwrap();
    let printed = format!("{text:?} {scan:#?}");
    for hidden in ["ooUo26", "my secret", "the-scene"] {
        assert!(!printed.contains(hidden), "{printed}");
    }
}

#[test]
fn a_reply_is_what_wechat_wants() {
    let reply =
        text_reply(&OpenId::new("oP"), "gh_1", 12345678, "您的号码 A012\n前面还有 3 位 ☺ a<b&c");
    assert_eq!(
        reply,
        "<xml><ToUserName><![CDATA[oP]]></ToUserName><FromUserName><![CDATA[gh_1]]></FromUserName>\
         <CreateTime>12345678</CreateTime><MsgType><![CDATA[text]]></MsgType>\
         <Content><![CDATA[您的号码 A012\n前面还有 3 位 ☺ a<b&c]]></Content></xml>"
    );
}

#[test]
fn a_news_reply_is_what_wechat_wants() {
    let one = Article {
        title: "今日]]>排队".into(),
        description: "d".into(),
        picture_url: "https://a/b?c&d".into(),
        url: "https://e".into(),
    };
    assert_eq!(
        news_reply(&OpenId::new("oP"), "gh_1", 5, std::slice::from_ref(&one)),
        "<xml><ToUserName><![CDATA[oP]]></ToUserName><FromUserName><![CDATA[gh_1]]></FromUserName>\
         <CreateTime>5</CreateTime><MsgType><![CDATA[news]]></MsgType>\
         <ArticleCount>1</ArticleCount><Articles><item>\
         <Title><![CDATA[今日]]]]><![CDATA[>排队]]></Title><Description><![CDATA[d]]></Description>\
         <PicUrl><![CDATA[https://a/b?c&d]]></PicUrl><Url><![CDATA[https://e]]></Url>\
         </item></Articles></xml>"
    );
    let many = news_reply(&OpenId::new("oP"), "gh_1", 5, &vec![one; 12]);
    assert_eq!(many.matches("<item>").count(), 8);
    assert!(many.contains("<ArticleCount>8</ArticleCount>"), "{many}");
}

fn content(reply: &str) -> String {
    match read(reply).unwrap().kind {
        Kind::Text { content, .. } => content,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn parse_never_panics_on_bytes(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&body, LIMIT);
    }

    #[test]
    fn parse_never_panics_on_what_looks_like_xml(
        parts in proptest::collection::vec(prop_oneof![
            Just("<xml>".to_owned()), Just("</xml>".to_owned()), Just("<Event>".to_owned()),
            Just("</Event>".to_owned()), Just("<![CDATA[".to_owned()), Just("]]>".to_owned()),
            Just("<MsgType>event</MsgType>".to_owned()), Just("<CreateTime>1</CreateTime>".to_owned()),
            Just("&amp;".to_owned()), Just("&#".to_owned()), Just("<!--".to_owned()),
            Just("<?".to_owned()), Just("<!DOCTYPE".to_owned()), Just("/>".to_owned()),
            Just("<ToUserName>".to_owned()), Just("</ToUserName>".to_owned()), ".{0,5}",
        ], 0..24)
    ) {
        let _ = parse(parts.concat().as_bytes(), LIMIT);
    }

    #[test]
    fn a_reply_reads_back_as_the_same_text(
        parts in proptest::collection::vec(prop_oneof![
            Just("]]>".to_owned()), Just("]".to_owned()), Just(">".to_owned()),
            Just("<![CDATA[".to_owned()), Just("&amp;".to_owned()), Just("\n".to_owned()),
            Just("号☺\u{1F600}".to_owned()), "\\PC{0,6}",
        ], 0..24)
    ) {
        let text = parts.concat();
        let reply = text_reply(&OpenId::new("oP"), "gh_1", 1, &text);
        prop_assert_eq!(content(&reply), text);
    }

    #[test]
    fn a_reply_is_always_well_formed(text in any::<String>()) {
        let reply = text_reply(&OpenId::new(text.clone() + "o"), "gh_1", 1, &text);
        prop_assert!(read(&reply).is_ok(), "{}", reply);
    }
}
