//! What handlers answer, as types that say what stands in the document: [`axum::Json`] for 200,
//! [`Created`] for 201, [`Accepted`] for 202. A handler of something else answers a `Response`, and
//! its operation says what is in it.

use super::operation::{SchemaFn, schema_of};
use crate::http::refusals::Problem;
use crate::http::state::AppState;
use axum::Json;
use axum::handler::Handler;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// One way in which an operation answers.
pub(crate) struct ResponseSpec {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    /// Of JSON.
    pub(super) schema: Option<SchemaFn>,
    /// Of a stream: each event by its name, with its data.
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

    /// The events of the stream among these answers.
    pub(super) fn stream_events_mut(
        answers: &mut Vec<ResponseSpec>,
    ) -> &mut Vec<(&'static str, SchemaFn)> {
        let found = answers.iter().position(|answer| answer.content_type == EVENT_STREAM);
        let place = found.unwrap_or_else(|| {
            answers.push(ResponseSpec::content(EVENT_STREAM));
            answers.len() - 1
        });
        &mut answers[place].events
    }
}

/// A type that a handler may answer.
pub(crate) trait ApiResponse: IntoResponse {
    /// What it says of itself.
    fn response_specs() -> Vec<ResponseSpec>;
}

impl<T: Serialize + JsonSchema> ApiResponse for Json<T> {
    fn response_specs() -> Vec<ResponseSpec> {
        vec![ResponseSpec::json::<T>(StatusCode::OK)]
    }
}

/// 201 with what was made.
pub(crate) struct Created<T>(pub(crate) T);

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
pub(crate) struct Accepted<T>(pub(crate) T);

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

/// 200 with something and its revision as the ETag.
pub(crate) struct WithEtag<T>(pub(crate) u64, pub(crate) T);

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

/// What the operation says.
impl ApiResponse for Response {
    fn response_specs() -> Vec<ResponseSpec> {
        Vec::new()
    }
}

/// A handler that answers such a type, or a problem.
#[diagnostic::on_unimplemented(
    message = "a route of the API answers `Result<A, Problem>`, A one of `openapi::answer`",
    note = "and takes what axum's handlers take"
)]
pub(crate) trait ApiHandler<T>: Handler<T, AppState> {
    /// What it answers when it does not refuse.
    type Response: ApiResponse;
}

/// One that looks at nothing.
impl<F, Fut, A> ApiHandler<((),)> for F
where
    F: Handler<((),), AppState> + FnOnce() -> Fut,
    Fut: Future<Output = Result<A, Problem>>,
    A: ApiResponse,
{
    type Response = A;
}

macro_rules! impl_api_handler {
    ($(($($given:ident)*),)*) => {
        $(
            impl<F, Fut, A, M, $($given,)*> ApiHandler<(M, $($given,)*)> for F
            where
                F: Handler<(M, $($given,)*), AppState> + FnOnce($($given),*) -> Fut,
                Fut: Future<Output = Result<A, Problem>>,
                A: ApiResponse,
            {
                type Response = A;
            }
        )*
    };
}

impl_api_handler! {
    (T1), (T1 T2), (T1 T2 T3), (T1 T2 T3 T4), (T1 T2 T3 T4 T5), (T1 T2 T3 T4 T5 T6),
    (T1 T2 T3 T4 T5 T6 T7), (T1 T2 T3 T4 T5 T6 T7 T8),
}
