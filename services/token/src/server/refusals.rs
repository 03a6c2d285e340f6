//! Every "no" of the token server: a stable code, a sentence in two languages, and what it means.
//!
//! Answers are `application/problem+json`. `docs/guide/token-server.md` has this table in words; a test
//! keeps the two together.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::time::Duration;

/// One kind of refusal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) code: &'static str,
    pub(super) status: StatusCode,
    zh: &'static str,
    pub(super) en: &'static str,
    meaning: &'static str,
}

macro_rules! kinds {
    ($($name:ident = $code:literal, $status:ident, $zh:literal, $en:literal, $meaning:literal;)*) => {
        $(pub(super) const $name: Kind = Kind {
            code: $code, status: StatusCode::$status, zh: $zh, en: $en, meaning: $meaning,
        };)*
        /// All of them, in the order of the documentation.
        #[cfg(test)]
        pub(super) const ALL: &[&Kind] = &[$(&$name),*];
    };
}

kinds! {
    UNAUTHORISED = "unauthorised", UNAUTHORIZED, "需要密钥", "A key is needed",
        "The Authorization header is missing, or its bearer key is unknown.";
    NOT_YOUR_ACCOUNT = "not_your_account", FORBIDDEN, "此密钥不能读取这个公众号", "This key does not open this account",
        "The key is valid, but the configuration does not give it this account.";
    UNKNOWN_ACCOUNT = "unknown_account", NOT_FOUND, "没有这个公众号", "There is no such account",
        "The account is not kept here any more.";
    MALFORMED = "malformed_request", BAD_REQUEST, "请求内容不对", "The request is malformed",
        "A report is the JSON object {\"access_token\": \"...\"} with the token that WeChat refused.";
    TOO_LARGE = "body_too_large", PAYLOAD_TOO_LARGE, "内容太大", "The body is too large",
        "A report has at most 4096 bytes.";
    TOO_OFTEN = "too_many_requests", TOO_MANY_REQUESTS, "请求太频繁", "Too many requests",
        "This key has used up its minute. Retry-After says when it may ask again; keep the token instead of asking for every call.";
    NO_TOKEN = "no_token", SERVICE_UNAVAILABLE, "暂时没有可用的 access_token", "There is no usable token right now",
        "WeChat issues none, or refuses the current one and there is no newer one yet. Retry-After says when to ask again; the token service's log says why.";
    WRONG_METHOD = "method_not_allowed", METHOD_NOT_ALLOWED, "请求方法不对", "The method is wrong",
        "GET reads a token, POST reports a refused one.";
    UNKNOWN_PATH = "unknown_path", NOT_FOUND, "没有这个地址", "There is no such address",
        "The addresses are /token/{account}, /token/{account}/refused and /openapi.json.";
}

impl Kind {
    /// Whether asking again may help; such a refusal says when.
    pub(super) fn is_for_now(&self) -> bool {
        matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
    }
}

/// A refusal on its way to a client.
#[derive(Debug)]
pub(super) struct Problem {
    kind: &'static Kind,
    detail: String,
    after: Option<Duration>,
}

impl Problem {
    pub(super) fn of(kind: &'static Kind) -> Self {
        Problem { kind, detail: String::new(), after: None }
    }

    /// Says what exactly was met. Must hold no secret.
    pub(super) fn saying(self, detail: String) -> Self {
        Problem { detail, ..self }
    }

    /// Says when asking again may help.
    pub(super) fn after(self, wait: Duration) -> Self {
        Problem { after: Some(wait), ..self }
    }

    #[cfg(test)]
    pub(super) fn code(&self) -> &'static str {
        self.kind.code
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Problem { kind, detail, after } = self;
        metrics::counter!("paihao_token_server_refusals_total", "code" => kind.code).increment(1);
        tracing::debug!(code = kind.code, detail, "refused");
        let body = json!({
            "type": format!("urn:paihao:refusal:{}", kind.code),
            "title": kind.zh,
            "title_en": kind.en,
            "status": kind.status.as_u16(),
            "code": kind.code,
            "detail": detail,
        });
        let mut response = (kind.status, Json(body)).into_response();
        let headers = response.headers_mut();
        let problem = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, problem);
        if kind.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(after) = after {
            let seconds = after.as_millis().div_ceil(1000).max(1) as u64;
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_documentation_is_this_table() {
        let documented = include_str!("../../../../docs/guide/token-server.md");
        let codes: BTreeSet<_> = ALL.iter().map(|kind| kind.code).collect();
        assert_eq!(codes.len(), ALL.len(), "every code is unique");
        for kind in ALL {
            let (status, meaning) = (kind.status.as_u16(), kind.meaning);
            let row =
                format!("| `{}` | {status} | {} / {} | {meaning} |", kind.code, kind.zh, kind.en);
            assert!(documented.contains(&row), "docs/guide/token-server.md lacks this row:\n{row}");
        }
        let rows = documented.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(
            rows,
            ALL.len(),
            "docs/guide/token-server.md has rows that the program does not know"
        );
    }
}
