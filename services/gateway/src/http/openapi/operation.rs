//! What one route is: who may, what it takes, what it answers and what it refuses.

use super::answer::{Answer, Answered};
use crate::http::refusals::{self, Kind};
use axum::http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Makes a type's schema.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// Who may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody.
    Open,
    /// Whoever has a key of the site in one of these roles.
    Key(&'static [Role]),
    /// Whoever has a key or a session in one of these roles: it is about no site, or about several.
    Known(&'static [Role]),
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
pub(crate) const OPEN: Access = Access::Open;

/// Whoever has a key of the site, whatever its role.
pub(crate) const ANY_KEY: Access = Access::Key(Role::ALL);

/// Somebody whom the server knows, wherever they work.
pub(crate) const LOGGED_IN: Access = Access::Known(Role::ALL);

/// Whoever runs something, wherever it is.
pub(crate) const MANAGERS: Access = Access::Known(&[Role::Manager]);

/// How often a write may be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It writes nothing.
    Unsaid,
    /// An `Idempotency-Key` names the wish.
    Keyed,
    /// It needs none, for this reason.
    Harmless(&'static str),
}

/// What a route is.
pub(crate) struct Operation {
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) access: Access,
    pub(super) query: Option<SchemaOf>,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    pub(super) body: Option<(&'static str, SchemaOf)>,
    pub(super) answers: Vec<Answered>,
    pub(super) refusals: Vec<&'static Kind>,
    pub(super) repeat: Repeat,
}

/// An operation of this name, which clients of the API use, and what it does in a sentence.
pub(crate) fn op(id: &'static str, summary: &'static str, access: Access) -> Operation {
    let refusals = match access {
        Access::Open => vec![],
        Access::Key(roles) => {
            let mut refusals =
                vec![&refusals::UNAUTHORISED, &refusals::NOT_YOUR_SITE, &refusals::UNKNOWN_SITE];
            // Keys and sessions of the book are read from the ledger.
            refusals.push(&refusals::LEDGER_UNAVAILABLE);
            if roles != Role::ALL {
                refusals.push(&refusals::NOT_ALLOWED);
            }
            refusals
        }
        Access::Known(roles) => {
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
        answers: Vec::new(),
        refusals,
        repeat: Repeat::Unsaid,
    }
}

/// The schema of a type, by reference where it has a name.
pub(super) fn schema_of<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Schema {
    schemas.subschema_for::<T>()
}

impl Operation {
    /// Takes a JSON body. It may be left out where the type needs none of its fields: then it is
    /// `{}`.
    pub(crate) fn takes<T: JsonSchema>(self) -> Self {
        self.takes_as::<T>("application/json")
            .refuses(&[&refusals::MALFORMED_REQUEST, &refusals::BODY_TOO_LARGE])
    }

    /// Takes a body of another kind.
    pub(crate) fn takes_as<T: JsonSchema>(mut self, content_type: &'static str) -> Self {
        self.body = Some((content_type, schema_of::<T>));
        self
    }

    /// Has a query of these fields.
    pub(crate) fn queried<T: JsonSchema>(mut self) -> Self {
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
    pub(crate) fn keyed(mut self) -> Self {
        self.repeat = Repeat::Keyed;
        self.refuses(&[&refusals::MALFORMED_IDEMPOTENCY_KEY, &refusals::IDEMPOTENCY_KEY_REUSED])
            .header(
                "Idempotency-Key",
                "Names the wish: repeated within 15 minutes it is done once and answered like the first time",
            )
    }

    /// A repeated wish of the same `Idempotency-Key` is done once, and refused from then on: what it
    /// was answered is kept nowhere.
    pub(crate) fn keyed_once(mut self) -> Self {
        self.repeat = Repeat::Keyed;
        self.refuses(&[&refusals::MALFORMED_IDEMPOTENCY_KEY, &refusals::KEY_MADE_BEFORE])
            .header("Idempotency-Key", "Names the wish: repeated it is refused, and done once")
    }

    /// A write that needs no key, for this reason.
    pub(crate) fn repeatable(mut self, why: &'static str) -> Self {
        self.repeat = Repeat::Harmless(why);
        self
    }

    /// Refuses for these reasons too.
    pub(crate) fn refuses(mut self, kinds: &[&'static Kind]) -> Self {
        for kind in kinds {
            if !self.refusals.contains(kind) {
                self.refusals.push(kind);
            }
        }
        self
    }

    /// Answers something that its handler's type does not tell: pictures, texts.
    pub(crate) fn answers_with(mut self, content_type: &'static str) -> Self {
        self.answers.push(Answered::plain(content_type));
        self
    }

    /// Answers JSON with this status, which its handler's type does not tell.
    pub(crate) fn answers_as<T: JsonSchema>(mut self, status: StatusCode) -> Self {
        self.answers.push(Answered::json::<T>(status));
        self
    }

    /// Answers 204, and nothing in it.
    pub(crate) fn answers_nothing(mut self) -> Self {
        self.answers.push(Answered::nothing());
        self
    }

    /// Answers a stream of server-sent events; this is one of them, with its data.
    pub(crate) fn tells<T: JsonSchema>(mut self, event: &'static str) -> Self {
        Answered::stream(&mut self.answers).push((event, schema_of::<T>));
        self
    }

    /// It writes: what a browser's session does is not done for pages of others.
    pub(super) fn writing(self) -> Self {
        match self.access {
            Access::Key(_) | Access::Known(_) => self.refuses(&[&refusals::CROSS_SITE]),
            Access::Open | Access::WeChat => self,
        }
    }

    pub(super) fn answering<A: Answer>(mut self) -> Self {
        self.answers.extend(A::answered());
        self
    }
}
