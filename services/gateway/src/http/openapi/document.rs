//! The OpenAPI 3.1 document of described routes.

use super::Route;
use super::operation::{Access, Idempotency, Operation, Role, SchemaFn};
use crate::http::refusals::{ProblemDetails, ProblemKind};
use axum::http::StatusCode;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What stands between braces in paths. A name means the same everywhere.
const PATH_PARAMETERS: &[(&str, &str)] = &[
    ("account", "The account's name in the configuration"),
    ("counter", "The counter's id"),
    ("id", "The webhook's id"),
    ("key", "The id of a program's key"),
    ("kind", "A kind of notice, like `called`; `joined` is the answer to a scan"),
    ("letter", "The dead letter's id"),
    ("member", "The id of a member of staff"),
    ("number", "The ticket's number, like A017"),
    ("queue", "The queue's id"),
    ("session", "The id of a session of the asker, or `current`"),
    ("site", "The site's id"),
    ("uuid", "The scan session's uuid"),
];

/// Schemas of what is taken and of what is answered: the same type may differ in the two.
struct Schemas {
    request: SchemaGenerator,
    response: SchemaGenerator,
}

pub(super) fn build(routes: &[Route]) -> Value {
    let settings = || {
        SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into())
    };
    let mut schemas = Schemas {
        request: settings().for_deserialize().into_generator(),
        response: settings().for_serialize().into_generator(),
    };
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut ids = BTreeMap::new();
    for Route { method, path, operation } in routes {
        if let Some(other) = ids.insert(operation.id, path) {
            panic!("{path} and {other} are both called {}", operation.id);
        }
        let described = operation_object(path, method, operation, &mut schemas);
        paths.entry(path).or_default().insert((*method).to_owned(), described);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "paihao 排号",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Queues of Official Accounts. Times are Unix milliseconds; a refusal is a problem with one of the codes of docs/reference/refusals.md.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key of the configuration's [staff], or one made for a program, that opens the site, in one of the roles under x-roles.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "paihao",
                    "description": "The cookie of a browser that is logged in (`__Host-paihao` over https). What changes something also needs the header `X-Paihao-Page: 1`, and is refused with `cross_site` if Origin or Sec-Fetch-Site name another site.",
                },
            },
            "schemas": components(schemas),
        },
    })
}

fn components(schemas: Schemas) -> Map<String, Value> {
    let Schemas { request: mut taken, response: mut answered } = schemas;
    let mut components = answered.take_definitions(true);
    for (name, schema) in taken.take_definitions(true) {
        if let Some(other) = components.insert(name.clone(), schema.clone()) {
            assert_eq!(other, schema, "{name} is taken and answered, and differs");
        }
    }
    for name in components.keys() {
        // What the generator does with a second type of a name.
        let numbered = name.trim_end_matches(|c: char| c.is_ascii_digit());
        assert!(
            numbered == name || !components.contains_key(numbered),
            "two types of the API are called {numbered}: give one another name"
        );
    }
    components
}

fn operation_object(path: &str, method: &str, is: &Operation, schemas: &mut Schemas) -> Value {
    let at = format!("{} {path}", method.to_uppercase());
    let mut described = Map::new();
    let mut say = |name: &str, value: Value| described.insert(name.to_owned(), value);
    say("operationId", is.id.into());
    say("summary", is.summary.into());
    let parameters = parameters(&at, path, is, schemas);
    if !parameters.is_empty() {
        say("parameters", parameters.into());
    }
    if let Some((content_type, of)) = is.body {
        let schema = of(&mut schemas.request).to_value();
        let definition =
            definition_name(&schema).and_then(|name| schemas.request.definitions().get(name));
        let needed = definition.is_none_or(|definition| definition.get("required").is_some());
        let content = json!({ content_type: { "schema": schema } });
        say("requestBody", json!({ "required": needed, "content": content }));
    }
    say("responses", responses(&at, is, schemas).into());
    let known = json!([{ "key": [] }, { "session": [] }]);
    match is.access {
        Access::Public | Access::WeChat => say("security", json!([])),
        Access::Site(roles) => {
            say("x-roles", roles.iter().map(|role: &Role| role.name()).collect());
            say("security", known.clone())
        }
        Access::Authenticated(roles) => {
            say("x-roles", roles.iter().map(|role: &Role| role.name()).collect());
            say("security", known)
        }
    };
    match (is.idempotency, method) {
        (Idempotency::Unspecified, "get") => {}
        (Idempotency::Unspecified, _) => {
            panic!("{at} writes: it is `keyed()`, or `repeatable` for a reason that it says")
        }
        (Idempotency::Keyed, _) => {}
        (Idempotency::Unkeyed(why), _) => drop(say("x-repeatable", why.into())),
    }
    described.into()
}

fn parameters(at: &str, path: &str, is: &Operation, schemas: &mut Schemas) -> Vec<Value> {
    let mut parameters = Vec::new();
    let places = path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or_default());
    for place in places {
        let known = PATH_PARAMETERS.iter().find(|(name, _)| *name == place);
        let (name, meaning) = known.unwrap_or_else(|| panic!("{at}: say what {{{place}}} is"));
        parameters.push(json!({
            "name": name, "in": "path", "required": true, "description": meaning,
            "schema": { "type": "string" },
        }));
    }
    if let Some(query) = is.query {
        for (name, mut schema, required) in query_fields(at, query, &mut schemas.request) {
            let meaning = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let mut parameter =
                json!({ "name": name, "in": "query", "required": required, "schema": schema });
            if let Some(meaning) = meaning {
                parameter["description"] = meaning;
            }
            parameters.push(parameter);
        }
    }
    parameters.extend(is.headers.iter().map(|(name, meaning)| {
        json!({
            "name": name, "in": "header", "required": false, "description": meaning,
            "schema": { "type": "string" },
        })
    }));
    parameters
}

/// The name under which a schema stands that is a reference.
fn definition_name(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

/// The fields of a query's type, which is a struct and stands nowhere else.
fn query_fields(
    at: &str,
    query: SchemaFn,
    schemas: &mut SchemaGenerator,
) -> Vec<(String, Value, bool)> {
    let reference = query(schemas).to_value();
    let name = definition_name(&reference).unwrap_or_else(|| panic!("{at}: a query is a struct"));
    let object = schemas.definitions_mut().remove(name).expect("it was referred to");
    let required = object["required"].as_array().cloned().unwrap_or_default();
    let properties = object["properties"].as_object().cloned().unwrap_or_default();
    let field = |(name, schema): (String, Value)| {
        let is_required = required.contains(&Value::from(name.as_str()));
        (name, schema, is_required)
    };
    properties.into_iter().map(field).collect()
}

fn responses(at: &str, is: &Operation, schemas: &mut Schemas) -> Map<String, Value> {
    assert!(!is.responses.is_empty(), "{at}: say what it answers");
    let mut responses = Map::new();
    for answer in &is.responses {
        let mut content = Map::new();
        if let Some(schema) = answer.schema {
            content.insert("schema".to_owned(), schema(&mut schemas.response).to_value());
        } else if answer.content_type.starts_with("text/") {
            content.insert("schema".to_owned(), json!({ "type": "string" }));
        }
        if !answer.events.is_empty() {
            let events = answer.events.iter();
            let events =
                events.map(|(name, of)| ((*name).to_owned(), of(&mut schemas.response).to_value()));
            content.insert("x-events".to_owned(), events.collect::<Map<_, _>>().into());
        }
        let status = answer.status.as_str().to_owned();
        let reason = answer.status.canonical_reason().unwrap_or_default();
        let response = responses
            .entry(status)
            .or_insert_with(|| json!({ "description": reason, "content": {} }));
        if !answer.content_type.is_empty() {
            response["content"][answer.content_type] = content.into();
        }
    }
    let mut refusals: BTreeMap<StatusCode, Vec<&ProblemKind>> = BTreeMap::new();
    for kind in &is.refusals {
        refusals.entry(kind.status).or_default().push(kind);
    }
    let problem = schemas.response.subschema_for::<ProblemDetails>();
    for (status, kinds) in refusals {
        let sentences: Vec<_> =
            kinds.iter().map(|kind| format!("`{}`: {}", kind.code, kind.en)).collect();
        let codes: Vec<_> = kinds.iter().map(|kind| kind.code).collect();
        let schema = json!({ "allOf": [problem, { "properties": { "code": { "enum": codes } } }] });
        let content = json!({ "application/problem+json": { "schema": schema } });
        let response = json!({ "description": sentences.join("; "), "content": content });
        let before = responses.insert(status.as_str().to_owned(), response);
        assert!(before.is_none(), "{at}: {status} is an answer and a refusal");
    }
    responses
}
