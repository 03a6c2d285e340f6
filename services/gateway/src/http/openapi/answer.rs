//! What handlers answer, as types that say what stands in the document: [`axum::Json`] for 200,
//! [`Created`] for 201, [`Accepted`] for 202. A handler of something else answers a `Response`, and
//! its operation says what is in it.

use super::operation::{SchemaOf, schema_of};
use crate::http::refusals::Problem;
use crate::http::state::Door;
use axum::Json;
use axum::handler::Handler;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// One way in which an operation answers.
pub(crate) struct Answered {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    /// Of JSON.
    pub(super) schema: Option<SchemaOf>,
    /// Of a stream: each event by its name, with its data.
    pub(super) events: Vec<(&'static str, SchemaOf)>,
}

const STREAM: &str = "text/event-stream";

impl Answered {
    pub(super) fn json<T: JsonSchema>(status: StatusCode) -> Self {
        let schema = Some(schema_of::<T> as SchemaOf);
        Answered { status, content_type: "application/json", schema, events: Vec::new() }
    }

    pub(super) fn plain(content_type: &'static str) -> Self {
        Answered { status: StatusCode::OK, content_type, schema: None, events: Vec::new() }
    }

    pub(super) fn nothing() -> Self {
        Answered { status: StatusCode::NO_CONTENT, ..Answered::plain("") }
    }

    /// The events of the stream among these answers.
    pub(super) fn stream(answers: &mut Vec<Answered>) -> &mut Vec<(&'static str, SchemaOf)> {
        let found = answers.iter().position(|answer| answer.content_type == STREAM);
        let place = found.unwrap_or_else(|| {
            answers.push(Answered::plain(STREAM));
            answers.len() - 1
        });
        &mut answers[place].events
    }
}

/// A type that a handler may answer.
pub(crate) trait Answer: IntoResponse {
    /// What it says of itself.
    fn answered() -> Vec<Answered>;
}

impl<T: Serialize + JsonSchema> Answer for Json<T> {
    fn answered() -> Vec<Answered> {
        vec![Answered::json::<T>(StatusCode::OK)]
    }
}

/// 201 with what was made.
pub(crate) struct Created<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl<T: Serialize + JsonSchema> Answer for Created<T> {
    fn answered() -> Vec<Answered> {
        vec![Answered::json::<T>(StatusCode::CREATED)]
    }
}

/// 202 with what will be done.
pub(crate) struct Accepted<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Json(self.0)).into_response()
    }
}

impl<T: Serialize + JsonSchema> Answer for Accepted<T> {
    fn answered() -> Vec<Answered> {
        vec![Answered::json::<T>(StatusCode::ACCEPTED)]
    }
}

/// 200 with something and its revision as the ETag.
pub(crate) struct Tagged<T>(pub(crate) u64, pub(crate) T);

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        ([(header::ETAG, format!("\"{}\"", self.0))], Json(self.1)).into_response()
    }
}

impl<T: Serialize + JsonSchema> Answer for Tagged<T> {
    fn answered() -> Vec<Answered> {
        vec![Answered::json::<T>(StatusCode::OK)]
    }
}

/// What the operation says.
impl Answer for Response {
    fn answered() -> Vec<Answered> {
        Vec::new()
    }
}

/// A handler that answers such a type, or a problem.
#[diagnostic::on_unimplemented(
    message = "a route of the API answers `Result<A, Problem>`, A one of `openapi::answer`",
    note = "and takes what axum's handlers take"
)]
pub(crate) trait Answering<T>: Handler<T, Door> {
    /// What it answers when it does not refuse.
    type Answer: Answer;
}

/// One that looks at nothing.
impl<F, Fut, A> Answering<((),)> for F
where
    F: Handler<((),), Door> + FnOnce() -> Fut,
    Fut: Future<Output = Result<A, Problem>>,
    A: Answer,
{
    type Answer = A;
}

macro_rules! handlers {
    ($(($($given:ident)*),)*) => {
        $(
            impl<F, Fut, A, M, $($given,)*> Answering<(M, $($given,)*)> for F
            where
                F: Handler<(M, $($given,)*), Door> + FnOnce($($given),*) -> Fut,
                Fut: Future<Output = Result<A, Problem>>,
                A: Answer,
            {
                type Answer = A;
            }
        )*
    };
}

handlers! {
    (T1), (T1 T2), (T1 T2 T3), (T1 T2 T3 T4), (T1 T2 T3 T4 T5), (T1 T2 T3 T4 T5 T6),
    (T1 T2 T3 T4 T5 T6 T7), (T1 T2 T3 T4 T5 T6 T7 T8),
}
