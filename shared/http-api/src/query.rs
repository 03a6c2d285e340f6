//! Query of a request as an extractor that refuses with a problem.

use crate::openapi::{ApiArgument, Operation};
use crate::{ApiState, Problem};
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// Query of the fields of `T`; any other query is refused as a malformed request.
#[derive(Debug, Clone, Copy)]
pub struct ApiQuery<T>(pub T);

impl<S: ApiState, T: DeserializeOwned> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(query)) => Ok(ApiQuery(query)),
            Err(error) => Err(Problem::new(S::MALFORMED_REQUEST).with_detail(error.body_text())),
        }
    }
}

impl<S: ApiState, T: JsonSchema> ApiArgument<S> for ApiQuery<T> {
    fn describe(operation: Operation<S>) -> Operation<S> {
        operation.query::<T>()
    }
}
