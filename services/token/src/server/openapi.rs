//! Routes of the token server and their OpenAPI document.

use super::problems;
use super::{MAX_REPORT_BYTES, RefusedTokenReport, SharedState, read_token, report_refused};
use axum::Json;
use axum::http::StatusCode;
use paihao_http_api::openapi::{DocumentSettings, OpenApiDocument, Operation, Routes, schema_of};
use paihao_http_api::{Problem, ProblemDetails};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| document_of(&routes()));

/// Routes of the token server.
pub(super) fn routes() -> Routes<SharedState> {
    let token = |id, summary| Operation::new(id, summary).refuses(&[&problems::NO_TOKEN]);
    Routes::new()
        .get(
            "/token/{account}",
            read_token,
            token("read_token", "The account's token, and how long it lives"),
        )
        .post(
            "/token/{account}/refused",
            report_refused,
            token(
                "report_refused_token",
                "Says that WeChat refused this token; the answer is another",
            )
            .json_body::<RefusedTokenReport>()
            .body_limit(MAX_REPORT_BYTES)
            .without_idempotency_key(
                "of many reports of one token, one leads to a fetch, and all get its token",
            ),
        )
        .get("/openapi.json", show, Operation::new("openapi", "This document"))
}

async fn show() -> Result<Json<OpenApiDocument>, Problem> {
    Ok(Json(OpenApiDocument(&DOCUMENT)))
}

fn document_of(routes: &Routes<SharedState>) -> Value {
    routes.document(&DocumentSettings {
        title: "paihao 排号: the central token server (中控服务器)",
        version: env!("CARGO_PKG_VERSION"),
        description: "Access tokens of Official Accounts for the owner's other systems, at the address of [token.server] in the configuration. docs/guide/token-server.md says how to use it and what each refusal means; any other method of a path is refused with `method_not_allowed`.",
        security_schemes: json!({ "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "A key of the configuration's [token.server.keys] that opens the account.",
        } }),
        path_parameters: &[("account", "The account's name in the configuration")],
        problem: schema_of::<ProblemDetails<Map<String, Value>>>,
        problem_headers,
    })
}

/// Headers of every problem with this status.
fn problem_headers(status: StatusCode) -> Map<String, Value> {
    let mut headers = Map::new();
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        let seconds = json!({ "type": "integer", "minimum": 1 });
        let header = json!({
            "required": true, "description": "Seconds until asking again may help", "schema": seconds,
        });
        headers.insert("Retry-After".to_owned(), header);
    }
    if status == StatusCode::UNAUTHORIZED {
        let header = json!({ "required": true, "schema": { "type": "string", "const": "Bearer" } });
        headers.insert("WWW-Authenticate".to_owned(), header);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::problems::{ALL, WRONG_METHOD};
    use std::collections::BTreeSet;

    #[test]
    fn the_written_document_is_that_of_the_routes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/openapi-token.json");
        let now = format!("{:#}\n", *DOCUMENT);
        if std::env::var_os("PAIHAO_WRITE").is_some() {
            std::fs::write(path, now).unwrap();
            return;
        }
        let before = std::fs::read_to_string(path).unwrap();
        assert!(
            before == now,
            "docs/reference/openapi-token.json is of other routes: PAIHAO_WRITE=1 writes it"
        );
    }

    #[test]
    fn every_refusal_is_one_of_an_operation() {
        let document = DOCUMENT.to_string();
        let missing: BTreeSet<_> = ALL
            .iter()
            .map(|kind| kind.code)
            .filter(|code| !document.contains(&format!("\"{code}\"")))
            .collect();
        assert_eq!(missing, BTreeSet::from([WRONG_METHOD.code]));
    }
}
