//! OpenAPI 3.1 document of described routes.

use super::Route;
use super::operation::{Idempotency, Operation, SchemaFn};
use crate::{ApiState, ProblemKind};
use axum::http::StatusCode;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Parts of the document that belong to the service and not to a route.
pub struct DocumentSettings {
    /// Title of the API.
    pub title: &'static str,
    /// Version of the program.
    pub version: &'static str,
    /// Introduction of the API.
    pub description: &'static str,
    /// Security schemes by the names that operations use.
    pub security_schemes: Value,
    /// Names in braces of paths, with their meaning, which is the same in every path.
    pub path_parameters: &'static [(&'static str, &'static str)],
    /// Schema of the service's problem details.
    pub problem: SchemaFn,
    /// Headers that every problem with a status has, as response header objects by name.
    pub problem_headers: fn(StatusCode) -> Map<String, Value>,
}

/// Schemas of requests and of responses: the same type may differ in the two.
struct Schemas {
    request: SchemaGenerator,
    response: SchemaGenerator,
}

pub(super) fn build<S: ApiState>(document: &DocumentSettings, routes: &[Route<S>]) -> Value {
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
            panic!("{path} and {other} both have the operation id {}", operation.id);
        }
        let described = operation_object(document, path, method, operation, &mut schemas);
        paths.entry(path).or_default().insert((*method).to_owned(), described);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": document.title,
            "version": document.version,
            "description": document.description,
        },
        "paths": paths,
        "components": {
            "securitySchemes": document.security_schemes,
            "schemas": components(schemas),
        },
    })
}

fn components(schemas: Schemas) -> Map<String, Value> {
    let Schemas { mut request, mut response } = schemas;
    let mut components = response.take_definitions(true);
    for (name, schema) in request.take_definitions(true) {
        if let Some(other) = components.insert(name.clone(), schema.clone()) {
            assert_eq!(other, schema, "{name} differs between requests and responses");
        }
    }
    for name in components.keys() {
        // The generator numbers a second type of the same name.
        let numbered = name.trim_end_matches(|c: char| c.is_ascii_digit());
        assert!(
            numbered == name || !components.contains_key(numbered),
            "two types of the API have the name {numbered}"
        );
    }
    components
}

fn operation_object<S: ApiState>(
    document: &DocumentSettings,
    path: &str,
    method: &str,
    operation: &Operation<S>,
    schemas: &mut Schemas,
) -> Value {
    let at = format!("{} {path}", method.to_uppercase());
    let mut described = Map::new();
    let mut set = |name: &str, value: Value| drop(described.insert(name.to_owned(), value));
    set("operationId", operation.id.into());
    set("summary", operation.summary.into());
    let parameters = parameters(document, &at, path, operation, schemas);
    if !parameters.is_empty() {
        set("parameters", parameters.into());
    }
    if let Some(body) = &operation.body {
        let schema = (body.schema)(&mut schemas.request).to_value();
        let definition =
            definition_name(&schema).and_then(|name| schemas.request.definitions().get(name));
        let required = definition.is_none_or(|definition| definition.get("required").is_some());
        let content = json!({ body.content_type: { "schema": schema } });
        let mut request = json!({ "required": required, "content": content });
        if let Some(description) = &body.description {
            request["description"] = description.as_str().into();
        }
        set("requestBody", request);
    }
    set("responses", responses(document, &at, operation, schemas).into());
    let schemes = operation.security.iter().map(|scheme| json!({ *scheme: [] }));
    set("security", schemes.collect());
    for (name, value) in &operation.extensions {
        set(name, value.clone());
    }
    match (operation.idempotency, method) {
        (Idempotency::Unspecified, "get") => {}
        (Idempotency::Unspecified, _) => {
            panic!("{at} writes: describe it as `keyed` or `without_idempotency_key`")
        }
        (Idempotency::Keyed, _) => {}
        (Idempotency::Unkeyed(why), _) => set("x-repeatable", why.into()),
    }
    described.into()
}

fn parameters<S: ApiState>(
    document: &DocumentSettings,
    at: &str,
    path: &str,
    operation: &Operation<S>,
    schemas: &mut Schemas,
) -> Vec<Value> {
    let mut parameters = Vec::new();
    let names = path.split('{').skip(1).map(|tail| tail.split('}').next().unwrap_or_default());
    for name in names {
        let parameter = document.path_parameters.iter().find(|(parameter, _)| *parameter == name);
        let (_, meaning) =
            parameter.unwrap_or_else(|| panic!("{at}: the document lacks {{{name}}}"));
        parameters.push(json!({
            "name": name, "in": "path", "required": true, "description": meaning,
            "schema": { "type": "string" },
        }));
    }
    if let Some(query) = operation.query {
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
    parameters.extend(operation.headers.iter().map(|(name, meaning)| {
        json!({
            "name": name, "in": "header", "required": false, "description": meaning,
            "schema": { "type": "string" },
        })
    }));
    parameters
}

/// Name of the component that a schema refers to.
fn definition_name(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

/// Fields of a query's type, a struct: name, schema, and whether it is required. The type does not
/// become a component.
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

fn responses<S: ApiState>(
    document: &DocumentSettings,
    at: &str,
    operation: &Operation<S>,
    schemas: &mut Schemas,
) -> Map<String, Value> {
    assert!(!operation.responses.is_empty(), "{at}: it has no response");
    let mut responses = Map::new();
    for specified in &operation.responses {
        let mut content = Map::new();
        if let Some(schema) = specified.schema {
            content.insert("schema".to_owned(), schema(&mut schemas.response).to_value());
        } else if specified.content_type.starts_with("text/") {
            content.insert("schema".to_owned(), json!({ "type": "string" }));
        }
        if !specified.events.is_empty() {
            let mut events = Map::new();
            for (name, schema) in &specified.events {
                events.insert((*name).to_owned(), schema(&mut schemas.response).to_value());
            }
            content.insert("x-events".to_owned(), events.into());
        }
        let status = specified.status.as_str().to_owned();
        let reason = specified.status.canonical_reason().unwrap_or_default();
        let response = responses
            .entry(status)
            .or_insert_with(|| json!({ "description": reason, "content": {} }));
        if !specified.content_type.is_empty() {
            response["content"][specified.content_type] = content.into();
        }
    }
    let mut refusals: BTreeMap<StatusCode, Vec<&ProblemKind>> = BTreeMap::new();
    for kind in &operation.refusals {
        refusals.entry(kind.status).or_default().push(kind);
    }
    let problem = (document.problem)(&mut schemas.response);
    for (status, mut kinds) in refusals {
        // The order in which arguments and routes name them says nothing.
        kinds.sort_by_key(|kind| kind.code);
        let sentences: Vec<_> =
            kinds.iter().map(|kind| format!("`{}`: {}", kind.code, kind.en)).collect();
        let codes: Vec<_> = kinds.iter().map(|kind| kind.code).collect();
        let schema = json!({ "allOf": [problem, { "properties": { "code": { "enum": codes } } }] });
        let content = json!({ "application/problem+json": { "schema": schema } });
        let mut response = json!({ "description": sentences.join("; "), "content": content });
        let headers = (document.problem_headers)(status);
        if !headers.is_empty() {
            response["headers"] = headers.into();
        }
        let before = responses.insert(status.as_str().to_owned(), response);
        assert!(before.is_none(), "{at}: {status} is a response and a refusal");
    }
    responses
}
