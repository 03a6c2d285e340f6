//! Described routes of the gateway, and the OpenAPI document.
//!
//! [`endpoint`] begins the description of an operation, and the arguments of its handler complete
//! it: those of [`access`](crate::http::access) with roles and refusals.
//! [`paihao_http_api::openapi`] shows how a route is added.
//!
//! `PAIHAO_WRITE=1 cargo test -p paihao-gateway --lib openapi` writes
//! `docs/reference/openapi.json`, after a conflict in that file too. The tests in
//! `services/gateway/tests/it/openapi` call every operation of the document and name what they lack
//! for a new one: an action of staff needs a row in `actions.rs`, a read a line in `responses.rs`,
//! and each refusal a line of a script.

use crate::http::key_scope::required_scope;
use crate::http::refusals::{self, ProblemDetails};
use crate::http::state::AppState;
use paihao_http_api::openapi::{DocumentSettings, schema_of};
use serde_json::{Map, Value, json};

pub(crate) use paihao_http_api::openapi::{
    Accepted, ApiArgument, Created, OpenApiDocument, WithEtag,
};

/// Description of an operation of the gateway.
pub(crate) type Operation = paihao_http_api::openapi::Operation<AppState>;

/// Routes of the gateway.
pub(crate) type Routes = paihao_http_api::openapi::Routes<AppState>;

/// Names in braces of paths. A name means the same everywhere.
const PATH_PARAMETERS: &[(&str, &str)] = &[
    ("account", "The account's name in the configuration"),
    ("colour", "Six hexadecimal digits of red, green and blue, such as `0b6b52`"),
    ("counter", "The counter's id"),
    ("id", "The webhook's id"),
    ("key", "The id of a program's key"),
    ("kiosk", "The id of a paired kiosk"),
    ("kind", "A kind of notice, like `called`; `joined` is the answer to a scan"),
    ("letter", "The dead letter's id"),
    ("member", "The id of a member of staff"),
    ("number", "The ticket's number, like A017"),
    ("queue", "The queue's id"),
    ("scene", "The scene in a code that leads to a page"),
    ("session", "The id of a session of the principal, or `current`"),
    ("site", "The site's id"),
    ("uuid", "The scan session's uuid"),
];

/// Operation with this id, which clients of the API use, and a one-sentence summary. It is public
/// unless its handler takes an argument of [`access`](crate::http::access).
pub(crate) fn endpoint(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, summary)
}

/// Descriptions of writes that an `Idempotency-Key` identifies.
pub(crate) trait IdempotencyKeyExt {
    /// Describes a write that answers a repeated key like the first time.
    fn idempotency_key(self) -> Self;

    /// Describes a write that refuses a repeated key, since its response is not stored.
    fn single_use_idempotency_key(self) -> Self;
}

impl IdempotencyKeyExt for Operation {
    fn idempotency_key(self) -> Self {
        self.keyed("Identifies the request: repeated within 15 minutes it is executed once and answered like the first time")
            .refuses(&[&refusals::MALFORMED_IDEMPOTENCY_KEY, &refusals::IDEMPOTENCY_KEY_REUSED])
    }

    fn single_use_idempotency_key(self) -> Self {
        self.keyed("Identifies the request: it is executed once, and a repeat is refused")
            .refuses(&[&refusals::MALFORMED_IDEMPOTENCY_KEY, &refusals::KEY_MADE_BEFORE])
    }
}

/// The OpenAPI document of these routes.
pub(crate) fn document_of(routes: &Routes) -> Value {
    let mut document = routes.document(&DocumentSettings {
        title: "paihao 排号",
        version: env!("CARGO_PKG_VERSION"),
        description: "Queues of Official Accounts. Times are Unix milliseconds; a refusal is a problem with one of the codes of docs/reference/refusals.md.",
        security_schemes: json!({
            "key": {
                "type": "http",
                "scheme": "bearer",
                "description": "A key of the configuration's [staff], or one made for a program, that opens the site, in one of the roles under x-roles and with the scope under x-scope; `counter` and `manage` include `read`.",
            },
            "session": {
                "type": "apiKey",
                "in": "cookie",
                "name": "paihao",
                "description": "The cookie of a browser that is logged in (`__Host-paihao` over https). What changes something also needs the header `X-Paihao-Page: 1`, and is refused with `cross_site` if Origin or Sec-Fetch-Site name another site.",
            },
        }),
        path_parameters: PATH_PARAMETERS,
        problem: schema_of::<ProblemDetails>,
        problem_headers: |_| Map::new(),
    });
    add_scopes(&mut document);
    document
}

/// Adds the scope that a program's key needs to each operation that programs may call.
fn add_scopes(document: &mut Value) {
    let paths = document["paths"].as_object_mut().expect("a document has paths");
    for (path, operations) in paths {
        let operations = operations.as_object_mut().expect("a path has operations");
        for (method, operation) in operations {
            let Some(roles) = operation["x-roles"].as_array() else { continue };
            let has_role = |name: &str| roles.iter().any(|role| role == name);
            if has_role("api") || has_role("api_manager") {
                let scope = required_scope(method == "get", path, has_role("api"));
                operation["x-scope"] = json!(scope);
            }
        }
    }
}
