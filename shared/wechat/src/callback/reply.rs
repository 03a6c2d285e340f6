//! Replies to a person, as bodies of the callback's response.
//!
//! The caller has swapped sender and recipient of the message: `to` is the person, `from` the
//! account's original id.

use crate::secret::OpenId;
use crate::text::fit_text;
use std::fmt::{self, Display};

/// WeChat's limit on articles; a reply to a text or a scan shows only one.
pub const MAX_ARTICLES: usize = 8;

/// Builds a text reply, cut to what WeChat takes. WeChat treats an empty text as an error: answer
/// `success` instead.
pub fn text_reply(to: &OpenId, from: &str, create_time: i64, text: &str) -> String {
    let text = fit_text(text);
    reply_xml(to, from, create_time, "text", format_args!("<Content>{}</Content>", cdata(&text)))
}

/// Builds the reply that hands a message on to human customer service: to one of its accounts, or
/// to whoever is free.
pub fn transfer_reply(
    to: &OpenId,
    from: &str,
    create_time: i64,
    kf_account: Option<&str>,
) -> String {
    let account = kf_account
        .map(|account| format!("<TransInfo><KfAccount>{}</KfAccount></TransInfo>", cdata(account)));
    reply_xml(to, from, create_time, "transfer_customer_service", account.unwrap_or_default())
}

/// An entry of a news reply (图文).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Article {
    /// Title.
    pub title: String,
    /// Text below the title.
    pub description: String,
    /// URL of the picture.
    pub picture_url: String,
    /// URL that a tap opens.
    pub url: String,
}

/// Builds a news reply of the first [`MAX_ARTICLES`]. WeChat treats one without articles as an
/// error: answer `success` instead.
pub fn news_reply(to: &OpenId, from: &str, create_time: i64, articles: &[Article]) -> String {
    let articles = &articles[..articles.len().min(MAX_ARTICLES)];
    let mut content = format!("<ArticleCount>{}</ArticleCount><Articles>", articles.len());
    for Article { title, description, picture_url, url } in articles {
        content.push_str(&format!(
            "<item><Title>{}</Title><Description>{}</Description><PicUrl>{}</PicUrl>\
             <Url>{}</Url></item>",
            cdata(title),
            cdata(description),
            cdata(picture_url),
            cdata(url),
        ));
    }
    content.push_str("</Articles>");
    reply_xml(to, from, create_time, "news", content)
}

fn reply_xml(
    to: &OpenId,
    from: &str,
    create_time: i64,
    kind: &str,
    content: impl Display,
) -> String {
    format!(
        "<xml><ToUserName>{}</ToUserName><FromUserName>{}</FromUserName>\
         <CreateTime>{create_time}</CreateTime><MsgType><![CDATA[{kind}]]></MsgType>{content}</xml>",
        cdata(to.expose()),
        cdata(from),
    )
}

/// Writes a text as CDATA; `]]>` inside it is divided between two sections. Characters that XML
/// cannot hold are left out (controls other than tab and line feed; a carriage return would be read
/// back as a line feed).
pub(super) fn cdata(text: &str) -> Cdata<'_> {
    Cdata(text)
}

/// Text that is written as CDATA.
pub(super) struct Cdata<'a>(&'a str);

impl Display for Cdata<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0;
        // Almost no text has anything to leave out or to divide.
        if text.chars().all(is_allowed) && !text.contains("]]>") {
            return write!(f, "<![CDATA[{text}]]>");
        }
        let allowed: String = text.chars().filter(|c| is_allowed(*c)).collect();
        write!(f, "<![CDATA[{}]]>", allowed.replace("]]>", "]]]]><![CDATA[>"))
    }
}

fn is_allowed(c: char) -> bool {
    (matches!(c, '\t' | '\n') || !c.is_control()) && !matches!(c, '\u{fffe}' | '\u{ffff}')
}
