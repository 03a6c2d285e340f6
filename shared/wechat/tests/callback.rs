//! Tests of callbacks, as WeChat pushes them and as an attacker would.

use paihao_wechat::OpenId;
use paihao_wechat::callback::{
    Article, Event, Message, MessageKind, XmlError, news_reply, parse, text_reply,
};
use proptest::prelude::*;

const MAX_BODY_BYTES: usize = 64 << 10;

fn parse_body(body: &str) -> Result<Message, XmlError> {
    parse(body.as_bytes(), MAX_BODY_BYTES)
}

/// A push in WeChat's layout, with these elements after the header.
fn push_body(fields: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_de0f036ce08f]]></ToUserName>\n\
         <FromUserName><![CDATA[ooUo26seZPcU3qKfcMiXLneG3fO4]]></FromUserName>\n\
         <CreateTime>1670592443</CreateTime>\n{fields}\n</xml>"
    )
}

fn event_body(name: &str, key: &str) -> String {
    push_body(&format!(
        "<MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[{name}]]></Event>\n\
         <EventKey><![CDATA[{key}]]></EventKey>"
    ))
}

fn parsed_event(body: &str) -> Event {
    match parse_body(body).unwrap().kind {
        MessageKind::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

fn some(scene: &str) -> Option<String> {
    Some(scene.to_owned())
}

#[test]
fn a_follow_by_scanning_is_read_in_full() {
    let message = parse_body(&push_body(
        "<MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[subscribe]]></Event>\n\
         <EventKey><![CDATA[qrscene_110]]></EventKey>\n<Ticket><![CDATA[gQGP8Dw]]></Ticket>",
    ))
    .unwrap();
    assert_eq!(message.to_user, "gh_de0f036ce08f");
    assert_eq!(message.from_user.expose(), "ooUo26seZPcU3qKfcMiXLneG3fO4");
    assert_eq!(message.create_time, 1_670_592_443);
    let event = Event::Subscribe { scene: some("110"), ticket: some("gQGP8Dw") };
    assert!(message.kind == MessageKind::Event(event));
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
        assert!(parsed_event(&event_body(name, key)) == expected, "{name} {key}");
    }
    let without_key = push_body("<MsgType>event</MsgType><Event>subscribe</Event>");
    assert!(parsed_event(&without_key) == subscribe(None), "the documentation leaves the key out");
}

#[test]
fn the_message_type_is_not_the_event() {
    let seed = push_body("<MsgType><![CDATA[Event]]></MsgType><Event><![CDATA[SCAN]]></Event>");
    assert!(parsed_event(&seed) == Event::Scan { scene: None, ticket: None });
}

#[test]
fn a_text_is_read_with_its_long_number() {
    let body = "<xml><ToUserName><![CDATA[gh_10f6c3c3ac5a]]></ToUserName>\
        <FromUserName><![CDATA[oyORnuP8q7ou2gfYjqLzSIWZf0rs]]></FromUserName>\
        <CreateTime>1409735668</CreateTime><MsgType><![CDATA[text]]></MsgType>\
        <Content><![CDATA[abcdteT]]></Content><MsgId>6054768590064713728</MsgId>\
        <Encrypt><![CDATA[hyzAe4OzmOMbd6TvGdIOO6uB]]></Encrypt></xml>";
    let expected = MessageKind::Text {
        content: "abcdteT".into(),
        chosen: None,
        id: Some(6054768590064713728),
    };
    assert_eq!(parse_body(body).unwrap().kind, expected);
}

#[test]
fn unknown_elements_in_any_order_are_passed_over() {
    let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- x --><xml a=\"b\">\
        <ScanCodeInfo><ScanType>qrcode</ScanType><Event>not this</Event></ScanCodeInfo>\
        <List><MsgID>1</MsgID></List><List><MsgID>2</MsgID></List><Empty/>\
        <EventKey>7</EventKey><Event> SCAN </Event><MsgType>event</MsgType>\
        <CreateTime> 5 </CreateTime><FromUserName>o&amp;&#x41;</FromUserName>\
        <ToUserName>\n<![CDATA[g]]>\n</ToUserName></xml>\n";
    let message = parse_body(body).unwrap();
    assert_eq!((message.to_user.as_str(), message.from_user.expose()), ("g", "o&A"));
    assert!(message.kind == MessageKind::Event(Event::Scan { scene: some("7"), ticket: None }));
}

#[test]
fn every_attack_is_refused_with_its_own_reason() {
    let body = event_body("SCAN", "1");
    let deep = format!("{}x{}", "<a>".repeat(9), "</a>".repeat(9));
    let doctype = "<!DOCTYPE xml [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>";
    for (description, body, expected) in [
        ("doctype", format!("{doctype}{body}"), XmlError::Doctype),
        ("lower case", format!("<!doctype xml>{body}"), XmlError::Doctype),
        ("entity", event_body("SCAN", "]]>&x;<![CDATA["), XmlError::UnknownEntity),
        ("bad reference", event_body("SCAN", "]]>&#xffffffff;<![CDATA["), XmlError::UnknownEntity),
        ("null reference", event_body("SCAN", "]]>&#0;<![CDATA["), XmlError::UnknownEntity),
        ("instruction", format!("<?php x ?>{body}"), XmlError::ProcessingInstruction),
        ("stylesheet", push_body("<?xml-stylesheet href='x'?>"), XmlError::ProcessingInstruction),
        (
            "late declaration",
            format!("{body}<?xml version='1.0'?>"),
            XmlError::ProcessingInstruction,
        ),
        ("deep", push_body(&deep), XmlError::TooDeep),
        ("many", push_body(&"<a/>".repeat(600)), XmlError::TooManyElements),
        ("empty", String::new(), XmlError::Malformed),
        ("text", "success".into(), XmlError::Malformed),
        ("json", "{\"MsgType\":\"event\"}".into(), XmlError::Malformed),
        ("other root", body.replace("xml>", "html>"), XmlError::Malformed),
        ("second root", format!("{body}{body}"), XmlError::Malformed),
        ("tail", format!("{body}tail"), XmlError::Malformed),
        ("unclosed", body.replace("</xml>", ""), XmlError::Malformed),
        ("crossed", push_body("<a><b></a></b>"), XmlError::Malformed),
        ("no sender", body.replace("FromUserName", "From"), XmlError::MissingField("FromUserName")),
        (
            "empty sender",
            body.replace("ooUo26seZPcU3qKfcMiXLneG3fO4", ""),
            XmlError::MissingField("FromUserName"),
        ),
        ("no type", push_body(""), XmlError::MissingField("MsgType")),
        ("no event", push_body("<MsgType>event</MsgType>"), XmlError::MissingField("Event")),
    ] {
        assert_eq!(parse_body(&body).err(), Some(expected), "{description}");
    }
    assert_eq!(parse(body.as_bytes(), body.len() - 1).err(), Some(XmlError::TooLarge));
    assert!(parse(body.as_bytes(), body.len()).is_ok());
}

#[test]
fn what_is_odd_is_taken_and_decides_nothing() {
    let body = event_body("SCAN", "1");
    let scan = parse_body(&body).unwrap();
    let huge = "99999999999999999999";
    for (description, odd) in [
        ("a field twice: the first counts", body.replace("</xml>", "<EventKey>2</EventKey></xml>")),
        ("another sender behind", body.replace("</xml>", "<FromUserName>o2</FromUserName></xml>")),
        (
            "an element in a field",
            body.replace("]]></EventKey>", "]]><Ticket>t</Ticket></EventKey>"),
        ),
        (
            "a key in a foreign element",
            body.replace("</xml>", "<A><EventKey>2</EventKey></A></xml>"),
        ),
        ("a number that is none", body.replace("</xml>", "<MenuId>x</MenuId></xml>")),
    ] {
        assert_eq!(parse_body(&odd).unwrap().kind, scan.kind, "{description}");
        assert_eq!(parse_body(&odd).unwrap().from_user, scan.from_user, "{description}");
    }
    for time in ["soon", "", huge] {
        let odd = parse_body(&body.replace("1670592443", time)).unwrap();
        assert_eq!((odd.create_time, odd.kind), (0, scan.kind.clone()), "{time}");
    }
    let text =
        push_body(&format!("<MsgType>text</MsgType><Content>1</Content><MsgId>{huge}</MsgId>"));
    let text = parse_body(&text).unwrap();
    assert!(matches!(&text.kind, MessageKind::Text { content, id: None, .. } if content == "1"));
}

#[test]
fn what_a_person_writes_is_text_and_nothing_else() {
    let sender = parse_body(&push_body("<MsgType>text</MsgType>")).unwrap().from_user;
    for written in [
        "<status><![CDATA[ok]]></status>",
        "a]]>b",
        "]]></Content><FromUserName><![CDATA[oVictim]]></FromUserName><Content><![CDATA[",
        "]]></Content><MsgType>event</MsgType><Event>unsubscribe</Event><Content><![CDATA[",
        "]]></Content></xml>",
        "<!DOCTYPE x>",
        "]]><!DOCTYPE x><![CDATA[",
        "]]>&x;<![CDATA[",
        "<Content><![CDATA[x]]></Content>",
        "\u{1}\u{b}\u{1f} control",
        "排队 & <br>",
    ] {
        let body = push_body(&format!(
            "<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{written}]]></Content><MsgId>1</MsgId>"
        ));
        let message = parse_body(&body).unwrap();
        assert_eq!(message.from_user, sender, "{written}");
        let MessageKind::Text { content, id, .. } = message.kind else { panic!("{written}") };
        assert_eq!((&*content, id), (written, Some(1)));
    }
}

#[test]
fn every_cut_of_a_push_is_refused() {
    let body = event_body("SCAN", "1");
    for end in 0..body.len() {
        assert!(parse_body(&body[..end]).is_err(), "{}", &body[..end]);
    }
}

#[test]
fn a_repeat_is_the_same_and_everything_else_is_not() {
    let identity = |body: &str| parse_body(body).unwrap().identity();
    let one = event_body("SCAN", "110");
    assert_eq!(identity(&one), identity(&one.replace('\n', "")), "layout does not matter");
    assert_eq!(identity(&one), identity(&one.replace("</xml>", "<New>x</New></xml>")));
    let other_bodies = [
        one.replace("gh_de", "gh_df"),
        one.replace("ooUo", "ooUp"),
        one.replace("1670592443", "1670592444"),
        event_body("CLICK", "110"),
        event_body("SCAN", "111"),
        one.replace("</xml>", "<Ticket>t</Ticket></xml>"),
        one.replace("</xml>", "<Ticket></Ticket></xml>"),
        one.replace("</xml>", "<MsgId>1</MsgId></xml>"),
        one.replace("</xml>", "<MsgID>1</MsgID></xml>"),
        event_body("SCAN1", "10"),
    ];
    let mut all: Vec<_> = other_bodies.iter().map(|body| identity(body)).collect();
    all.push(identity(&one));
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), other_bodies.len() + 1);
}

#[test]
fn the_identity_of_a_push_never_changes() {
    // The identity is stored as a command's id: another version must compute the same.
    let identity = parse_body(&event_body("SCAN", "110")).unwrap().identity();
    assert_eq!(hex::encode(identity), "f33b2aa92d716a173698038143587376");
}

#[test]
fn a_message_prints_neither_person_nor_text() {
    let text =
        parse_body(&push_body("<MsgType>text</MsgType><Content>my secret</Content>")).unwrap();
    let scan = parse_body(&event_body("SCAN", "the-scene")).unwrap();
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
    let reply = news_reply(&OpenId::new("oP"), "gh_1", 5, &vec![one; 12]);
    assert_eq!(reply.matches("<item>").count(), 8);
    assert!(reply.contains("<ArticleCount>8</ArticleCount>"), "{reply}");
}

fn reply_content(reply: &str) -> String {
    match parse_body(reply).unwrap().kind {
        MessageKind::Text { content, .. } => content,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn parse_never_panics_on_bytes(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&body, MAX_BODY_BYTES);
    }

    #[test]
    fn parse_never_panics_on_xml_like_input(
        parts in proptest::collection::vec(prop_oneof![
            Just("<xml>".to_owned()), Just("</xml>".to_owned()), Just("<Event>".to_owned()),
            Just("</Event>".to_owned()), Just("<![CDATA[".to_owned()), Just("]]>".to_owned()),
            Just("<MsgType>event</MsgType>".to_owned()), Just("<CreateTime>1</CreateTime>".to_owned()),
            Just("&amp;".to_owned()), Just("&#".to_owned()), Just("<!--".to_owned()),
            Just("<?".to_owned()), Just("<!DOCTYPE".to_owned()), Just("/>".to_owned()),
            Just("<ToUserName>".to_owned()), Just("</ToUserName>".to_owned()), ".{0,5}",
        ], 0..24)
    ) {
        let _ = parse(parts.concat().as_bytes(), MAX_BODY_BYTES);
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
        prop_assert_eq!(reply_content(&reply), text);
    }

    #[test]
    fn a_reply_is_always_well_formed(text in any::<String>()) {
        let reply = text_reply(&OpenId::new(text.clone() + "o"), "gh_1", 1, &text);
        prop_assert!(parse_body(&reply).is_ok(), "{}", reply);
    }
}
