//! What a person sees in answer, as the body of the callback's response.
//!
//! To and from are the message's, already swapped by the caller: `to` is the person, `from` the
//! account's original id.

use crate::secret::OpenId;

/// As many articles as WeChat takes; in answer to what a person wrote or scanned it shows one.
pub const MAX_ARTICLES: usize = 8;

/// A text reply. An empty text is an error to WeChat: answer `success` instead.
pub fn text_reply(to: &OpenId, from: &str, create_time: i64, text: &str) -> String {
    let content = format!("<Content>{}</Content>", cdata(text));
    reply_xml(to, from, create_time, "text", &content)
}

/// One entry of a news reply (图文).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Article {
    /// Its heading.
    pub title: String,
    /// What stands below that.
    pub description: String,
    /// Its picture.
    pub picture_url: String,
    /// Where a tap leads.
    pub url: String,
}

/// A news reply of the first [`MAX_ARTICLES`]; with none it is an error to WeChat: answer
/// `success` instead.
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
    reply_xml(to, from, create_time, "news", &content)
}

fn reply_xml(to: &OpenId, from: &str, create_time: i64, kind: &str, content: &str) -> String {
    format!(
        "<xml><ToUserName>{}</ToUserName><FromUserName>{}</FromUserName>\
         <CreateTime>{create_time}</CreateTime><MsgType><![CDATA[{kind}]]></MsgType>{content}</xml>",
        cdata(to.expose()),
        cdata(from),
    )
}

/// The text as CDATA; `]]>` inside it is divided between two sections. Characters XML cannot hold
/// (controls but tab and line feed; a carriage return would be read back as a line feed) are left out.
pub(super) fn cdata(text: &str) -> String {
    let allowed: String = text
        .chars()
        .filter(|&c| matches!(c, '\t' | '\n') || !c.is_control())
        .filter(|c| !matches!(c, '\u{fffe}' | '\u{ffff}'))
        .collect();
    format!("<![CDATA[{}]]>", allowed.replace("]]>", "]]]]><![CDATA[>"))
}
