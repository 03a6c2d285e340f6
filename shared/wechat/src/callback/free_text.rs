//! Escaping of the texts that people write, which WeChat passes on as they are.
//!
//! WeChat puts a text into a CDATA section without dividing a `]]>` in it, so that the section ends
//! early: at best the XML is broken, at worst the text brings elements of its own. Here the text
//! reaches to the last end tag of its element, and is escaped before the XML is read. (Seen in
//! public reports; WeChat documents nothing about it.)

use quick_xml::escape::escape;
use std::borrow::Cow;

/// Elements whose texts come from people, or from codes that people scan.
const FREE_TEXT_ELEMENTS: [&str; 9] = [
    "Content",
    "Recognition",
    "Title",
    "Description",
    "Url",
    "Label",
    "Poiname",
    "ScanResult",
    "FileKey",
];

/// A text in a document, by byte offsets.
struct FreeText {
    element: &'static str,
    /// Begin of `<![CDATA[`.
    section_start: usize,
    /// End of the last `]]>` of the element.
    section_end: usize,
}

/// Replaces the CDATA sections of texts that people write by escaped text.
pub(super) fn escape_free_texts(document: &str) -> Cow<'_, str> {
    let mut escaped = String::new();
    let mut copied = 0;
    while let Some(text) = next_free_text(document, copied) {
        let FreeText { element, section_start, section_end } = text;
        let content = &document[section_start + CDATA_START.len()..section_end - CDATA_END.len()];
        escaped.push_str(&document[copied..section_start]);
        // A text that was divided as XML demands is put together again.
        escaped.push_str(&escape(content.replace("]]]]><![CDATA[>", "]]>")));
        copied = section_end;
        debug_assert!(document[copied..].starts_with(&format!("</{element}>")));
    }
    if copied == 0 {
        return Cow::Borrowed(document);
    }
    escaped.push_str(&document[copied..]);
    Cow::Owned(escaped)
}

const CDATA_START: &str = "<![CDATA[";
const CDATA_END: &str = "]]>";

/// Finds the first text behind this offset.
fn next_free_text(document: &str, from: usize) -> Option<FreeText> {
    let rest = &document[from..];
    rest.match_indices(CDATA_START).find_map(|(section_start, _)| {
        let (_, name) = rest[..section_start].strip_suffix('>')?.rsplit_once('<')?;
        let element = FREE_TEXT_ELEMENTS.into_iter().find(|element| *element == name)?;
        let last = rest.rfind(&format!("{CDATA_END}</{element}>"))?;
        (section_start + CDATA_START.len() <= last).then_some(FreeText {
            element,
            section_start: from + section_start,
            section_end: from + last + CDATA_END.len(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(content: &str) -> String {
        format!("<xml><A>1</A><Content><![CDATA[{content}]]></Content><MsgId>7</MsgId></xml>")
    }

    #[test]
    fn a_text_reaches_to_the_last_end_of_its_element() {
        for (content, escaped) in [
            ("plain", "plain"),
            (
                "<status><![CDATA[ok]]></status>",
                "&lt;status&gt;&lt;![CDATA[ok]]&gt;&lt;/status&gt;",
            ),
            ("a]]>b", "a]]&gt;b"),
            ("a]]]]><![CDATA[>b", "a]]&gt;b"),
            (
                "]]></Content><FromUserName>x</FromUserName><Content><![CDATA[",
                "]]&gt;&lt;/Content&gt;&lt;FromUserName&gt;x&lt;/FromUserName&gt;\
                 &lt;Content&gt;&lt;![CDATA[",
            ),
            ("<Title><![CDATA[x]]></Title>", "&lt;Title&gt;&lt;![CDATA[x]]&gt;&lt;/Title&gt;"),
        ] {
            let document =
                format!("<xml><A>1</A><Content>{escaped}</Content><MsgId>7</MsgId></xml>");
            assert_eq!(escape_free_texts(&push(content)), document, "{content}");
        }
    }

    #[test]
    fn a_document_without_such_a_text_stays_as_it_is() {
        for document in [
            "",
            "<xml/>",
            "<Content>a</Content>",
            "<Content><![CDATA[a",
            "]]></Content><Content><![CDATA[",
        ] {
            assert!(matches!(escape_free_texts(document), Cow::Borrowed(_)), "{document}");
        }
    }

    #[test]
    fn every_text_of_a_document_is_escaped() {
        let document = "<Title><![CDATA[<a]]></Title><Description><![CDATA[b>]]></Description>";
        let escaped = "<Title>&lt;a</Title><Description>b&gt;</Description>";
        assert_eq!(escape_free_texts(document), escaped);
    }
}
