//! Response types of handlers that describe themselves: [`axum::Json`] for 200, [`Created`] for
//! 201, [`Accepted`] for 202. A handler of anything else returns a `Response`, which its operation
//! describes.

use super::operation::{SchemaFn, schema_of};
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// One response of an operation.
pub struct ResponseSpec {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    /// Schema of a JSON body.
    pub(super) schema: Option<SchemaFn>,
    /// Events of a stream: the name of each, and the schema of its data.
    pub(super) events: Vec<(&'static str, SchemaFn)>,
}

const EVENT_STREAM: &str = "text/event-stream";

impl ResponseSpec {
    pub(super) fn json<T: JsonSchema>(status: StatusCode) -> Self {
        let schema = Some(schema_of::<T> as SchemaFn);
        ResponseSpec { status, content_type: "application/json", schema, events: Vec::new() }
    }

    pub(super) fn content(content_type: &'static str) -> Self {
        ResponseSpec { status: StatusCode::OK, content_type, schema: None, events: Vec::new() }
    }

    pub(super) fn no_content() -> Self {
        ResponseSpec { status: StatusCode::NO_CONTENT, ..ResponseSpec::content("") }
    }

    /// Events of the stream among these responses.
    pub(super) fn stream_events_mut(
        responses: &mut Vec<ResponseSpec>,
    ) -> &mut Vec<(&'static str, SchemaFn)> {
        let position = responses.iter().position(|response| response.content_type == EVENT_STREAM);
        let index = position.unwrap_or_else(|| {
            responses.push(ResponseSpec::content(EVENT_STREAM));
            responses.len() - 1
        });
        &mut responses[index].events
    }
}

/// A type that a handler of a described route may return.
pub trait ApiResponse: IntoResponse {
    /// Responses for the document.
    fn response_specs() -> Vec<ResponseSpec>;
}

impl<T: Serialize + JsonSchema> ApiResponse for Json<T> {
    fn response_specs() -> Vec<ResponseSpec> {
        vec![ResponseSpec::json::<T>(StatusCode::OK)]
    }
}

/// 201 with what was created.
pub struct Created<T>(pub T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl<T: Serialize + JsonSchema> ApiResponse for Created<T> {
    fn response_specs() -> Vec<ResponseSpec> {
        vec![ResponseSpec::json::<T>(StatusCode::CREATED)]
    }
}

/// 202 with what will be done.
pub struct Accepted<T>(pub T);

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Json(self.0)).into_response()
    }
}

impl<T: Serialize + JsonSchema> ApiResponse for Accepted<T> {
    fn response_specs() -> Vec<ResponseSpec> {
        vec![ResponseSpec::json::<T>(StatusCode::ACCEPTED)]
    }
}

/// 200 with a document and its revision as the ETag.
pub struct WithEtag<T>(pub u64, pub T);

impl<T: Serialize> IntoResponse for WithEtag<T> {
    fn into_response(self) -> Response {
        ([(header::ETAG, format!("\"{}\"", self.0))], Json(self.1)).into_response()
    }
}

impl<T: Serialize + JsonSchema> ApiResponse for WithEtag<T> {
    fn response_specs() -> Vec<ResponseSpec> {
        vec![ResponseSpec::json::<T>(StatusCode::OK)]
    }
}

/// Described by the operation alone.
impl ApiResponse for Response {
    fn response_specs() -> Vec<ResponseSpec> {
        Vec::new()
    }
}

/// The OpenAPI document of a service, as the response of one of its routes.
#[derive(Serialize, JsonSchema)]
#[schemars(with = "serde_json::Map<String, Value>")]
pub struct OpenApiDocument(pub &'static Value);
