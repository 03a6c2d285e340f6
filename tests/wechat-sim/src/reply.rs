//! What an answer to a push means to the customer.

use std::collections::BTreeMap;

use quick_xml::events::Event;
use quick_xml::reader::Reader;
use serde::Serialize;

/// The sentence a customer reads when the account answers wrongly or not at all.
pub const ERROR_SENTENCE: &str = "该公众号提供的服务出现故障，请稍后再试";

/// A classified answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Answer {
    /// The word `success`: nothing is shown.
    Success,
    /// An empty body: nothing is shown.
    Empty,
    /// A text reply: shown as a bubble.
    Text {
        /// What it says.
        content: String,
    },
    /// Another valid reply.
    Other {
        /// `image`, `news` …
        msg_type: String,
    },
    /// The customer sees [`ERROR_SENTENCE`].
    UserSawError {
        /// What was wrong with the answer.
        reason: String,
    },
}

impl Answer {
    /// Reads the body of a 2xx answer to a push from `openid` to the account `original_id`.
    pub(crate) fn read(body: &[u8], openid: &str, original_id: &str) -> Self {
        let wrong = |reason: &str| Self::UserSawError { reason: reason.to_owned() };
        let Ok(body) = str::from_utf8(body) else { return wrong("not UTF-8") };
        match body.trim() {
            "" => return Self::Empty,
            "success" => return Self::Success,
            _ => {}
        }
        let Some(fields) = elements(body.trim()) else { return wrong("neither success nor XML") };
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        if field("ToUserName") != openid {
            return wrong("ToUserName is not the customer");
        }
        if field("FromUserName") != original_id {
            return wrong("FromUserName is not the account");
        }
        if field("CreateTime").parse::<u64>().is_err() {
            return wrong("CreateTime is not a number");
        }
        match field("MsgType") {
            "" => wrong("no MsgType"),
            "text" if field("Content").is_empty() => wrong("empty Content"),
            "text" => Self::Text { content: field("Content").to_owned() },
            other => Self::Other { msg_type: other.to_owned() },
        }
    }

    /// The text of a text reply.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text { content } => Some(content),
            _ => None,
        }
    }
}

/// The texts of the elements right below `<xml>`, or `None` when it is not such a document.
fn elements(body: &str) -> Option<BTreeMap<String, String>> {
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
            Event::GeneralRef(name) => resolve(&name.into_inner())?.into(),
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

fn resolve(name: &str) -> Option<char> {
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
    use super::Answer;

    fn read(body: &str) -> Answer {
        Answer::read(body.as_bytes(), "oA", "gh_b")
    }

    fn reply(kind: &str, rest: &str) -> String {
        format!(
            "<xml><ToUserName><![CDATA[oA]]></ToUserName><FromUserName><![CDATA[gh_b]]>\
             </FromUserName><CreateTime>12345678</CreateTime>\
             <MsgType><![CDATA[{kind}]]></MsgType>{rest}</xml>"
        )
    }

    #[test]
    fn good_answers() {
        assert_eq!(read("success"), Answer::Success);
        assert_eq!(read(""), Answer::Empty);
        let text = read(&reply("text", "<Content><![CDATA[您的号码 A012\n前面 3 位]]></Content>"));
        assert_eq!(text.text(), Some("您的号码 A012\n前面 3 位"));
        let split = read(&reply("text", "<Content><![CDATA[a]]]]><![CDATA[>b]]></Content>"));
        assert_eq!(split.text(), Some("a]]>b"));
        let escaped = read(&reply("text", "<Content>a &lt;b&gt; &#x53f7;</Content>"));
        assert_eq!(escaped.text(), Some("a <b> 号"));
        let image = read(&reply("image", "<Image><MediaId><![CDATA[x]]></MediaId></Image>"));
        assert_eq!(image, Answer::Other { msg_type: "image".into() });
    }

    #[test]
    fn bad_answers_show_the_customer_an_error() {
        let text = reply("text", "<Content><![CDATA[a]]></Content>");
        for bad in [
            "{\"ok\":true}".to_owned(),
            "SUCCESS!".to_owned(),
            reply("text", "<Content></Content>"),
            reply("text", ""),
            text.replace("oA", "oX"),
            text.replace("gh_b", "gh_x"),
            text.replace("12345678", "today"),
            text.replace("</xml>", ""),
            text.clone() + "and more",
            "<html></html>".to_owned(),
        ] {
            assert!(matches!(read(&bad), Answer::UserSawError { .. }), "{bad}");
        }
        assert!(matches!(Answer::read(&[0xff], "o", "g"), Answer::UserSawError { .. }));
    }
}
