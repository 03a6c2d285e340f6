//! What the server says of itself: an OpenAPI 3.1 document of every route, made from the table that
//! the routes themselves are made from.

use super::refusals::Kind;
use super::{Desk, LARGEST_REPORT};
use axum::http::StatusCode;
use axum::routing::MethodRouter;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One route, and what it is.
pub(super) struct Route {
    pub(super) path: &'static str,
    /// As the document calls it.
    pub(super) method: &'static str,
    pub(super) handler: fn() -> MethodRouter<Arc<Desk>>,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) kind: RouteKind,
    /// Everything it says no to.
    pub(super) refuses: &'static [&'static Kind],
}

/// What is sent and what is needed for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RouteKind {
    /// Anybody reads this document.
    Document,
    /// A key's holder reads a token.
    Reading,
    /// A key's holder sends a token that WeChat refused.
    Report,
}

/// The document of these routes.
pub(super) fn document(routes: &[Route]) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in routes {
        let operations = paths.entry(route.path).or_default();
        operations.insert(route.method.to_owned(), operation(route));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "paihao 排号: the central token server (中控服务器)",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Access tokens of Official Accounts for the owner's other systems, at the address of [token.server] in the configuration. docs/guide/token-server.md says how to use it and what each refusal means; any other method of a path is refused with `method_not_allowed`.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "key": {
                "type": "http",
                "scheme": "bearer",
                "description": "A key of the configuration's [token.server.keys] that opens the account.",
            } },
            "schemas": schemas(),
        },
    })
}

fn operation(route: &Route) -> Value {
    let keyed = route.kind != RouteKind::Document;
    let answered = match route.kind {
        RouteKind::Document => json!({ "type": "object" }),
        RouteKind::Reading | RouteKind::Report => named("Token"),
    };
    let mut responses = BTreeMap::from([(
        StatusCode::OK.as_u16(),
        json!({ "description": "OK", "content": { "application/json": { "schema": answered } } }),
    )]);
    let mut refusals: BTreeMap<u16, Vec<&Kind>> = BTreeMap::new();
    for kind in route.refuses {
        refusals.entry(kind.status.as_u16()).or_default().push(kind);
    }
    for (status, kinds) in refusals {
        responses.insert(status, refused(status, &kinds));
    }
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "security": if keyed { json!([{ "key": [] }]) } else { json!([]) },
        "responses": responses.into_iter().map(|(status, is)| (status.to_string(), is)).collect::<Map<_, _>>(),
    });
    if keyed {
        operation["parameters"] = json!([{
            "name": "account", "in": "path", "required": true, "schema": { "type": "string" },
            "description": "The account's name in the configuration",
        }]);
    }
    if route.kind == RouteKind::Report {
        operation["requestBody"] = json!({
            "required": true,
            "description": format!("At most {LARGEST_REPORT} bytes."),
            "content": { "application/json": { "schema": named("Refused") } },
        });
        operation["x-repeatable"] =
            json!("of many reports of one token, one leads to a fetch, and all get its token");
    }
    operation
}

fn refused(status: u16, kinds: &[&Kind]) -> Value {
    let said: Vec<_> = kinds.iter().map(|kind| format!("`{}`: {}", kind.code, kind.en)).collect();
    let codes: Vec<_> = kinds.iter().map(|kind| kind.code).collect();
    let schema =
        json!({ "allOf": [named("Problem"), { "properties": { "code": { "enum": codes } } }] });
    let mut response = json!({
        "description": said.join("; "),
        "content": { "application/problem+json": { "schema": schema } },
    });
    if kinds.iter().any(|kind| kind.is_for_now()) {
        let seconds = json!({ "type": "integer", "minimum": 1 });
        response["headers"] = json!({ "Retry-After": {
            "required": true, "description": "Seconds until asking again may help", "schema": seconds,
        } });
    }
    if status == StatusCode::UNAUTHORIZED.as_u16() {
        response["headers"] = json!({ "WWW-Authenticate": {
            "required": true, "schema": { "type": "string", "const": "Bearer" },
        } });
    }
    response
}

fn named(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn schemas() -> Value {
    let text = || json!({ "type": "string" });
    let object = |is: &str, properties: Value| {
        let required: Vec<_> =
            properties.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        json!({ "type": "object", "description": is, "properties": properties, "required": required })
    };
    let left = json!({ "type": "integer", "minimum": 0, "description": "Seconds that are left of its life" });
    let given = json!({ "type": "string", "minLength": 1 });
    json!({
        "Token": object(
            "A token to use now. To be kept in memory for a minute or so, and nowhere else.",
            json!({ "account": text(), "access_token": given, "expires_in": left }),
        ),
        "Refused": object(
            "The token with which WeChat answered 40001, 40014 or 42001.",
            json!({ "access_token": given }),
        ),
        "Problem": object(
            "A refusal.",
            json!({
                "type": text(),
                "title": { "type": "string", "description": "In Chinese" },
                "title_en": text(),
                "status": { "type": "integer" },
                "code": { "type": "string", "description": "Stays the same, unlike the sentences" },
                "detail": { "type": "string", "description": "What exactly was met; may be empty" },
            }),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::refusals::{ALL, WRONG_METHOD};
    use crate::server::routes;
    use std::collections::BTreeSet;

    #[test]
    fn the_written_document_is_that_of_the_routes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/openapi-token.json");
        let now = format!("{:#}\n", document(&routes()));
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
    fn every_refusal_stands_at_a_route() {
        let routes = routes();
        let of_routes = routes.iter().flat_map(|route| route.refuses).map(|kind| kind.code);
        let told: BTreeSet<_> = of_routes.chain([WRONG_METHOD.code]).collect();
        assert_eq!(told, ALL.iter().map(|kind| kind.code).collect());
    }
}
