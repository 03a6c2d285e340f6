//! Routes that say what they are, so that the API's document is made from them and lacks none.
//!
//! A router of the API is put together here and nowhere else: a route comes with its [`Operation`],
//! and what its handler answers is a type that has a schema. So a new one is written like this:
//!
//! ```text
//! pub(super) fn routes() -> Routes {
//!     Routes::new().post(
//!         "/api/v1/sites/{site}/webhooks/{id}/replay",
//!         replay, // async fn(…) -> Result<Accepted<Replayed>, Problem>
//!         op("replay_webhook", "Has a webhook told again what happened in a time", ANY_KEY)
//!             .takes::<ReplayWanted>()
//!             .keyed()
//!             .refuses(&[&refusals::UNKNOWN_WEBHOOK, &refusals::PAST_GONE]),
//!     )
//! }
//! ```
//!
//! - **Types.** What is answered derives `Serialize` and `JsonSchema`, what is taken `Deserialize`
//!   and `JsonSchema`. Their doc comments stand in the document, and their names too: call them so
//!   that they can be told apart there ([`answer`] lists what a handler may answer).
//! - **Who.** [`PUBLIC`], [`ANY_SITE_ROLE`] or the roles of a staff key. A key brings its own refusals with
//!   it (`unauthorised`, `unknown_site`, `not_your_site`, and `not_allowed` unless any key will do),
//!   as `json_body`, `sample_query` and `keyed` do; whatever else the handler says no to is listed.
//! - **Writes** take an `Idempotency-Key` ([`Operation::keyed`]) or say why they need none
//!   ([`Operation::without_idempotency_key`]).
//!
//! Then write `docs/reference/openapi.json` anew: `PAIHAO_WRITE=1 cargo test -p paihao-gateway --lib described`.
//! After a conflict in that file, the same writes it right. The tests in `services/gateway/tests/it/openapi`
//! ask every operation of the document: they say what they miss of a new one (an act of staff wants a
//! row in `actions.rs`, a reading one a line in `responses.rs`, and each refusal a line of a script).

pub(crate) mod answer;
mod document;
mod operation;

pub(crate) use operation::{
    ANY_SITE_ROLE, AUTHENTICATED, Access, MANAGERS, Operation, PUBLIC, Role, endpoint,
};

use crate::http::state::AppState;
use answer::ApiHandler;
use axum::Router;
use axum::routing::{MethodFilter, MethodRouter, on};
use serde_json::Value;

/// A router whose routes are described.
#[derive(Default)]
pub(crate) struct Routes {
    router: Router<AppState>,
    routes: Vec<Route>,
}

/// One route and what it is.
struct Route {
    method: &'static str,
    path: String,
    operation: Operation,
}

impl Routes {
    /// None yet.
    pub(crate) fn new() -> Self {
        Routes::default()
    }

    /// Reads something.
    pub(crate) fn get<T: 'static, H: ApiHandler<T>>(
        self,
        path: &str,
        handler: H,
        is: Operation,
    ) -> Self {
        self.add(MethodFilter::GET, "get", path, handler, is)
    }

    /// Does something.
    pub(crate) fn post<T: 'static, H: ApiHandler<T>>(
        self,
        path: &str,
        handler: H,
        is: Operation,
    ) -> Self {
        self.add(MethodFilter::POST, "post", path, handler, is)
    }

    /// Puts something in the place of what is there.
    pub(crate) fn put<T: 'static, H: ApiHandler<T>>(
        self,
        path: &str,
        handler: H,
        is: Operation,
    ) -> Self {
        self.add(MethodFilter::PUT, "put", path, handler, is)
    }

    /// Changes a part of what is there.
    pub(crate) fn patch<T: 'static, H: ApiHandler<T>>(
        self,
        path: &str,
        handler: H,
        is: Operation,
    ) -> Self {
        self.add(MethodFilter::PATCH, "patch", path, handler, is)
    }

    /// Takes something away.
    pub(crate) fn delete<T: 'static, H: ApiHandler<T>>(
        self,
        path: &str,
        handler: H,
        is: Operation,
    ) -> Self {
        self.add(MethodFilter::DELETE, "delete", path, handler, is)
    }

    fn add<T: 'static, H: ApiHandler<T>>(
        mut self,
        filter: MethodFilter,
        method: &'static str,
        path: &str,
        handler: H,
        operation: Operation,
    ) -> Self {
        self.router = self.router.route(path, on(filter, handler));
        let operation = operation.with_responses_of::<H::Response>();
        let operation = if method == "get" { operation } else { operation.with_write_refusals() };
        self.routes.push(Route { method, path: path.to_owned(), operation });
        self
    }

    /// These as well.
    pub(crate) fn merge(mut self, others: Routes) -> Self {
        self.router = self.router.merge(others.router);
        self.routes.extend(others.routes);
        self
    }

    /// What browsers show to people, which is no part of the API: pages and their files.
    pub(crate) fn page(mut self, path: &str, page: MethodRouter<AppState>) -> Self {
        assert!(!path.starts_with("/api/"), "{path} is the API's, and says what it is");
        self.router = self.router.route(path, page);
        self
    }

    /// The routes themselves.
    pub(crate) fn into_router(self) -> Router<AppState> {
        self.router
    }

    /// The OpenAPI document of all of them. Panics where a route says something that cannot stand
    /// in one, which the test of `docs/reference/openapi.json` finds first.
    pub(crate) fn document(&self) -> Value {
        document::build(&self.routes)
    }
}
