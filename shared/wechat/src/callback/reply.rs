//! The text a person sees in answer, as the body of the callback's response.

use crate::secret::OpenId;

/// A text reply. To and from are the message's, already swapped by the caller: `to` is the person,
/// `from` the account's original id. An empty text is an error to WeChat: answer `success` instead.
pub fn text_reply(to: &OpenId, from: &str, create_time: i64, text: &str) -> String {
    format!(
        "<xml><ToUserName>{}</ToUserName><FromUserName>{}</FromUserName>\
         <CreateTime>{create_time}</CreateTime><MsgType><![CDATA[text]]></MsgType>\
         <Content>{}</Content></xml>",
        cdata(to.expose()),
        cdata(from),
        cdata(text),
    )
}

/// The text as CDATA; `]]>` inside it is divided between two sections. Characters XML cannot hold
/// (controls but tab and line feed; a carriage return would be read back as a line feed) are left out.
fn cdata(text: &str) -> String {
    let allowed: String = text
        .chars()
        .filter(|&c| matches!(c, '\t' | '\n') || !c.is_control())
        .filter(|c| !matches!(c, '\u{fffe}' | '\u{ffff}'))
        .collect();
    format!("<![CDATA[{}]]>", allowed.replace("]]>", "]]]]><![CDATA[>"))
}
