//! Tests of every event and message of WeChat's, as captured or documented, and with plausible
//! changes.

use paihao_wechat::callback::{
    AuthorizationChange, Event, GeoLocation, MessageKind, SubscriptionChoice, SubscriptionDelivery,
    TemplateDeliveryResult, parse,
};

fn parse_kind(fields: &str) -> MessageKind {
    let body = format!(
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName>\n<FromUserName><![CDATA[oP]]></FromUserName>\n\
         <CreateTime>1670592443</CreateTime>\n{fields}\n</xml>"
    );
    parse(body.as_bytes(), 64 << 10).unwrap_or_else(|error| panic!("{error}: {body}")).kind
}

fn parse_event(name: &str, fields: &str) -> Event {
    match parse_kind(&format!(
        "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[{name}]]></Event>{fields}"
    )) {
        MessageKind::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_same_event(event: Event, expected: Event) {
    // Events print little of themselves.
    assert!(event == expected, "{event:?} is not {expected:?}");
}

#[test]
fn menus_and_places() {
    let key = "<EventKey><![CDATA[K1]]></EventKey>";
    let url = "<EventKey><![CDATA[https://a/?b&c]]></EventKey><MenuId>461376933</MenuId>";
    assert_same_event(parse_event("CLICK", key), Event::Click { key: "K1".into() });
    assert_same_event(parse_event("click", key), Event::Click { key: "K1".into() });
    let menu = Some(461376933);
    assert_same_event(parse_event("VIEW", url), Event::View { url: "https://a/?b&c".into(), menu });
    assert_same_event(
        parse_event("view_miniprogram", "<EventKey>pages/index</EventKey><MenuId>x</MenuId>"),
        Event::ViewMiniProgram { page: "pages/index".into(), menu: None },
    );
    let location = "<Latitude>31.267813</Latitude><Longitude>121.598755</Longitude><Precision>30.000000</Precision>";
    assert_same_event(
        parse_event("LOCATION", location),
        Event::Location {
            latitude: Some(31.267813),
            longitude: Some(121.598755),
            precision: Some(30.0),
        },
    );
    let info = "<ScanCodeInfo><ScanType><![CDATA[qrcode]]></ScanType><ScanResult><![CDATA[1&2]]></ScanResult></ScanCodeInfo>";
    for (name, waits) in [("scancode_push", false), ("scancode_waitmsg", true)] {
        assert_same_event(
            parse_event(name, &format!("{key}{info}")),
            Event::MenuScan {
                key: "K1".into(),
                waits,
                kind: "qrcode".into(),
                result: "1&2".into(),
            },
        );
    }
    let pictures = "<SendPicsInfo><Count>2</Count><PicList><item><PicMd5Sum>a</PicMd5Sum></item>\
        <item><PicMd5Sum>b</PicMd5Sum></item></PicList></SendPicsInfo>";
    for name in ["pic_sysphoto", "pic_photo_or_album", "pic_weixin"] {
        let expected = Event::MenuPictures { key: "K1".into(), count: Some(2) };
        assert_same_event(parse_event(name, &format!("{key}{pictures}")), expected);
    }
    let chosen = "<SendLocationInfo><Location_X><![CDATA[23]]></Location_X><Location_Y><![CDATA[113]]></Location_Y>\
        <Scale><![CDATA[15]]></Scale><Label><![CDATA[广州]]></Label><Poiname><![CDATA[]]></Poiname></SendLocationInfo>";
    let location = GeoLocation {
        latitude: Some(23.0),
        longitude: Some(113.0),
        scale: Some(15.0),
        label: "广州".into(),
        name: String::new(),
    };
    assert_same_event(
        parse_event("location_select", &format!("{key}{chosen}")),
        Event::MenuLocation { key: "K1".into(), location },
    );
}

#[test]
fn receipts_are_read_however_they_are_written() {
    for (status, result) in [
        ("success", TemplateDeliveryResult::Success),
        ("Success", TemplateDeliveryResult::Success),
        ("failed:user block", TemplateDeliveryResult::Refused),
        ("failed: user block", TemplateDeliveryResult::Refused),
        ("failed:freq limit", TemplateDeliveryResult::RateLimited),
        ("failed: system failed", TemplateDeliveryResult::Failed("failed: system failed".into())),
        ("failed:something new", TemplateDeliveryResult::Failed("failed:something new".into())),
        ("", TemplateDeliveryResult::Failed(String::new())),
    ] {
        let fields =
            format!("<MsgID>2702600966117900288</MsgID><Status><![CDATA[{status}]]></Status>");
        for name in ["TEMPLATESENDJOBFINISH", "templatesendjobfinish"] {
            let expected =
                Event::TemplateSent { message: Some(2702600966117900288), result: result.clone() };
            assert_same_event(parse_event(name, &fields), expected);
        }
    }
    for field in ["<MsgID>0</MsgID>", "<MsgID>x</MsgID>", "<MsgID/>", ""] {
        let fields = format!("{field}<Status>success</Status>");
        let expected =
            Event::TemplateSent { message: None, result: TemplateDeliveryResult::Success };
        assert_same_event(parse_event("TEMPLATESENDJOBFINISH", &fields), expected);
    }
    let mass = "<MsgID>1000001625</MsgID><Status><![CDATA[err(30003)]]></Status><TotalCount>0</TotalCount>\
        <FilterCount>0</FilterCount><SentCount>5</SentCount><ErrorCount>1</ErrorCount>\
        <CopyrightCheckResult><Count>2</Count><ResultList><item><ArticleIdx>1</ArticleIdx></item></ResultList></CopyrightCheckResult>";
    assert_same_event(
        parse_event("MASSSENDJOBFINISH", mass),
        Event::MassSent {
            message: Some(1000001625),
            status: "err(30003)".into(),
            sent: Some(5),
            failed: Some(1),
        },
    );
}

#[test]
fn subscription_notices_come_in_lists() {
    let list = |inside: &str| format!("<List>{inside}</List>\n");
    let choice = |template: &str, status: &str, scene: u32| {
        list(&format!(
            "<TemplateId><![CDATA[{template}]]></TemplateId><SubscribeStatusString><![CDATA[{status}]]>\
             </SubscribeStatusString><PopupScene>{scene}</PopupScene>"
        ))
    };
    let popup = format!(
        "<SubscribeMsgPopupEvent>{}{}</SubscribeMsgPopupEvent>",
        choice("T1", "accept", 2),
        choice("T2", "reject", 0)
    );
    let choice = |template: &str, accepted, asked_at| SubscriptionChoice {
        template: template.into(),
        accepted,
        popup_scene: asked_at,
    };
    assert_same_event(
        parse_event("subscribe_msg_popup_event", &popup),
        Event::SubscriptionPopup(vec![choice("T1", true, Some(2)), choice("T2", false, Some(0))]),
    );
    let change = "<SubscribeMsgChangeEvent><List><TemplateId>T3</TemplateId>\
        <SubscribeStatusString>reject</SubscribeStatusString></List></SubscribeMsgChangeEvent>";
    assert_same_event(
        parse_event("subscribe_msg_change_event", change),
        Event::SubscriptionChanged(vec![choice("T3", false, None)]),
    );
    let sent = "<SubscribeMsgSentEvent><List><TemplateId>T4</TemplateId><MsgID>1864323726461255680</MsgID>\
        <ErrorCode>0</ErrorCode><ErrorStatus>success</ErrorStatus></List></SubscribeMsgSentEvent>";
    assert_same_event(
        parse_event("SUBSCRIBE_MSG_SENT_EVENT", sent),
        Event::SubscriptionSent(vec![SubscriptionDelivery {
            template: "T4".into(),
            message: Some(1864323726461255680),
            code: Some(0),
            status: "success".into(),
        }]),
    );
    assert_same_event(
        parse_event("subscribe_msg_popup_event", ""),
        Event::SubscriptionPopup(Vec::new()),
    );
}

#[test]
fn permissions_end() {
    let fields = "<OpenID>oP</OpenID><AppID>wx1</AppID><RevokeInfo>201</RevokeInfo>";
    for (name, change) in [
        ("user_info_modified", AuthorizationChange::Modified),
        ("user_authorization_revoke", AuthorizationChange::Revoked),
        ("user_authorization_cancellation", AuthorizationChange::Cancelled),
    ] {
        let Event::Authorization { change: parsed, person } = parse_event(name, fields) else {
            panic!()
        };
        assert_eq!((parsed, person.unwrap().expose()), (change, "oP"));
    }
}

#[test]
fn messages_of_every_kind() {
    let read = |kind_: &str, fields: &str| {
        parse_kind(&format!(
            "<MsgType><![CDATA[{kind_}]]></MsgType>{fields}<MsgId>6054768590064713728</MsgId>"
        ))
    };
    let id = Some(6054768590064713728);
    let chosen = "<Content>好</Content><bizmsgmenuid>101</bizmsgmenuid>";
    assert!(
        read("text", chosen)
            == MessageKind::Text { content: "好".into(), chosen: Some("101".into()), id }
    );
    let image = "<PicUrl>http://p</PicUrl><MediaId>m</MediaId>";
    assert!(
        read("image", image)
            == MessageKind::Image { picture_url: "http://p".into(), media: "m".into(), id }
    );
    let voice = "<MediaId>m</MediaId><Format>amr</Format><MediaId16K>n</MediaId16K><Recognition/>";
    assert!(
        read("voice", voice)
            == MessageKind::Voice {
                media: "m".into(),
                format: "amr".into(),
                recognition: String::new(),
                id
            }
    );
    for (name, short) in [("video", false), ("shortvideo", true)] {
        let video = "<MediaId>m</MediaId><ThumbMediaId>t</ThumbMediaId>";
        let expected = MessageKind::Video { media: "m".into(), thumbnail: "t".into(), short, id };
        assert!(read(name, video) == expected);
    }
    let fields = "<Location_X>23.1</Location_X><Location_Y>113.3</Location_Y><Scale>20</Scale><Label>号</Label>";
    let MessageKind::Location { location, .. } = read("location", fields) else { panic!() };
    assert_eq!(
        (location.latitude, location.longitude, &*location.label),
        (Some(23.1), Some(113.3), "号")
    );
    let link = "<Title>t</Title><Description>d</Description><Url><![CDATA[http://a?b&c]]></Url>";
    assert!(
        read("link", link)
            == MessageKind::Link {
                title: "t".into(),
                description: "d".into(),
                url: "http://a?b&c".into(),
                id
            }
    );
    let file =
        "<Title>t</Title><FileKey>k</FileKey><FileMd5>5</FileMd5><FileTotalLen>9</FileTotalLen>";
    assert!(
        read("file", file)
            == MessageKind::File { title: "t".into(), key: "k".into(), length: Some(9), id }
    );
    assert!(read("hologram", "") == MessageKind::Other("hologram".into()));
    // Numbers in an unexpected form are no reason to refuse a push.
    let field = "<MsgType>file</MsgType><FileTotalLen>much</FileTotalLen><MsgDataId>1</MsgDataId><Idx>1</Idx>";
    assert!(matches!(parse_kind(field), MessageKind::File { length: None, id: None, .. }));
}

#[test]
fn an_event_of_a_person_prints_nothing_of_them() {
    let fields = "<EventKey>K</EventKey><Latitude>31.267813</Latitude>";
    let debug_text = format!(
        "{:?} {:?}",
        parse_event("LOCATION", fields),
        parse_event("subscribe", "<EventKey>qrscene_secret</EventKey>")
    );
    assert!(!debug_text.contains("31.26") && !debug_text.contains("secret"), "{debug_text}");
}
