//! Description of one operation: access, request, responses and refusals.

use super::response::{ApiResponse, ResponseSpec};
use crate::{ApiState, ProblemKind};
use axum::http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;
use std::marker::PhantomData;

/// A function that generates a type's schema.
pub type SchemaFn = fn(&mut SchemaGenerator) -> Schema;

/// Schema of a type, by reference where the type has a name.
pub fn schema_of<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Schema {
    schemas.subschema_for::<T>()
}

/// Safety of a repeated write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Idempotency {
    /// The operation writes nothing.
    Unspecified,
    /// An `Idempotency-Key` identifies the command.
    Keyed,
    /// A key is not needed, for this reason.
    Unkeyed(&'static str),
}

/// Body of a request.
pub(super) struct RequestBody {
    pub(super) content_type: &'static str,
    pub(super) schema: SchemaFn,
    pub(super) description: Option<String>,
}

/// Description of a route's operation, for a router with the state `S`.
pub struct Operation<S> {
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    /// Names of the security schemes any of which will do. None: the operation is public.
    pub(super) security: &'static [&'static str],
    pub(super) extensions: Vec<(&'static str, Value)>,
    pub(super) query: Option<SchemaFn>,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    pub(super) body: Option<RequestBody>,
    pub(super) responses: Vec<ResponseSpec>,
    pub(super) refusals: Vec<&'static ProblemKind>,
    pub(super) write_refusals: Vec<&'static ProblemKind>,
    pub(super) idempotency: Idempotency,
    state: PhantomData<fn() -> S>,
}

impl<S: ApiState> Operation<S> {
    /// A public operation with this id, which clients of the API use, and one sentence about it.
    pub fn new(id: &'static str, summary: &'static str) -> Self {
        Operation {
            id,
            summary,
            security: &[],
            extensions: Vec::new(),
            query: None,
            headers: Vec::new(),
            body: None,
            responses: Vec::new(),
            refusals: Vec::new(),
            write_refusals: Vec::new(),
            idempotency: Idempotency::Unspecified,
            state: PhantomData,
        }
    }

    /// Requires one of these security schemes of the document.
    #[must_use]
    pub fn security(mut self, schemes: &'static [&'static str]) -> Self {
        self.security = schemes;
        self
    }

    /// Adds an extension member of the document (`x-…`).
    #[must_use]
    pub fn extension(mut self, name: &'static str, value: Value) -> Self {
        self.extensions.push((name, value));
        self
    }

    /// Takes a JSON body. It may be left out where the type needs none of its fields: then it is
    /// `{}`.
    #[must_use]
    pub fn json_body<T: JsonSchema>(self) -> Self {
        self.body_as::<T>("application/json").refuses(&[S::MALFORMED_REQUEST, S::BODY_TOO_LARGE])
    }

    /// Takes a body of another content type.
    #[must_use]
    pub fn body_as<T: JsonSchema>(mut self, content_type: &'static str) -> Self {
        self.body = Some(RequestBody { content_type, schema: schema_of::<T>, description: None });
        self
    }

    /// Says how large the body may be.
    ///
    /// # Panics
    /// If the operation takes no body.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        let body = self.body.as_mut().expect("an operation with a body");
        body.description = Some(format!("At most {bytes} bytes."));
        self
    }

    /// Has a query of these fields, which is refused as malformed.
    #[must_use]
    pub fn query<T: JsonSchema>(self) -> Self {
        self.signed_query::<T>().refuses(&[S::MALFORMED_REQUEST])
    }

    /// Has a query of these fields, which the handler verifies and refuses by kinds of its own.
    #[must_use]
    pub fn signed_query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(schema_of::<T>);
        self
    }

    /// Reads a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, meaning: &'static str) -> Self {
        self.headers.push((name, meaning));
        self
    }

    /// A write that an `Idempotency-Key` identifies, with the effect of a repeated key.
    #[must_use]
    pub fn keyed(mut self, meaning: &'static str) -> Self {
        self.idempotency = Idempotency::Keyed;
        self.header("Idempotency-Key", meaning)
    }

    /// A write that needs no key, for this reason.
    #[must_use]
    pub fn without_idempotency_key(mut self, reason: &'static str) -> Self {
        self.idempotency = Idempotency::Unkeyed(reason);
        self
    }

    /// Adds refusals.
    #[must_use]
    pub fn refuses(mut self, kinds: &[&'static ProblemKind]) -> Self {
        add_kinds(&mut self.refusals, kinds);
        self
    }

    /// Adds refusals that the operation has unless it is a GET.
    #[must_use]
    pub fn refuses_write(mut self, kinds: &[&'static ProblemKind]) -> Self {
        add_kinds(&mut self.write_refusals, kinds);
        self
    }

    /// Adds a response whose content the handler's type does not show: an image, a text.
    #[must_use]
    pub fn responds_with(mut self, content_type: &'static str) -> Self {
        self.responses.push(ResponseSpec::content(content_type));
        self
    }

    /// Adds a JSON response with this status, which the handler's type does not show.
    #[must_use]
    pub fn responds_json<T: JsonSchema>(mut self, status: StatusCode) -> Self {
        self.responses.push(ResponseSpec::json::<T>(status));
        self
    }

    /// Adds the response 204.
    #[must_use]
    pub fn responds_no_content(mut self) -> Self {
        self.responses.push(ResponseSpec::no_content());
        self
    }

    /// Adds an event, with its data, to the stream of server-sent events that the handler returns.
    #[must_use]
    pub fn sends_event<T: JsonSchema>(mut self, event: &'static str) -> Self {
        ResponseSpec::stream_events_mut(&mut self.responses).push((event, schema_of::<T>));
        self
    }

    /// The operation as a route of this method, with the responses of its handler's type.
    pub(super) fn with_route<A: ApiResponse>(mut self, method: &str) -> Self {
        self.responses.extend(A::response_specs());
        if method != "get" {
            let kinds = std::mem::take(&mut self.write_refusals);
            add_kinds(&mut self.refusals, &kinds);
        }
        self
    }
}

fn add_kinds(kinds: &mut Vec<&'static ProblemKind>, added: &[&'static ProblemKind]) {
    for kind in added {
        if !kinds.contains(kind) {
            kinds.push(kind);
        }
    }
}
