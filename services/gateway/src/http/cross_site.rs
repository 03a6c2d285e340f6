//! Refusal of requests for codes that pages of other sites send: each code is one of WeChat's day.
//!
//! Browsers since 2020 say in `Sec-Fetch-Site` where a request comes from. Of older ones only what
//! `Origin` or `Referer` names is known, and one that names nothing is served.

use crate::http::csp::Origin;
use crate::http::refusals::{self, Problem};
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use paihao_http_api::ApiState;
use paihao_http_api::openapi::{ApiArgument, Operation};
use std::sync::Arc;
use url::Url;

/// Sites whose pages may show codes.
#[derive(Debug, Clone, Default)]
pub(crate) struct CodeEmbedders {
    /// Address of this system.
    pub(crate) public_url: Option<String>,
    /// Other sites.
    pub(crate) origins: Arc<[Origin]>,
}

/// Request that no foreign page sent. As an argument of a handler it refuses others.
pub(crate) struct SameSite;

impl<S> FromRequestParts<S> for SameSite
where
    CodeEmbedders: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<SameSite, Problem> {
        if CodeEmbedders::from_ref(state).may_show(&parts.headers) {
            return Ok(SameSite);
        }
        metrics::counter!("paihao_gateway_limited_total", "what" => "cross_site").increment(1);
        Err(Problem::new(&refusals::CROSS_SITE))
    }
}

impl<S: ApiState> ApiArgument<S> for SameSite {
    fn describe(operation: Operation<S>) -> Operation<S> {
        operation.refuses(&[&refusals::CROSS_SITE])
    }
}

impl CodeEmbedders {
    fn may_show(&self, headers: &HeaderMap) -> bool {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let page =
            text("origin").or_else(|| text("referer")).and_then(|page| Url::parse(page).ok());
        let is_listed =
            || page.as_ref().is_some_and(|page| self.origins.iter().any(|own| own.is_of(page)));
        match text("sec-fetch-site") {
            Some("cross-site") => is_listed(),
            Some(_) => true,
            None => match (&page, text("origin").or_else(|| text("referer"))) {
                (Some(page), _) => self.is_own(page, text(header::HOST.as_str())) || is_listed(),
                (None, Some(_)) => false,
                (None, None) => true,
            },
        }
    }

    /// True for a page of this system, under its public address or the one that was asked at.
    fn is_own(&self, page: &Url, host: Option<&str>) -> bool {
        let public = self.public_url.as_deref().and_then(|url| Url::parse(url).ok());
        let asked = host.and_then(|host| Url::parse(&format!("{}://{host}", page.scheme())).ok());
        [public, asked].into_iter().flatten().any(|own| own.origin() == page.origin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn is_served(pairs: &[(&str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name = HeaderName::try_from(*name).unwrap();
            headers.insert(name, HeaderValue::try_from(*value).unwrap());
        }
        let embedders = CodeEmbedders {
            public_url: Some("https://queue.example.com/base".to_owned()),
            origins: Arc::new(["https://shop.example.org".parse().unwrap()]),
        };
        embedders.may_show(&headers)
    }

    #[test]
    fn pages_of_other_sites_get_no_code_unless_they_are_listed() {
        let host = ("host", "10.0.0.5:8080");
        let own_pages = ["https://queue.example.com/kiosk/hall", "http://10.0.0.5:8080/"];
        let listed_pages = ["https://shop.example.org", "https://shop.example.org/contact?x=1"];
        let foreign_pages = [
            "https://evil.example/",
            "https://queue.example.com.evil.example/",
            "https://shop.example.org:444/",
            "http://shop.example.org/",
            "http://10.0.0.5:8081/",
            "null",
            "about:client",
        ];
        for header in ["origin", "referer"] {
            for page in own_pages {
                assert!(is_served(&[host, (header, page)]), "{header}: {page}");
                for site in ["same-origin", "same-site"] {
                    assert!(is_served(&[host, ("sec-fetch-site", site), (header, page)]));
                }
            }
            for page in listed_pages {
                assert!(is_served(&[host, (header, page)]), "{header}: {page}");
                assert!(is_served(&[host, ("sec-fetch-site", "cross-site"), (header, page)]));
            }
            for page in foreign_pages {
                assert!(!is_served(&[host, (header, page)]), "{header}: {page}");
                assert!(!is_served(&[host, ("sec-fetch-site", "cross-site"), (header, page)]));
            }
        }
        assert!(!is_served(&[host, ("sec-fetch-site", "cross-site")]), "it hides its name");
        assert!(is_served(&[host, ("sec-fetch-site", "none")]), "an address that was typed");
        assert!(is_served(&[host]), "an old browser, or a program");
    }
}
