//! What one route is: who may, what it takes, what it answers and what it refuses.

use super::answer::{ApiResponse, ResponseSpec};
use crate::http::refusals::{self, ProblemKind};
use axum::http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Makes a type's schema.
pub(super) type SchemaFn = fn(&mut SchemaGenerator) -> Schema;

/// Who may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody.
    Public,
    /// Whoever has a key of the site in one of these roles.
    Site(&'static [Role]),
    /// Whoever has a key or a session in one of these roles: it is about no site, or about several.
    Authenticated(&'static [Role]),
    /// WeChat, which signs what it says.
    WeChat,
}

/// In which role the holder of a key acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Staff at certain counters.
    Staff,
    /// Whoever runs the site.
    Manager,
    /// A program at certain counters.
    Api,
    /// A program with a manager's scope.
    ApiManager,
}

impl Role {
    /// Every role there is.
    pub(crate) const ALL: &[Role] = &[Role::Staff, Role::Manager, Role::Api, Role::ApiManager];

    /// As it stands in the document.
    pub(super) fn name(self) -> &'static str {
        match self {
            Role::Staff => "staff",
            Role::Manager => "manager",
            Role::Api => "api",
            Role::ApiManager => "api_manager",
        }
    }
}

/// Anybody may.
pub(crate) const PUBLIC: Access = Access::Public;

/// Whoever has a key of the site, whatever its role.
pub(crate) const ANY_SITE_ROLE: Access = Access::Site(Role::ALL);

/// Somebody whom the server knows, wherever they work.
pub(crate) const AUTHENTICATED: Access = Access::Authenticated(Role::ALL);

/// Whoever runs something, wherever it is.
pub(crate) const MANAGERS: Access = Access::Authenticated(&[Role::Manager]);

/// How often a write may be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Idempotency {
    /// It writes nothing.
    Unspecified,
    /// An `Idempotency-Key` names the wish.
    Keyed,
    /// It needs none, for this reason.
    Unkeyed(&'static str),
}

/// What a route is.
pub(crate) struct Operation {
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) access: Access,
    pub(super) query: Option<SchemaFn>,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    pub(super) body: Option<(&'static str, SchemaFn)>,
    pub(super) responses: Vec<ResponseSpec>,
    pub(super) refusals: Vec<&'static ProblemKind>,
    pub(super) idempotency: Idempotency,
}

/// An operation of this name, which clients of the API use, and what it does in a sentence.
pub(crate) fn endpoint(id: &'static str, summary: &'static str, access: Access) -> Operation {
    let refusals = match access {
        Access::Public => vec![],
        Access::Site(roles) => {
            let mut refusals =
                vec![&refusals::UNAUTHORISED, &refusals::NOT_YOUR_SITE, &refusals::UNKNOWN_SITE];
            // Keys and sessions of the book are read from the ledger.
            refusals.push(&refusals::LEDGER_UNAVAILABLE);
            if roles != Role::ALL {
                refusals.push(&refusals::NOT_ALLOWED);
            }
            refusals
        }
        Access::Authenticated(roles) => {
            let mut refusals = vec![&refusals::UNAUTHORISED, &refusals::LEDGER_UNAVAILABLE];
            if roles != Role::ALL {
                refusals.push(&refusals::NOT_ALLOWED);
            }
            refusals
        }
        Access::WeChat => vec![
            &refusals::UNKNOWN_ACCOUNT,
            &refusals::BAD_CALLBACK_QUERY,
            &refusals::WRONG_SIGNATURE,
            &refusals::STALE_CALLBACK,
        ],
    };
    Operation {
        id,
        summary,
        access,
        query: None,
        headers: Vec::new(),
        body: None,
        responses: Vec::new(),
        refusals,
        idempotency: Idempotency::Unspecified,
    }
}

/// The schema of a type, by reference where it has a name.
pub(super) fn schema_of<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Schema {
    schemas.subschema_for::<T>()
}

impl Operation {
    /// Takes a JSON body. It may be left out where the type needs none of its fields: then it is
    /// `{}`.
    pub(crate) fn json_body<T: JsonSchema>(self) -> Self {
        self.body_as::<T>("application/json")
            .refuses(&[&refusals::MALFORMED_REQUEST, &refusals::BODY_TOO_LARGE])
    }

    /// Takes a body of another kind.
    pub(crate) fn body_as<T: JsonSchema>(mut self, content_type: &'static str) -> Self {
        self.body = Some((content_type, schema_of::<T>));
        self
    }

    /// Has a query of these fields.
    pub(crate) fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(schema_of::<T>);
        match self.access {
            // What WeChat signs with is refused by names of its own.
            Access::WeChat => self,
            _ => self.refuses(&[&refusals::MALFORMED_REQUEST]),
        }
    }

    /// Looks at a header.
    pub(crate) fn header(mut self, name: &'static str, meaning: &'static str) -> Self {
        self.headers.push((name, meaning));
        self
    }

    /// A repeated wish of the same `Idempotency-Key` is done once.
    pub(crate) fn idempotency_key(mut self) -> Self {
        self.idempotency = Idempotency::Keyed;
        self.refuses(&[&refusals::MALFORMED_IDEMPOTENCY_KEY, &refusals::IDEMPOTENCY_KEY_REUSED])
            .header(
                "Idempotency-Key",
                "Names the wish: repeated within 15 minutes it is done once and answered like the first time",
            )
    }

    /// A repeated wish of the same `Idempotency-Key` is done once, and refused from then on: what it
    /// was answered is kept nowhere.
    pub(crate) fn single_use_idempotency_key(mut self) -> Self {
        self.idempotency = Idempotency::Keyed;
        self.refuses(&[&refusals::MALFORMED_IDEMPOTENCY_KEY, &refusals::KEY_MADE_BEFORE])
            .header("Idempotency-Key", "Names the wish: repeated it is refused, and done once")
    }

    /// A write that needs no key, for this reason.
    pub(crate) fn without_idempotency_key(mut self, why: &'static str) -> Self {
        self.idempotency = Idempotency::Unkeyed(why);
        self
    }

    /// Refuses for these reasons too.
    pub(crate) fn refuses(mut self, kinds: &[&'static ProblemKind]) -> Self {
        for kind in kinds {
            if !self.refusals.contains(kind) {
                self.refusals.push(kind);
            }
        }
        self
    }

    /// Answers something that its handler's type does not tell: pictures, texts.
    pub(crate) fn responds_with(mut self, content_type: &'static str) -> Self {
        self.responses.push(ResponseSpec::content(content_type));
        self
    }

    /// Answers JSON with this status, which its handler's type does not tell.
    pub(crate) fn responds_json<T: JsonSchema>(mut self, status: StatusCode) -> Self {
        self.responses.push(ResponseSpec::json::<T>(status));
        self
    }

    /// Answers 204, and nothing in it.
    pub(crate) fn responds_no_content(mut self) -> Self {
        self.responses.push(ResponseSpec::no_content());
        self
    }

    /// Answers a stream of server-sent events; this is one of them, with its data.
    pub(crate) fn sends_event<T: JsonSchema>(mut self, event: &'static str) -> Self {
        ResponseSpec::stream_events_mut(&mut self.responses).push((event, schema_of::<T>));
        self
    }

    /// It writes: what a browser's session does is not done for pages of others.
    pub(super) fn with_write_refusals(self) -> Self {
        match self.access {
            Access::Site(_) | Access::Authenticated(_) => self.refuses(&[&refusals::CROSS_SITE]),
            Access::Public | Access::WeChat => self,
        }
    }

    pub(super) fn with_responses_of<A: ApiResponse>(mut self) -> Self {
        self.responses.extend(A::response_specs());
        self
    }
}
