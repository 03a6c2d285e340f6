//! Targets of the fuzzer: each part of the codec alone, and the whole as a callback reaches it.
//!
//! A target returns a word for the answer to an input, or a description of a violation. Accepted
//! input is compared with the simulator's reading of WeChat's rules, which shares no code with the
//! codec.

use paihao_wechat::callback::{
    AesKey, CallbackError, CallbackQuery, FormerMode, Message, Mode, Protection, decrypt, parse,
};
use paihao_wechat::{AppId, CallbackToken};
use std::sync::LazyLock;
use wechat_sim::{SealOverrides, msg_signature, seal, signature, unseal};

/// Largest body in bytes.
const MAX_BODY_BYTES: usize = 64 << 10;

const TOKEN: &str = "spamtest";
const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const APP: &str = "wx2c2769f8efd9abc2";

/// Time until which a former mode is accepted, in Unix seconds: that of the published example.
const FORMER_MODE_UNTIL_S: i64 = 1_409_735_669;

/// Part of the codec to test.
pub struct Target {
    /// Name of the target and of its folder in the corpus.
    pub name: &'static str,
    /// Runs one input and returns the answer, or a description of a violation.
    pub execute: fn(&[u8]) -> Result<String, String>,
}

/// All targets.
pub const TARGETS: [Target; 5] = [
    Target { name: "query", execute: query },
    Target { name: "xml", execute: xml },
    Target { name: "crypt", execute: crypt },
    Target { name: "seal", execute: sealed },
    Target { name: "callback", execute: callback },
];

fn key() -> &'static AesKey {
    static PARSED: LazyLock<AesKey> = LazyLock::new(|| AesKey::parse(KEY).expect("a key"));
    &PARSED
}

fn app() -> &'static AppId {
    static ID: LazyLock<AppId> = LazyLock::new(|| AppId(APP.into()));
    &ID
}

fn query(input: &[u8]) -> Result<String, String> {
    match CallbackQuery::parse(&String::from_utf8_lossy(input)) {
        Ok(query) => {
            // A decoded value is no longer than its encoded form, except that each invalid UTF-8
            // byte becomes three bytes.
            let longest = 3 * input.len();
            let long = |text: &str| text.len() > longest;
            if long(&query.signature) || long(&query.timestamp) || long(&query.nonce) {
                return Err("a value is longer than the whole query".into());
            }
            Ok(format!("read, {} {}", query.echostr.is_some(), query.msg_signature.is_some()))
        }
        Err(error) => Ok(error.to_string()),
    }
}

fn xml(input: &[u8]) -> Result<String, String> {
    match parse(input, MAX_BODY_BYTES) {
        Ok(message) => {
            check_invariants(&message, input)?;
            match parse(input, MAX_BODY_BYTES).map(|parsed| parsed.identity() == message.identity())
            {
                Ok(true) => Ok(message.kind.name().to_owned()),
                _ => Err("read twice, it is something else".into()),
            }
        }
        Err(error) => Ok(error.to_string()),
    }
}

/// Checks that an accepted message was within the size limit and names both sides.
fn check_invariants(message: &Message, input: &[u8]) -> Result<(), String> {
    if input.len() > MAX_BODY_BYTES {
        return Err("it was larger than the limit".into());
    }
    if message.to_user.is_empty() || message.from_user.expose().is_empty() {
        Err("it names nobody".into())
    } else {
        Ok(())
    }
}

/// Decrypts the input as the text of an `Encrypt` element.
fn crypt(input: &[u8]) -> Result<String, String> {
    compare_decryption(&String::from_utf8_lossy(input))
}

/// Decrypts with the codec and with the simulator, which have to agree.
fn compare_decryption(encrypted: &str) -> Result<String, String> {
    match (decrypt(key(), app(), encrypted), unseal(KEY, APP, encrypted)) {
        (Ok(ours), Ok(theirs)) if ours == theirs => Ok("opened".into()),
        (Ok(_), Ok(_)) => Err("two messages in one".into()),
        (Ok(_), Err(reason)) => Err(format!("opened, although {reason}")),
        (Err(_), Ok(_)) => Err("refused, although all is right".into()),
        (Err(_), Err(reason)) => Ok(reason.into()),
    }
}

/// Seals a message correctly except for the faults in the first bytes of the input: padding,
/// length, appid.
fn sealed(input: &[u8]) -> Result<String, String> {
    let [flags, pad_byte, pad_count, length @ ..] = *input.first_chunk().unwrap_or(&[0; 7]);
    let message = input.get(7..).unwrap_or_default();
    let (message, tail) = message.split_at(message.len() - message.len().min(18));
    let set = |bit: u8| flags & (1 << bit) != 0;
    let near = i64::from(i8::from_ne_bytes([length[3]])) + message.len() as i64;
    let length = if set(3) { u32::from_be_bytes(length) } else { near as u32 };
    let warp = SealOverrides {
        appid: set(0).then(|| String::from_utf8_lossy(tail).into_owned()),
        length: set(1).then_some(length),
        pad_byte: set(2).then_some(pad_byte),
        pad_count: set(4).then_some(usize::from(pad_count)),
    };
    compare_decryption(&seal(KEY, APP, [7; 16], message, &warp))
}

/// Opens a whole callback: a line with the mode, with `was-MODE` while the mode is being changed
/// and with `anew` if it is to be signed after the mutation; a line with the query; and the body.
fn callback(input: &[u8]) -> Result<String, String> {
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let mode_line = line();
    let address = line();
    let body = line();
    let mode_text = String::from_utf8_lossy(mode_line);
    let mode = mode_named(mode_text.split(' ').next().unwrap_or_default());
    let former_mode = mode_text.split(' ').find_map(|word| word.strip_prefix("was-"));
    let former_mode =
        former_mode.map(|name| FormerMode { mode: mode_named(name), until_s: FORMER_MODE_UNTIL_S });
    let protection = Protection {
        mode,
        former_mode,
        aes_key: Some(key().clone()),
        ..Protection::plain(app().clone(), CallbackToken::new(TOKEN))
    };
    let Ok(mut query) = CallbackQuery::parse(&String::from_utf8_lossy(address)) else {
        return Ok("no query".into());
    };
    let anew = mode_text.ends_with("anew");
    if anew {
        query.signature = signature(TOKEN, &query.timestamp, &query.nonce);
        let encrypt = encrypt_element(&String::from_utf8_lossy(body));
        query.msg_signature = Some(msg_signature(TOKEN, &query.timestamp, &query.nonce, &encrypt));
    }
    let signed = signature(TOKEN, &query.timestamp, &query.nonce) == query.signature;
    let in_time = query.timestamp.parse().is_ok_and(|at: i64| at <= FORMER_MODE_UNTIL_S);
    let former = former_mode.map(|former| former.mode).filter(|_| in_time);
    let may_be =
        |wanted: &[Mode]| wanted.contains(&mode) || former.is_some_and(|f| wanted.contains(&f));
    match protection.open(&query, body, MAX_BODY_BYTES) {
        Ok(_) if !signed => Err("accepted without a signature".into()),
        Ok(opened)
            if !may_be(&[Mode::Plain]) && !anew && !is_published_example(&opened.message) =>
        {
            Err("accepted what was never sealed".into())
        }
        Ok(opened) => {
            check_invariants(&opened.message, body)?;
            let may_be_so = match &opened.reply_encryptor {
                Some(_) => may_be(&[Mode::Secure]),
                None => may_be(&[Mode::Plain, Mode::Compatible]),
            };
            if !may_be_so {
                return Err("the reply would be in another mode".into());
            }
            if let Some(seal) = opened.reply_encryptor {
                let reply = seal.encrypt_reply("<xml/>", 1, &query.nonce, [1; 16]);
                let encrypt = encrypt_element(&reply);
                if unseal(KEY, APP, &encrypt).as_deref() != Ok(b"<xml/>") {
                    return Err("the reply cannot be opened".into());
                }
            }
            let kind = opened.message.kind.name();
            match former {
                None => Ok(format!("{mode:?} {anew} {kind}")),
                Some(former) => Ok(format!("{mode:?}, formerly {former:?}, {anew} {kind}")),
            }
        }
        Err(CallbackError::Xml(error)) => Ok(format!("{mode:?} {anew} {error}")),
        Err(error) => Ok(format!("{mode:?} {error}")),
    }
}

fn mode_named(name: &str) -> Mode {
    match name {
        "plain" => Mode::Plain,
        "compatible" => Mode::Compatible,
        _ => Mode::Secure,
    }
}

/// True for the published example, the only message that exists in sealed form.
fn is_published_example(message: &Message) -> bool {
    message.from_user.expose() == "oyORnuP8q7ou2gfYjqLzSIWZf0rs"
        && message.to_user == "gh_10f6c3c3ac5a"
        && message.create_time == 1_409_735_668
}

/// Returns the content of the first `Encrypt` element, precise enough to sign it.
fn encrypt_element(body: &str) -> String {
    let inside = body.split("<Encrypt>").nth(1).and_then(|tail| tail.split("</Encrypt>").next());
    let text = inside.unwrap_or_default().trim();
    let text = text.strip_prefix("<![CDATA[").unwrap_or(text);
    text.strip_suffix("]]>").unwrap_or(text).trim().to_owned()
}
