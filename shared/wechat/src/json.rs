//! Tolerant reading of WeChat's JSON.

use crate::codes::{self, CodeScope};
use crate::error::{CallError, Refusal};
use serde::de::DeserializeOwned;

/// Longest message of WeChat's that is kept.
const MAX_SENTENCE_CHARS: usize = 200;

/// Parses the response of a call, or the error that `errcode` reports. HTTP status and content type
/// are ignored, because WeChat sets them arbitrarily. `secrets` are removed from every message.
pub(crate) fn parse_response<T: DeserializeOwned>(
    body: &[u8],
    scope: CodeScope,
    secrets: &[&str],
) -> Result<T, CallError> {
    #[derive(serde::Deserialize)]
    struct ErrorFields {
        #[serde(default)]
        errcode: i64,
        #[serde(default)]
        errmsg: Option<String>,
    }
    let text = sanitize_json(body);
    // serde would read a list as a structure, too.
    if !text.trim_start().starts_with('{') {
        return Err(garbled_response("not the JSON expected"));
    }
    let error: ErrorFields =
        serde_json::from_str(&text).map_err(|_| garbled_response("not the JSON expected"))?;
    if error.errcode != 0 {
        let row = codes::lookup(error.errcode, scope);
        return Err(CallError::Refused(Refusal {
            code: error.errcode,
            name: row.name,
            class: row.class,
            sentence: clean_errmsg(&error.errmsg.unwrap_or_default(), secrets),
        }));
    }
    // serde's own error would quote the offending value, which may be a token.
    serde_json::from_str(&text)
        .map_err(|_| garbled_response("a field is missing or of another type"))
}

pub(crate) fn garbled_response(reason: &str) -> CallError {
    CallError::Garbled(reason.to_owned())
}

/// Repairs a body: replaces invalid UTF-8, drops a byte order mark, and inside strings removes raw
/// control characters and escapes that JSON does not have. All of these have occurred.
fn sanitize_json(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}');
    let mut out = String::with_capacity(text.len());
    let mut in_string = false;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                in_string = !in_string;
                out.push(c);
            }
            '\\' if in_string => match chars.next() {
                Some(next @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' | 'u')) => {
                    out.push('\\');
                    out.push(next);
                }
                Some(next) if next >= ' ' => out.push(next),
                _ => out.push(' '),
            },
            c if in_string && c < ' ' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// WeChat's message without its request id (which differs every time), without secrets, on one
/// line.
fn clean_errmsg(errmsg: &str, secrets: &[&str]) -> String {
    let mut text = errmsg.to_owned();
    for marker in ["rid:", "hint:"] {
        if let Some(at) = text.find(marker) {
            text.truncate(at);
        }
    }
    redact(&text, secrets)
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_SENTENCE_CHARS)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Replaces every secret in a text.
pub(crate) fn redact(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| secret.len() >= 4) {
        text = text.replace(secret, "***");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::FailureClass;
    use serde_json::Value;

    fn read_value(body: &[u8]) -> Result<Value, CallError> {
        parse_response(body, CodeScope::Call, &["43_secrettoken", "oPerson"])
    }

    #[test]
    fn an_absent_errcode_is_success() {
        assert!(read_value(br#"{"ticket":"t"}"#).is_ok());
        assert!(read_value(br#"{"errcode":0,"errmsg":"ok"}"#).is_ok());
    }

    #[test]
    fn malformed_json_of_real_servers_is_read() {
        let value = read_value(b"\xef\xbb\xbf{\"url\":\"http:\\/\\/a\\/b\",\"n\":\"a\x14b\nc\xffd\\x14\",\"msgid\":2702600966117900288}").unwrap();
        assert_eq!(value["url"], "http://a/b");
        assert_eq!(value["n"], "a b c\u{fffd}dx14");
        assert_eq!(value["msgid"].as_u64(), Some(2_702_600_966_117_900_288));
    }

    #[test]
    fn a_refusal_is_known_by_its_code_and_keeps_a_clean_sentence() {
        let body = r#"{"errcode":40001,"errmsg":"invalid credential 43_secrettoken of oPerson rid: 654df33c-64386a2f"}"#;
        let CallError::Refused(refusal) = read_value(body.as_bytes()).unwrap_err() else {
            panic!()
        };
        assert_eq!((refusal.code, refusal.class), (40001, FailureClass::InvalidToken));
        assert_eq!(refusal.sentence, "invalid credential *** of ***");
    }

    #[test]
    fn anything_else_is_garbled() {
        for body in [&b""[..], b"<html>", b"[]", b"{\"errcode\":\"x\"}", b"null"] {
            assert!(matches!(read_value(body), Err(CallError::Garbled(_))), "{body:?}");
        }
    }
}
