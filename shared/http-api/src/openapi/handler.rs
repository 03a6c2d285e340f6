//! Handlers whose types describe their responses and arguments.

use super::operation::Operation;
use super::response::ApiResponse;
use crate::{ApiState, Problem};
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Extension, Path, RawQuery, Request, State};
use axum::handler::Handler;
use axum::http::{HeaderMap, Method, Uri};

/// An argument of a handler, with its share in the description of the operation.
///
/// An extractor that refuses, or that needs a key, a body or a query, adds that here, so that a
/// handler cannot take it without its being in the document.
pub trait ApiArgument<S> {
    /// Adds the argument to the operation.
    fn describe(operation: Operation<S>) -> Operation<S> {
        operation
    }
}

impl<S, T> ApiArgument<S> for State<T> {}
impl<S, T> ApiArgument<S> for Path<T> {}
impl<S, T> ApiArgument<S> for Extension<T> {}
impl<S, T> ApiArgument<S> for ConnectInfo<T> {}
impl<S> ApiArgument<S> for HeaderMap {}
impl<S> ApiArgument<S> for Method {}
impl<S> ApiArgument<S> for Uri {}
impl<S> ApiArgument<S> for RawQuery {}
impl<S> ApiArgument<S> for Body {}
impl<S> ApiArgument<S> for Bytes {}
impl<S> ApiArgument<S> for Request {}

/// A handler of a described route.
#[diagnostic::on_unimplemented(
    message = "a route of the API takes arguments that are `ApiArgument`s and returns `Result<A, Problem>`, A an `ApiResponse`"
)]
pub trait ApiHandler<T, S>: Handler<T, S> {
    /// Response unless it refuses.
    type Response: ApiResponse;

    /// Adds what the arguments say to the operation.
    fn describe(operation: Operation<S>) -> Operation<S>;
}

impl<F, Fut, A, S> ApiHandler<((),), S> for F
where
    F: Handler<((),), S> + FnOnce() -> Fut,
    Fut: Future<Output = Result<A, Problem>>,
    A: ApiResponse,
    S: ApiState,
{
    type Response = A;

    fn describe(operation: Operation<S>) -> Operation<S> {
        operation
    }
}

macro_rules! impl_api_handler {
    ($(($($argument:ident)*),)*) => {
        $(
            impl<F, Fut, A, M, S, $($argument,)*> ApiHandler<(M, $($argument,)*), S> for F
            where
                F: Handler<(M, $($argument,)*), S> + FnOnce($($argument),*) -> Fut,
                Fut: Future<Output = Result<A, Problem>>,
                A: ApiResponse,
                S: ApiState,
                $($argument: ApiArgument<S>,)*
            {
                type Response = A;

                fn describe(operation: Operation<S>) -> Operation<S> {
                    $(let operation = $argument::describe(operation);)*
                    operation
                }
            }
        )*
    };
}

impl_api_handler! {
    (T1), (T1 T2), (T1 T2 T3), (T1 T2 T3 T4), (T1 T2 T3 T4 T5), (T1 T2 T3 T4 T5 T6),
    (T1 T2 T3 T4 T5 T6 T7), (T1 T2 T3 T4 T5 T6 T7 T8),
}
