//! Tests of the three modes: WeChat's published examples, and everything that must be refused.

use paihao_wechat::callback::{
    AesKey, CallbackError, CallbackQuery, FormerMode, MessageKind, Mode, Protection, XmlError,
    decrypt, encrypt, msg_signature, signature,
};
use paihao_wechat::{AppId, CallbackToken};

const MAX_BODY_BYTES: usize = 64 << 10;

struct TestVector {
    token: &'static str,
    key: &'static str,
    app: &'static str,
    timestamp: &'static str,
    nonce: &'static str,
    random: &'static [u8; 16],
    message: &'static str,
    encrypted: &'static str,
    signature: &'static str,
}

const ZERO_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const SAMPLE_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

/// Published examples, with messages and replies in both directions, and two more at the edges.
const VECTORS: [TestVector; 6] = [
    TestVector {
        token: "AAAAA",
        key: ZERO_KEY,
        app: "wxba5fad812f8e6fb9",
        timestamp: "1714112445",
        nonce: "415670741",
        random: b"a8eedb185eb2fecf",
        message: r#"{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}"#,
        encrypted: "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=",
        signature: "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3",
    },
    TestVector {
        token: "AAAAA",
        key: ZERO_KEY,
        app: "wxba5fad812f8e6fb9",
        timestamp: "1713424427",
        nonce: "415670741",
        random: b"707722b803182950",
        message: r#"{"demo_resp":"good luck"}"#,
        encrypted: "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==",
        signature: "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1",
    },
    TestVector {
        token: "spamtest",
        key: SAMPLE_KEY,
        app: "wx2c2769f8efd9abc2",
        timestamp: "1409735669",
        nonce: "1320562132",
        random: b"89465c840c5f116f",
        message: "<xml><ToUserName><![CDATA[gh_10f6c3c3ac5a]]></ToUserName>\n<FromUserName><![CDATA[oyORnuP8q7ou2gfYjqLzSIWZf0rs]]></FromUserName>\n<CreateTime>1409735668</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[abcdteT]]></Content>\n<MsgId>6054768590064713728</MsgId>\n</xml>",
        encrypted: "hyzAe4OzmOMbd6TvGdIOO6uBmdJoD0Fk53REIHvxYtJlE2B655HuD0m8KUePWB3+LrPXo87wzQ1QLvbeUgmBM4x6F8PGHQHFVAFmOD2LdJF9FrXpbUAh0B5GIItb52sn896wVsMSHGuPE328HnRGBcrS7C41IzDWyWNlZkyyXwon8T332jisa+h6tEDYsVticbSnyU8dKOIbgU6ux5VTjg3yt+WGzjlpKn6NPhRjpA912xMezR4kw6KWwMrCVKSVCZciVGCgavjIQ6X8tCOp3yZbGpy0VxpAe+77TszTfRd5RJSVO/HTnifJpXgCSUdUue1v6h0EIBYYI1BD1DlD+C0CR8e6OewpusjZ4uBl9FyJvnhvQl+q5rv1ixrcpCumEPo5MJSgM9ehVsNPfUM669WuMyVWQLCzpu9GhglF2PE=",
        signature: "5d197aaffba7e9b25a30732f161a50dee96bd5fa",
    },
    TestVector {
        token: "pamtest",
        key: SAMPLE_KEY,
        app: "wxb11529c136998cb6",
        timestamp: "1409304348",
        nonce: "xxxxxx",
        random: b"aaaabbbbccccdddd",
        message: "我是中文abcd123",
        encrypted: "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg==",
        signature: "82c962d39941aa48552f90ef55aa323dc620cc10",
    },
    TestVector {
        token: "AAAAA",
        key: ZERO_KEY,
        app: "wxba5fad812f8e6fb9",
        timestamp: "1714112445",
        nonce: "415670741",
        random: b"0123456789abcdef",
        message: "xxxxxxxxxxxxxxxxxxxxxxxxxx",
        encrypted: "uMMzGtqcnpOzXOYBwDQNrTKqq1gfFL9ZipCOy/gYhNsj0EbDiLgmyIpctOWh4+FF28LepmxqkFHWq0/W1HpwVThBvOfqfojRqfSqOCcrXV+fVpED4mak/KZt2gsUJ7hv",
        signature: "0af5967fd5900b3f9b4652f2266a980b1674aecf",
    },
    TestVector {
        token: "spamtest",
        key: SAMPLE_KEY,
        app: "wx2c2769f8efd9abc2",
        timestamp: "1409735670",
        nonce: "1320562132",
        random: b"0123456789abcdef",
        message: "<xml><ToUserName><![CDATA[oyORnuP8q7ou2gfYjqLzSIWZf0rs]]></ToUserName><FromUserName><![CDATA[gh_10f6c3c3ac5a]]></FromUserName><CreateTime>1409735670</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[您的号码 A012，前面还有 3 位 ☺]]></Content></xml>",
        encrypted: "Q3stYC6hdFzMh9T8HCvyDCZ7WOd3U4cBL73YIObrV8S8VmrpdZqzQ45zLJojjlDTtuWg0el4qUdxnVWlPRME0hTrIsmpVUehd4HHrs0hMqMM9PJOPUp/aKQalfwolTJ2HBnaUBKkMHx9BG1ToYawqagE1RoxgaHFCVKN+lQn6cUuVvLl8TgEDqwmTUG/I2oYzI4oM3i3Jdisj1iCL+1JuxVhc9wfQjdTuJOqghHaL571iFAUQVTH9mri0lfdkJ1PkIXkQ23mAZVc3qNWCdrj0WDhAi1C703HgnyUjgiVbLjjANGjZ8l8BFDEcZxe4mzhR7Fky4yIu/o1HXZBheXnz/gAyLJOAesJuZOeorsbUDOPnBz6SQl9Z0RJowpV8xXUq3rABjfT0xli0kCNCf/gFNaDv5iViaQ1Gqg71xeldZw=",
        signature: "d70ca1a8a9e2abc15dcec919b459236819296ce7",
    },
];

#[test]
fn published_examples_are_sealed_and_opened_to_the_byte() {
    for vector in VECTORS {
        let key = AesKey::parse(vector.key).unwrap();
        let app = AppId(vector.app.into());
        let message = vector.message.as_bytes();
        assert_eq!(encrypt(&key, &app, *vector.random, message), vector.encrypted);
        assert_eq!(decrypt(&key, &app, vector.encrypted).unwrap(), message);
        let token = CallbackToken::new(vector.token);
        let signed = msg_signature(&token, vector.timestamp, vector.nonce, vector.encrypted);
        assert_eq!(signed, vector.signature);
    }
}

/// The account of the published XML example.
fn protection(mode: Mode) -> Protection {
    Protection {
        mode,
        aes_key: Some(AesKey::parse(SAMPLE_KEY).unwrap()),
        ..Protection::plain(AppId("wx2c2769f8efd9abc2".into()), CallbackToken::new("spamtest"))
    }
}

fn query(more: &str) -> CallbackQuery {
    let signed =
        "signature=16120ec1b8dbb870f510d87ce6bc2463eae6ca1a&timestamp=1409735669&nonce=1320562132";
    CallbackQuery::parse(&format!("{signed}{more}")).unwrap()
}

const AES_QUERY: &str = "&encrypt_type=aes&msg_signature=5d197aaffba7e9b25a30732f161a50dee96bd5fa";

fn encrypted() -> String {
    format!("<Encrypt><![CDATA[{}]]></Encrypt>", VECTORS[2].encrypted)
}

fn secure_body() -> String {
    format!("<xml><ToUserName><![CDATA[gh_10f6c3c3ac5a]]></ToUserName>{}</xml>", encrypted())
}

/// A body whose plain fields contradict its encrypted content.
fn contradictory_body() -> String {
    let lie = VECTORS[2].message.replace("abcdteT", "a lie").replace("oyORnuP8", "oVictim8");
    lie.replace("</xml>", &format!("{}</xml>", encrypted()))
}

fn open_error(mode: Mode, query: &CallbackQuery, body: &str) -> Option<CallbackError> {
    protection(mode).open(query, body.as_bytes(), MAX_BODY_BYTES).err()
}

#[test]
fn the_published_example_is_taken_in_its_mode_and_in_no_other() {
    for mode in [Mode::Compatible, Mode::Secure] {
        for body in [secure_body(), contradictory_body()] {
            let protection = protection(mode);
            let opened =
                protection.open(&query(AES_QUERY), body.as_bytes(), MAX_BODY_BYTES).unwrap();
            assert_eq!(opened.message.from_user.expose(), "oyORnuP8q7ou2gfYjqLzSIWZf0rs");
            let MessageKind::Text { content, .. } = opened.message.kind else { panic!() };
            assert_eq!(content, "abcdteT", "only what is encrypted counts");
            assert_eq!(opened.reply_encryptor.is_some(), mode == Mode::Secure);
        }
    }
    assert_eq!(
        open_error(Mode::Plain, &query(AES_QUERY), &secure_body()),
        Some(CallbackError::Encrypted)
    );
    assert!(open_error(Mode::Plain, &query(""), VECTORS[2].message).is_none());
    assert!(open_error(Mode::Plain, &query("&encrypt_type=raw"), VECTORS[2].message).is_none());
}

#[test]
fn the_query_does_not_choose_the_mode() {
    let plain = VECTORS[2].message;
    let msg = "&msg_signature=5d197aaffba7e9b25a30732f161a50dee96bd5fa";
    for mode in [Mode::Compatible, Mode::Secure] {
        for (description, query, body, expected) in [
            ("plain, plain query", query(""), plain, CallbackError::NotEncrypted),
            ("plain, aes query", query(AES_QUERY), plain, CallbackError::NotEncrypted),
            ("aes, plain query", query(""), &secure_body(), CallbackError::NotEncrypted),
            (
                "aes, raw query",
                query("&encrypt_type=raw"),
                &secure_body(),
                CallbackError::NotEncrypted,
            ),
        ] {
            assert_eq!(open_error(mode, &query, body), Some(expected), "{mode:?}: {description}");
        }
        assert!(
            open_error(mode, &query(&format!("&encrypt_type=raw{msg}")), &secure_body()).is_none()
        );
        assert!(open_error(mode, &query(msg), &secure_body()).is_none());
    }
    for (query, body) in [
        (query(AES_QUERY), plain.to_owned()),
        (query(""), secure_body()),
        (query("&encrypt_type=raw"), secure_body()),
        (query("&encrypt_type=AES"), plain.to_owned()),
        (query("&encrypt_type="), plain.to_owned()),
    ] {
        assert_eq!(
            open_error(Mode::Plain, &query, &body),
            Some(CallbackError::Encrypted),
            "{query:?}"
        );
    }
    // The console has changed to compatible mode, and the configuration not yet: the plain part is
    // what an account in plain mode would have been sent.
    for query in [query(AES_QUERY), query("")] {
        let protection = protection(Mode::Plain);
        let body = contradictory_body();
        let opened = protection.open(&query, body.as_bytes(), MAX_BODY_BYTES).unwrap();
        assert!(opened.reply_encryptor.is_none());
    }
}

#[test]
fn both_signatures_have_to_be_right() {
    let wrong_signature =
        "&encrypt_type=aes&msg_signature=5d197aaffba7e9b25a30732f161a50dee96bd5fb";
    let empty = "&encrypt_type=aes&msg_signature=";
    // Correctly signed without the body.
    let three = "&msg_signature=16120ec1b8dbb870f510d87ce6bc2463eae6ca1a";
    let other = CallbackQuery { signature: "0".repeat(40), ..query(AES_QUERY) };
    let upper = CallbackQuery {
        msg_signature: Some("5D197AAFFBA7E9B25A30732F161A50DEE96BD5FA".into()),
        ..query(AES_QUERY)
    };
    let swapped = {
        let body = secure_body();
        body.replace(VECTORS[2].encrypted, VECTORS[5].encrypted)
    };
    for mode in [Mode::Compatible, Mode::Secure] {
        for query in
            [query(wrong_signature), query(empty), query(three), other.clone(), upper.clone()]
        {
            assert_eq!(
                open_error(mode, &query, &secure_body()),
                Some(CallbackError::WrongSignature)
            );
        }
        assert_eq!(
            open_error(mode, &query(AES_QUERY), &swapped),
            Some(CallbackError::WrongSignature)
        );
    }
    assert_eq!(
        open_error(Mode::Plain, &other, VECTORS[2].message),
        Some(CallbackError::WrongSignature)
    );
}

/// A correctly signed body with this `Encrypt` element.
fn signed_callback(encrypted: &str) -> (CallbackQuery, String) {
    let token = CallbackToken::new("spamtest");
    let msg = msg_signature(&token, "1409735669", "1320562132", encrypted);
    let body = format!("<xml><Encrypt>{encrypted}</Encrypt></xml>");
    (query(&format!("&encrypt_type=aes&msg_signature={msg}")), body)
}

#[test]
fn every_decryption_fault_gives_the_same_error() {
    let sealed = VECTORS[2].encrypted;
    let key = AesKey::parse(SAMPLE_KEY).unwrap();
    let other = AesKey::parse(ZERO_KEY).unwrap();
    let app = |id: &str| AppId(id.to_owned());
    let message = VECTORS[2].message.as_bytes();
    let mut flipped = sealed.to_owned();
    flipped.replace_range(420..421, if &sealed[420..421] == "A" { "B" } else { "A" });
    for (description, encrypted) in [
        ("another account's", encrypt(&key, &app("wx2c2769f8efd9abc3"), [7; 16], message)),
        ("no appid", encrypt(&key, &app(""), [7; 16], message)),
        ("another key", encrypt(&other, &app("wx2c2769f8efd9abc2"), [7; 16], message)),
        ("cut", sealed[..sealed.len() - 24].to_owned()),
        ("half a block", sealed[..sealed.len() - 8].to_owned()),
        ("empty", String::new()),
        ("not base64", "号码".into()),
        ("a bit flipped", flipped),
    ] {
        let (query, body) = signed_callback(&encrypted);
        let error = open_error(Mode::Secure, &query, &body);
        assert_eq!(error, Some(CallbackError::Undecipherable), "{description}");
    }
    let app = app("wx2c2769f8efd9abc2");
    let (query, body) = signed_callback(&encrypt(&key, &app, [7; 16], message));
    assert_eq!(open_error(Mode::Secure, &query, &body), None);
    // The decrypted content is parsed with the same care as a plain body.
    for (inside, expected) in [
        ("", XmlError::Malformed),
        ("{\"json\":1}", XmlError::Malformed),
        ("<!DOCTYPE x><xml/>", XmlError::Doctype),
        ("<xml></xml>", XmlError::MissingField("MsgType")),
    ] {
        let (query, body) = signed_callback(&encrypt(&key, &app, [7; 16], inside.as_bytes()));
        assert_eq!(open_error(Mode::Secure, &query, &body), Some(CallbackError::Xml(expected)));
    }
    // Of two encrypted parts the first counts, which the signature has to cover.
    let doubled = body.replacen("<xml>", "<xml><Encrypt>x</Encrypt>", 1);
    let expected = Some(CallbackError::WrongSignature);
    assert_eq!(open_error(Mode::Secure, &query, &doubled), expected);
    let doubled = body.replace("</xml>", "<Encrypt>x</Encrypt></xml>");
    assert_eq!(open_error(Mode::Secure, &query, &doubled), None);
}

#[test]
fn without_a_key_nothing_encrypted_is_taken() {
    let bare = Protection { aes_key: None, ..protection(Mode::Secure) };
    let error = bare.open(&query(AES_QUERY), secure_body().as_bytes(), MAX_BODY_BYTES).err();
    assert_eq!(error, Some(CallbackError::Undecipherable));
}

#[test]
fn during_a_change_both_tokens_and_both_keys_count_and_the_reply_goes_back_the_same_way() {
    let old = ("spamtest", SAMPLE_KEY);
    let new = ("pamtest", ZERO_KEY);
    let app = AppId("wx2c2769f8efd9abc2".into());
    let changing = Protection {
        mode: Mode::Secure,
        former_mode: None,
        app: app.clone(),
        token: CallbackToken::new(new.0),
        former_token: Some(CallbackToken::new(old.0)),
        aes_key: Some(AesKey::parse(new.1).unwrap()),
        former_aes_key: Some(AesKey::parse(old.1).unwrap()),
    };
    for (token_name, key_name) in [old, new, (old.0, new.1), (new.0, old.1)] {
        let token = CallbackToken::new(token_name);
        let key = AesKey::parse(key_name).unwrap();
        let encrypted = encrypt(&key, &app, [1; 16], VECTORS[2].message.as_bytes());
        let query = CallbackQuery {
            signature: signature(&token, "1409735669", "1320562132"),
            timestamp: "1409735669".into(),
            nonce: "1320562132".into(),
            msg_signature: Some(msg_signature(&token, "1409735669", "1320562132", &encrypted)),
            ..CallbackQuery::default()
        };
        assert!(changing.verify(&query));
        let body = format!("<xml><Encrypt>{encrypted}</Encrypt></xml>");
        let opened = changing.open(&query, body.as_bytes(), MAX_BODY_BYTES).unwrap();
        let reply = opened.reply_encryptor.unwrap().encrypt_reply(
            "您好",
            1409735670,
            "1320562132",
            [9; 16],
        );
        let sealed = encrypt(&key, &app, [9; 16], "您好".as_bytes());
        let signed = msg_signature(&token, "1409735670", "1320562132", &sealed);
        assert_eq!(
            reply,
            format!(
                "<xml><Encrypt><![CDATA[{sealed}]]></Encrypt><MsgSignature><![CDATA[{signed}]]></MsgSignature>\
                 <TimeStamp>1409735670</TimeStamp><Nonce><![CDATA[1320562132]]></Nonce></xml>"
            )
        );
        // Once the change is over, the former ones are invalid.
        let finished = Protection { former_token: None, former_aes_key: None, ..changing.clone() };
        let both_new = (token_name, key_name) == new;
        assert_eq!(finished.open(&query, body.as_bytes(), MAX_BODY_BYTES).is_ok(), both_new);
    }
}

/// What is opened in a mode, of a push as WeChat sends it in another one: the text of the message,
/// and whether the reply is encrypted.
#[test]
fn during_a_change_of_mode_a_push_of_either_form_counts_until_the_time_and_no_longer() {
    use Mode::{Compatible, Plain, Secure};
    let plain_body = VECTORS[2].message.to_owned();
    let both = plain_body.replace("</xml>", &format!("{}</xml>", encrypted()));
    let forms = [
        (Plain, "", plain_body),
        (Compatible, AES_QUERY, both),
        (Secure, AES_QUERY, secure_body()),
    ];
    let sent_at = 1_409_735_669;
    for (mode, former) in [Plain, Compatible, Secure]
        .into_iter()
        .flat_map(|mode| [Plain, Compatible, Secure].map(|former| (mode, former)))
    {
        for (form, more, body) in &forms {
            let opened = |until_s| {
                let former_mode = Some(FormerMode { mode: former, until_s });
                let changing = Protection { former_mode, ..protection(mode) };
                let opened = changing.open(&query(more), body.as_bytes(), MAX_BODY_BYTES);
                opened.map(|opened| opened.reply_encryptor.is_some())
            };
            let unchanged = protection(mode);
            let alone = unchanged.open(&query(more), body.as_bytes(), MAX_BODY_BYTES);
            let alone = alone.map(|opened| opened.reply_encryptor.is_some());
            let at = format!("{mode:?} after {former:?}, a push of {form:?}");
            assert_eq!(opened(sent_at - 1), alone, "{at}, too late");
            let in_time = opened(sent_at);
            if *form == former {
                assert_eq!(in_time, Ok(former == Secure), "{at}: the former mode's reply");
            } else {
                assert_eq!(in_time, alone, "{at}");
            }
            if *form == mode || *form == former {
                assert!(in_time.is_ok(), "{at}");
            }
        }
    }
}

#[test]
fn a_former_mode_opens_nothing_that_is_not_signed_as_that_mode_demands() {
    let former_mode = Some(FormerMode { mode: Mode::Plain, until_s: i64::MAX });
    let changing = Protection { former_mode, ..protection(Mode::Secure) };
    let unsigned = CallbackQuery { signature: "0".repeat(40), ..query("") };
    let plain = VECTORS[2].message;
    assert_eq!(
        changing.open(&unsigned, plain.as_bytes(), MAX_BODY_BYTES).err(),
        Some(CallbackError::WrongSignature)
    );
    let wrongly_sealed = query("&encrypt_type=aes&msg_signature=0");
    assert_eq!(
        changing.open(&wrongly_sealed, secure_body().as_bytes(), MAX_BODY_BYTES).err(),
        Some(CallbackError::WrongSignature)
    );
    // The part beside the seal is not believed, as without a former mode.
    let opened =
        changing.open(&query(AES_QUERY), contradictory_body().as_bytes(), MAX_BODY_BYTES).unwrap();
    let MessageKind::Text { content, .. } = opened.message.kind else { panic!("a text") };
    assert_eq!(content, "abcdteT");
}

#[test]
fn a_published_reply_is_sealed_to_the_byte() {
    let reply = &VECTORS[5];
    let protection = protection(Mode::Secure);
    let opened =
        protection.open(&query(AES_QUERY), secure_body().as_bytes(), MAX_BODY_BYTES).unwrap();
    let sealed = opened.reply_encryptor.unwrap().encrypt_reply(
        reply.message,
        1409735670,
        reply.nonce,
        *reply.random,
    );
    assert_eq!(
        sealed,
        format!(
            "<xml><Encrypt><![CDATA[{}]]></Encrypt><MsgSignature><![CDATA[{}]]></MsgSignature>\
             <TimeStamp>1409735670</TimeStamp><Nonce><![CDATA[1320562132]]></Nonce></xml>",
            reply.encrypted, reply.signature
        )
    );
}

#[test]
fn nothing_secret_prints() {
    let debug_text = format!("{:?} {:#?}", protection(Mode::Secure), query(AES_QUERY));
    for secret in ["spamtest", "abcdefghij", "69b71d79", "[105, 183"] {
        assert!(!debug_text.contains(secret), "{debug_text}");
    }
}
