//! Reading and setting of cookies.

use axum::http::{HeaderMap, HeaderValue, header};
use cookie::{Cookie, SameSite};
use std::time::Duration;

/// Value of a cookie of the request.
pub(crate) fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(Cookie::split_parse).filter_map(Result::ok);
    cookies.find(|cookie| cookie.name() == name)?.value_raw()
}

/// `Set-Cookie` of a value that scripts cannot read, that other sites' pages send only by links,
/// and that is sent over https alone if `secure`.
pub(crate) fn set_cookie(name: &str, value: &str, max_age: Duration, secure: bool) -> HeaderValue {
    let max_age = max_age.try_into().expect("sessions last for days");
    let cookie = Cookie::build((name, value))
        .path("/")
        .max_age(max_age)
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(secure)
        .build();
    HeaderValue::try_from(cookie.to_string()).expect("names and values are letters and digits")
}

/// `Set-Cookie` that removes a cookie.
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
        let flags = |line: &HeaderValue| {
            let line = line.to_str().unwrap().to_owned();
            let (cookie, flags) = line.split_once("; ").unwrap();
            let mut flags: Vec<_> = flags.split("; ").map(str::to_owned).collect();
            flags.sort_unstable();
            (cookie.to_owned(), flags.join("; "))
        };
        let plain = set_cookie("paihao", "x", Duration::from_secs(60), false);
        let expected = "HttpOnly; Max-Age=60; Path=/; SameSite=Lax";
        assert_eq!(flags(&plain), ("paihao=x".to_owned(), expected.to_owned()));
        let secure = set_cookie("__Host-paihao", "x", Duration::from_secs(60), true);
        let expected = "HttpOnly; Max-Age=60; Path=/; SameSite=Lax; Secure";
        assert_eq!(flags(&secure), ("__Host-paihao=x".to_owned(), expected.to_owned()));
        let cleared = clear_cookie("paihao", false);
        assert!(flags(&cleared).1.contains("Max-Age=0"), "{cleared:?}");
    }
}
