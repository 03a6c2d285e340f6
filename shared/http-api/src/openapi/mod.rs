//! Described routes and the OpenAPI document that is generated from them.
//!
//! A route is added with its [`Operation`], and its handler returns a type that has a schema:
//!
//! ```text
//! Routes::new().post(
//!     "/api/v1/sites/{site}/webhooks/{id}/replay",
//!     replay, // async fn(…) -> Result<Accepted<ReplayWebhookResult>, Problem>
//!     Operation::new("replay_webhook", "Sends the events of a time range to a webhook again")
//!         .json_body::<ReplayWebhookRequest>()
//!         .without_idempotency_key("a receiver knows events by their ids")
//!         .refuses(&[&refusals::UNKNOWN_WEBHOOK, &refusals::PAST_GONE]),
//! )
//! ```
//!
//! - Responses derive `Serialize` and `JsonSchema`, requests `Deserialize` and `JsonSchema`. Their
//!   names and doc comments stand in the document.
//! - Arguments of the handler are [`ApiArgument`]s: each adds its refusals to the operation.
//! - Writes take an `Idempotency-Key` ([`Operation::keyed`]) or say why they need none
//!   ([`Operation::without_idempotency_key`]).

mod document;
mod handler;
mod operation;
mod response;

pub use document::DocumentSettings;
pub use handler::{ApiArgument, ApiHandler};
pub use operation::{Operation, SchemaFn, schema_of};
pub use response::{Accepted, ApiResponse, Created, OpenApiDocument, ResponseSpec, WithEtag};

use crate::ApiState;
use axum::Router;
use axum::routing::{MethodFilter, MethodRouter, on};
use serde_json::Value;

/// A router whose routes are described.
pub struct Routes<S> {
    router: Router<S>,
    routes: Vec<Route<S>>,
}

/// A route with its description.
struct Route<S> {
    method: &'static str,
    path: String,
    operation: Operation<S>,
}

impl<S: ApiState> Default for Routes<S> {
    fn default() -> Self {
        Routes { router: Router::new(), routes: Vec::new() }
    }
}

impl<S: ApiState> Routes<S> {
    /// No routes.
    pub fn new() -> Self {
        Routes::default()
    }

    /// Adds a GET route.
    #[must_use]
    pub fn get<T: 'static, H: ApiHandler<T, S>>(
        self,
        path: &str,
        handler: H,
        operation: Operation<S>,
    ) -> Self {
        self.add(MethodFilter::GET, "get", path, handler, operation)
    }

    /// Adds a POST route.
    #[must_use]
    pub fn post<T: 'static, H: ApiHandler<T, S>>(
        self,
        path: &str,
        handler: H,
        operation: Operation<S>,
    ) -> Self {
        self.add(MethodFilter::POST, "post", path, handler, operation)
    }

    /// Adds a PUT route.
    #[must_use]
    pub fn put<T: 'static, H: ApiHandler<T, S>>(
        self,
        path: &str,
        handler: H,
        operation: Operation<S>,
    ) -> Self {
        self.add(MethodFilter::PUT, "put", path, handler, operation)
    }

    /// Adds a PATCH route.
    #[must_use]
    pub fn patch<T: 'static, H: ApiHandler<T, S>>(
        self,
        path: &str,
        handler: H,
        operation: Operation<S>,
    ) -> Self {
        self.add(MethodFilter::PATCH, "patch", path, handler, operation)
    }

    /// Adds a DELETE route.
    #[must_use]
    pub fn delete<T: 'static, H: ApiHandler<T, S>>(
        self,
        path: &str,
        handler: H,
        operation: Operation<S>,
    ) -> Self {
        self.add(MethodFilter::DELETE, "delete", path, handler, operation)
    }

    fn add<T: 'static, H: ApiHandler<T, S>>(
        mut self,
        filter: MethodFilter,
        method: &'static str,
        path: &str,
        handler: H,
        operation: Operation<S>,
    ) -> Self {
        self.router = self.router.route(path, on(filter, handler));
        let operation = H::describe(operation).with_route::<H::Response>(method);
        self.routes.push(Route { method, path: path.to_owned(), operation });
        self
    }

    /// Adds the routes of another part of the API.
    #[must_use]
    pub fn merge(mut self, other: Routes<S>) -> Self {
        self.router = self.router.merge(other.router);
        self.routes.extend(other.routes);
        self
    }

    /// Adds a page or a file for browsers, which is no part of the API.
    ///
    /// # Panics
    /// If the path is below `/api/`.
    #[must_use]
    pub fn page(mut self, path: &str, page: MethodRouter<S>) -> Self {
        assert!(!path.starts_with("/api/"), "{path} is a path of the API and has no operation");
        self.router = self.router.route(path, page);
        self
    }

    /// The router of all of them.
    pub fn into_router(self) -> Router<S> {
        self.router
    }

    /// The OpenAPI document of all of them.
    ///
    /// # Panics
    /// If an operation cannot be described, which a test of the service's document finds first.
    pub fn document(&self, settings: &DocumentSettings) -> Value {
        document::build(settings, &self.routes)
    }
}
