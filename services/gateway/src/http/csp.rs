//! Content security policies, and the origins whose pages may frame the board: a sign's player, an
//! intranet's page.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use std::fmt;
use std::str::FromStr;
use url::Url;

/// Scripts, styles and connections from this server only; pictures also inline.
macro_rules! csp {
    ($($frames:literal)?) => {
        concat!("default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'", $($frames)?)
    };
}

/// Policy of a page, without frame-ancestors.
const BASE_CSP: &str = csp!();

/// Policy of every response that has none of its own.
pub(crate) const DEFAULT_CSP: &str = csp!("; frame-ancestors 'none'");

/// Origin of a page: scheme, host and port, as a content security policy names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

/// Text that is no origin.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidOrigin;

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not http:// or https:// with a host, and a port if need be")
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = host.and_then(|host| host.parse::<axum::http::uri::Authority>().ok());
        if host.is_some_and(|host| !host.as_str().contains(['@', '*', ';', ','])) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidOrigin)
        }
    }
}

impl Origin {
    /// True if the page has this origin.
    pub(crate) fn is_of(&self, page: &Url) -> bool {
        Url::parse(&self.0).is_ok_and(|own| own.origin() == page.origin())
    }
}

/// Permits pages of these origins to frame a page; with none, the default policy stays.
pub(crate) fn with_frame_ancestors(page: Response, ancestors: &[Origin]) -> Response {
    let origins =
        ancestors.iter().map(|Origin(origin)| origin.as_str()).collect::<Vec<_>>().join(" ");
    let policy = HeaderValue::try_from(format!("{BASE_CSP}; frame-ancestors {origins}"));
    match policy {
        Ok(policy) if !ancestors.is_empty() => {
            ([(header::CONTENT_SECURITY_POLICY, policy)], page).into_response()
        }
        _ => page,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        for good in ["http://127.0.0.1:8081", "https://signs.example.com", "http://[::1]:80"] {
            assert_eq!(good.parse(), Ok(Origin(good.to_owned())));
        }
        for bad in [
            "",
            "*",
            "signs.example.com",
            "https://",
            "https://*",
            "https://a; script-src *",
            "https://a/b",
            "ftp://a",
        ] {
            assert_eq!(bad.parse::<Origin>(), Err(InvalidOrigin), "{bad}");
        }
    }

    #[test]
    fn a_board_says_who_may_frame_it_or_leaves_the_usual_policy() {
        let policy = |origins: &[&str]| {
            let origins: Vec<_> = origins.iter().map(|origin| origin.parse().unwrap()).collect();
            let page = with_frame_ancestors(().into_response(), &origins);
            page.headers().get(header::CONTENT_SECURITY_POLICY).cloned()
        };
        assert_eq!(policy(&[]), None);
        let both = policy(&["https://a.example", "http://b.example:81"]).unwrap();
        let both = both.to_str().unwrap();
        assert!(both.starts_with(BASE_CSP), "{both}");
        assert!(
            both.ends_with("; frame-ancestors https://a.example http://b.example:81"),
            "{both}"
        );
    }
}
