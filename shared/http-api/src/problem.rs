//! Problem details for HTTP APIs (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use std::time::Duration;

/// One kind of refusal, an entry of a service's catalogue.
#[derive(Debug, PartialEq, Eq)]
pub struct ProblemKind {
    /// Name that clients look at. It never changes.
    pub code: &'static str,
    /// Status of the response.
    pub status: StatusCode,
    /// Title in Chinese.
    pub zh: &'static str,
    /// Title in English.
    pub en: &'static str,
    /// Explanation for whoever has to act on it, as the documentation of the catalogue has it.
    pub meaning: &'static str,
    /// Name of the metric that counts responses, by `code`.
    pub counter: &'static str,
}

/// Declares a service's catalogue of problem kinds: a constant each, and `ALL` of them in the order
/// of the documentation.
#[macro_export]
macro_rules! problem_kinds {
    (
        counter: $counter:literal;
        $($name:ident = $code:literal, $status:ident, $zh:literal, $en:literal, $meaning:literal;)*
    ) => {
        $(
            #[doc = $meaning]
            pub const $name: $crate::ProblemKind = $crate::ProblemKind {
                code: $code,
                status: $crate::StatusCode::$status,
                zh: $zh,
                en: $en,
                meaning: $meaning,
                counter: $counter,
            };
        )*
        /// All of them, in the order of the documentation.
        #[allow(dead_code, reason = "a private catalogue needs it in tests alone")]
        pub const ALL: &[&$crate::ProblemKind] = &[$(&$name),*];
    };
}

/// A refusal: the request changed nothing, unless its code's meaning says otherwise.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ProblemDetails")]
pub struct ProblemDetails<M> {
    /// The code as an address that identifies it.
    r#type: String,
    /// A sentence for people, in Chinese.
    title: &'static str,
    /// The same in English.
    title_en: &'static str,
    /// That of the response.
    status: u16,
    /// Stable for ever; what programs look at.
    code: &'static str,
    /// Details of what was met, for whoever looks for the reason.
    detail: String,
    #[serde(flatten)]
    members: M,
}

/// A refusal on its way to a client, as `application/problem+json`.
#[derive(Debug)]
pub struct Problem {
    kind: &'static ProblemKind,
    detail: String,
    retry_after: Option<Duration>,
    /// Extension members (RFC 9457, 3.2).
    members: Map<String, Value>,
}

impl Problem {
    /// A problem of this kind without details.
    pub fn new(kind: &'static ProblemKind) -> Self {
        Problem { kind, detail: String::new(), retry_after: None, members: Map::new() }
    }

    /// Says what exactly was met. Must hold no secret and no openid.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Sets the `Retry-After` header.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Adds the extension members that a struct serializes to.
    ///
    /// # Panics
    /// If it does not serialize to an object.
    #[must_use]
    pub fn with_members(mut self, members: &impl Serialize) -> Self {
        match serde_json::to_value(members) {
            Ok(Value::Object(members)) => self.members.extend(members),
            other => panic!("members of a problem are an object: {other:?}"),
        }
        self
    }

    /// The kind in the service's catalogue.
    pub fn kind(&self) -> &'static ProblemKind {
        self.kind
    }

    /// Value of `Retry-After` in whole seconds, rounded up.
    pub fn retry_after(&self) -> Option<u64> {
        self.retry_after.map(|wait| wait.as_millis().div_ceil(1000) as u64)
    }

    /// The JSON body.
    pub fn body(&self) -> Value {
        let kind = self.kind;
        let details = ProblemDetails {
            r#type: format!("urn:paihao:refusal:{}", kind.code),
            title: kind.zh,
            title_en: kind.en,
            status: kind.status.as_u16(),
            code: kind.code,
            detail: self.detail.clone(),
            members: &self.members,
        };
        serde_json::to_value(details).expect("string keys only")
    }
}

impl From<&'static ProblemKind> for Problem {
    fn from(kind: &'static ProblemKind) -> Self {
        Problem::new(kind)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let kind = self.kind;
        metrics::counter!(kind.counter, "code" => kind.code).increment(1);
        tracing::debug!(code = kind.code, detail = self.detail, "request refused");
        let mut response = (kind.status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        let content_type = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, content_type);
        if kind.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    mod kinds {
        problem_kinds! {
            counter: "test_refusals_total";
            BUSY = "busy", SERVICE_UNAVAILABLE, "忙", "Busy", "Nothing is free.";
            WHO = "who", UNAUTHORIZED, "谁", "Who", "No key was sent.";
        }
    }

    #[derive(Serialize)]
    struct Members {
        error: &'static str,
    }

    #[test]
    fn a_problem_has_its_members_beside_those_of_every_problem() {
        let problem = Problem::new(&kinds::BUSY).with_detail("until noon");
        let body = problem.with_members(&Members { error: "temporarily_unavailable" }).body();
        let expected = serde_json::json!({
            "type": "urn:paihao:refusal:busy", "title": "忙", "title_en": "Busy", "status": 503,
            "code": "busy", "detail": "until noon", "error": "temporarily_unavailable",
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn the_response_has_the_headers_of_its_kind() {
        let busy = Problem::new(&kinds::BUSY).with_retry_after(Duration::from_millis(1_200));
        let response = busy.into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let unknown = Problem::new(&kinds::WHO).into_response();
        assert_eq!(unknown.headers()["www-authenticate"], "Bearer");
        assert!(!unknown.headers().contains_key("retry-after"));
        assert_eq!(kinds::ALL.len(), 2);
    }
}
