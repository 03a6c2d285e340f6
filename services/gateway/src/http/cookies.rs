//! Reading and setting of cookies.

use axum::http::{HeaderMap, HeaderValue, header};
use std::time::Duration;

/// The value of a cookie that a request came with.
pub(crate) fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).map(str::trim);
    pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// Has a browser keep a value: never shown to scripts, never sent with what pages of others ask but
/// for following a link, never in the clear where the server is reached over https.
pub(crate) fn set_cookie(name: &str, value: &str, span: Duration, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let seconds = span.as_secs();
    let line = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(line).expect("names and values are made here, of letters and digits")
}

/// Has a browser forget a value.
pub(crate) fn clear_cookie(name: &str, secure: bool) -> HeaderValue {
    set_cookie(name, "", Duration::ZERO, secure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; paihao-login=2; paihao=3"));
        headers.append(header::COOKIE, HeaderValue::from_static("b=4"));
        for (name, value) in [("a", "1"), ("paihao", "3"), ("paihao-login", "2"), ("b", "4")] {
            assert_eq!(read(&headers, name), Some(value));
        }
        assert_eq!(read(&headers, "c"), None);
        assert_eq!(read(&headers, "paiha"), None);
    }

    #[test]
    fn a_cookie_has_its_flags() {
        let plain = set_cookie("paihao", "x", Duration::from_secs(60), false);
        assert_eq!(plain, "paihao=x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
        let secure = set_cookie("__Host-paihao", "x", Duration::from_secs(60), true);
        assert_eq!(secure, "__Host-paihao=x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure");
    }
}
