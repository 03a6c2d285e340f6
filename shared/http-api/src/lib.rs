//! Parts of an HTTP API that the gateway and the token server share.
//!
//! Every refusal is a [`Problem`] (RFC 9457) of one of the kinds in the service's catalogue. A
//! route is added together with its [`openapi::Operation`], so that the OpenAPI document lacks
//! none. The crate knows axum and neither the domain nor a port.

pub mod body;
pub mod openapi;
pub mod pagination;
mod problem;
mod query;
pub mod sse;

/// The status codes that [`problem_kinds!`] names.
pub use axum::http::StatusCode;
pub use problem::{Problem, ProblemDetails, ProblemKind};
pub use query::ApiQuery;

/// State of a service's router, with the problem kinds that this crate itself refuses with.
pub trait ApiState: Clone + Send + Sync + 'static {
    /// A body or query that cannot be parsed.
    const MALFORMED_REQUEST: &'static ProblemKind;
    /// A body above the limit of its route.
    const BODY_TOO_LARGE: &'static ProblemKind;
}

#[cfg(test)]
mod test_state {
    use crate::{ApiState, ProblemKind, problem_kinds};

    problem_kinds! {
        counter: "test_refusals_total";
        MALFORMED = "malformed_request", BAD_REQUEST, "请求内容不对", "Malformed", "Not parsed.";
        TOO_LARGE = "body_too_large", PAYLOAD_TOO_LARGE, "内容太大", "Too large", "Above the limit.";
    }

    #[derive(Clone)]
    pub(crate) struct TestState;

    impl ApiState for TestState {
        const MALFORMED_REQUEST: &'static ProblemKind = &MALFORMED;
        const BODY_TOO_LARGE: &'static ProblemKind = &TOO_LARGE;
    }
}
