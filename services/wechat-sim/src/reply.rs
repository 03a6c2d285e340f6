//! Classification of answers to a push by their effect on the customer.

use std::collections::BTreeMap;

use quick_xml::events::Event;
use quick_xml::reader::Reader;
use serde::Serialize;

use crate::config::{PushMode, SimAccount};
use crate::crypt::unseal;
use crate::sign::msg_signature;

/// Sentence that a customer reads if the account answers wrongly or not at all.
pub const SERVICE_ERROR_TEXT: &str = "该公众号提供的服务出现故障，请稍后再试";

/// Longest text in bytes that a customer reads, in a reply or a customer-service message. It is not
/// published; several people measured it.
pub(crate) const MAX_TEXT_BYTES: usize = 2047;

/// Classified answer to a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ReplyOutcome {
    /// The word `success`: nothing is shown.
    Success,
    /// An empty body: nothing is shown.
    Empty,
    /// A text reply, shown as a bubble.
    Text {
        /// Content of the text.
        content: String,
    },
    /// Another valid reply.
    Other {
        /// Type, such as `image` or `news`.
        msg_type: String,
    },
    /// The customer sees [`SERVICE_ERROR_TEXT`].
    UserSawError {
        /// Description of the fault in the answer.
        reason: String,
    },
}

impl ReplyOutcome {
    /// Classifies the body of a 2xx answer to a push from `openid`. An empty body and `success` are
    /// never sealed. A reply must be sealed in secure mode, may be in compatible mode, and must not
    /// be in plain mode.
    pub(crate) fn classify(body: &[u8], openid: &str, account: &SimAccount) -> Self {
        let error = |reason: &str| Self::UserSawError { reason: reason.to_owned() };
        let Ok(body) = str::from_utf8(body) else { return error("not UTF-8") };
        match body.trim() {
            "" => return Self::Empty,
            "success" => return Self::Success,
            _ => {}
        }
        let Some(fields) = xml_elements(body.trim()) else {
            return error("neither success nor XML");
        };
        let fields = match (fields.contains_key("Encrypt"), account.mode) {
            (false, PushMode::Secure) => return error("not sealed"),
            (true, PushMode::Plain) => return error("sealed"),
            (false, _) => fields,
            (true, _) => match unseal_reply(&fields, account) {
                Ok(fields) => fields,
                Err(reason) => return error(reason),
            },
        };
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        if field("ToUserName") != openid {
            return error("ToUserName is not the customer");
        }
        if field("FromUserName") != account.original_id {
            return error("FromUserName is not the account");
        }
        if field("CreateTime").parse::<u64>().is_err() {
            return error("CreateTime is not a number");
        }
        match field("MsgType") {
            "" => error("no MsgType"),
            "text" if field("Content").is_empty() => error("empty Content"),
            "text" if field("Content").len() > MAX_TEXT_BYTES => error("Content is too long"),
            "text" => Self::Text { content: field("Content").to_owned() },
            other => Self::Other { msg_type: other.to_owned() },
        }
    }

    /// Content of a text reply.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text { content } => Some(content),
            _ => None,
        }
    }
}

/// Opens a sealed reply. It needs the four elements, spelled exactly, signed with the account's
/// token and sealed with its key and appid.
fn unseal_reply(
    sealed: &BTreeMap<String, String>,
    account: &SimAccount,
) -> Result<BTreeMap<String, String>, &'static str> {
    let field = |name: &str| sealed.get(name).map(String::as_str).unwrap_or_default();
    let [encrypt, timestamp, nonce] = ["Encrypt", "TimeStamp", "Nonce"].map(field);
    if timestamp.parse::<u64>().is_err() {
        return Err("TimeStamp is not a number");
    }
    if nonce.is_empty() {
        return Err("no Nonce");
    }
    let signed = msg_signature(&account.callback_token, timestamp, nonce, encrypt);
    if field("MsgSignature") != signed {
        return Err("MsgSignature is wrong");
    }
    let plain = unseal(&account.aes_key, &account.appid, encrypt)?;
    let plain = String::from_utf8(plain).map_err(|_| "sealed is not UTF-8")?;
    xml_elements(plain.trim()).ok_or("sealed is not XML")
}

/// Returns the texts of the elements directly below `<xml>`, or `None` if the document has another
/// form.
fn xml_elements(body: &str) -> Option<BTreeMap<String, String>> {
    let mut reader = Reader::from_str(body);
    let mut fields = BTreeMap::<String, String>::new();
    let mut path: Vec<String> = Vec::new();
    let mut ended = false;
    loop {
        let text = match reader.read_event().ok()? {
            Event::Start(start) if !ended => {
                let name: &[u8] = start.name().0.as_ref();
                path.push(String::from_utf8_lossy(name).into_owned());
                if path[0] != "xml" {
                    return None;
                }
                if path.len() == 2 {
                    fields.entry(path[1].clone()).or_default();
                }
                continue;
            }
            Event::Empty(_) if !path.is_empty() => continue,
            Event::End(_) => {
                path.pop();
                ended = path.is_empty();
                continue;
            }
            Event::Text(text) => text.into_inner().into_owned(),
            Event::CData(data) => data.into_inner().into_owned(),
            Event::GeneralRef(name) => resolve_entity(&name.into_inner())?.into(),
            Event::Eof => return ended.then_some(fields),
            _ => return None,
        };
        match path.as_slice() {
            [_, name] => fields.entry(name.clone()).or_default().push_str(&text),
            [] if !text.trim().is_empty() => return None,
            _ => {}
        }
    }
}

fn resolve_entity(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ReplyOutcome;
    use crate::config::{PushMode, SimAccount};
    use crate::crypt::{SealOverrides, seal};
    use crate::sign::msg_signature;

    fn account(mode: PushMode) -> SimAccount {
        SimAccount { original_id: "gh_b".into(), mode, ..SimAccount::default() }
    }

    fn read(body: &str) -> ReplyOutcome {
        ReplyOutcome::classify(body.as_bytes(), "oA", &account(PushMode::Plain))
    }

    fn sealed(account: &SimAccount, plain: &str) -> String {
        let encrypt = seal(
            &account.aes_key,
            &account.appid,
            [7; 16],
            plain.as_bytes(),
            &SealOverrides::default(),
        );
        let signed = msg_signature(&account.callback_token, "12", "34", &encrypt);
        format!(
            "<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt><MsgSignature><![CDATA[{signed}]]>\
             </MsgSignature><TimeStamp>12</TimeStamp><Nonce><![CDATA[34]]></Nonce></xml>"
        )
    }

    #[test]
    fn a_sealed_reply_is_checked_to_the_letter() {
        let secure = account(PushMode::Secure);
        let text = reply("text", "<Content><![CDATA[您好]]></Content>");
        let valid_reply = sealed(&secure, &text);
        let read = |body: &str, mode| ReplyOutcome::classify(body.as_bytes(), "oA", &account(mode));
        assert_eq!(read(&valid_reply, PushMode::Secure).text(), Some("您好"));
        assert_eq!(read(&valid_reply, PushMode::Compatible).text(), Some("您好"));
        assert_eq!(read(&text, PushMode::Compatible).text(), Some("您好"));
        assert_eq!(read("success", PushMode::Secure), ReplyOutcome::Success);
        let other = SimAccount { appid: "wx0".into(), ..secure.clone() };
        let strange = SimAccount { callback_token: "another".into(), ..secure.clone() };
        for body in [
            text.clone(),
            sealed(&other, &text),
            sealed(&strange, &text),
            sealed(&secure, "success"),
            sealed(&secure, &text.replace("oA", "oX")),
            valid_reply.replace("MsgSignature", "msgsignature"),
            valid_reply.replace("TimeStamp", "Timestamp"),
            valid_reply.replace("Nonce", "nonce"),
            valid_reply.replace(">12<", ">13<"),
            valid_reply.replace("<Encrypt><![CDATA[", "<Encrypt><![CDATA[A"),
        ] {
            assert!(
                matches!(read(&body, PushMode::Secure), ReplyOutcome::UserSawError { .. }),
                "{body}"
            );
        }
        assert!(matches!(read(&valid_reply, PushMode::Plain), ReplyOutcome::UserSawError { .. }));
    }

    fn reply(kind: &str, fields_xml: &str) -> String {
        format!(
            "<xml><ToUserName><![CDATA[oA]]></ToUserName><FromUserName><![CDATA[gh_b]]>\
             </FromUserName><CreateTime>12345678</CreateTime>\
             <MsgType><![CDATA[{kind}]]></MsgType>{fields_xml}</xml>"
        )
    }

    #[test]
    fn good_answers() {
        assert_eq!(read("success"), ReplyOutcome::Success);
        assert_eq!(read(""), ReplyOutcome::Empty);
        let text = read(&reply("text", "<Content><![CDATA[您的号码 A012\n前面 3 位]]></Content>"));
        assert_eq!(text.text(), Some("您的号码 A012\n前面 3 位"));
        let split = read(&reply("text", "<Content><![CDATA[a]]]]><![CDATA[>b]]></Content>"));
        assert_eq!(split.text(), Some("a]]>b"));
        let escaped = read(&reply("text", "<Content>a &lt;b&gt; &#x53f7;</Content>"));
        assert_eq!(escaped.text(), Some("a <b> 号"));
        let longest = "号".repeat(682) + "1";
        let longest_reply = reply("text", &format!("<Content><![CDATA[{longest}]]></Content>"));
        assert_eq!(read(&longest_reply).text(), Some(&*longest));
        let image = read(&reply("image", "<Image><MediaId><![CDATA[x]]></MediaId></Image>"));
        assert_eq!(image, ReplyOutcome::Other { msg_type: "image".into() });
    }

    #[test]
    fn bad_answers_show_the_customer_an_error() {
        let text = reply("text", "<Content><![CDATA[a]]></Content>");
        for body in [
            "{\"ok\":true}".to_owned(),
            "SUCCESS!".to_owned(),
            reply("text", "<Content></Content>"),
            reply("text", ""),
            reply("text", &format!("<Content>{}</Content>", "号".repeat(683))),
            text.replace("oA", "oX"),
            text.replace("gh_b", "gh_x"),
            text.replace("12345678", "today"),
            text.replace("</xml>", ""),
            text.clone() + "and more",
            "<html></html>".to_owned(),
        ] {
            assert!(matches!(read(&body), ReplyOutcome::UserSawError { .. }), "{body}");
        }
        let undecodable = ReplyOutcome::classify(&[0xff], "o", &account(PushMode::Plain));
        assert!(matches!(undecodable, ReplyOutcome::UserSawError { .. }));
    }
}
