//! Access rules of operations, as extractors.
//!
//! The arguments of a handler declare who may call it. They are checked before the handler runs,
//! and bring security schemes, roles and refusals into the OpenAPI document. A handler that takes
//! neither [`Authorized`] nor [`SiteAccess`] is public.

use crate::http::auth::{Principal, SiteScope};
use crate::http::key_scope::required_scope;
use crate::http::openapi::{ApiArgument, Operation};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::settings::SiteSettings;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams};
use axum::http::request::Parts;
use paihao_domain::{Actor, ApiScope};
use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;

/// Role of a key or session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Staff at certain counters.
    Staff,
    /// Manager of a site or of all.
    Manager,
    /// A program at certain counters.
    Api,
    /// A program with a manager's scope.
    ApiManager,
}

impl Role {
    /// Role of an actor; none of a customer and of the system, which send no requests.
    fn of(actor: &Actor) -> Option<Role> {
        match actor {
            Actor::Staff { .. } => Some(Role::Staff),
            Actor::Manager(_) => Some(Role::Manager),
            Actor::Api { scope: ApiScope::Counters(_), .. } => Some(Role::Api),
            Actor::Api { scope: ApiScope::Manager, .. } => Some(Role::ApiManager),
            Actor::Customer(_) | Actor::Holder(_) | Actor::System => None,
        }
    }

    /// Name in the document.
    fn name(self) -> &'static str {
        match self {
            Role::Staff => "staff",
            Role::Manager => "manager",
            Role::Api => "api",
            Role::ApiManager => "api_manager",
        }
    }
}

/// Set of roles that an operation allows.
pub(crate) trait AllowedRoles: Send + Sync + 'static {
    /// The roles.
    const ALLOWED: &'static [Role];
}

macro_rules! allowed_roles {
    ($($(#[$doc:meta])* $name:ident = $($role:ident)+;)*) => {
        $(
            $(#[$doc])*
            pub(crate) struct $name;

            impl AllowedRoles for $name {
                const ALLOWED: &'static [Role] = &[$(Role::$role),+];
            }
        )*
    };
}

allowed_roles! {
    /// Every key and session.
    AnyRole = Staff Manager Api ApiManager;
    /// People who work here.
    StaffMember = Staff Manager;
    /// People who manage, and programs.
    ManagerOrProgram = Manager Api ApiManager;
    /// People who manage, and programs with a manager's scope.
    ManagerScope = Manager ApiManager;
    /// People who manage.
    Manager = Manager;
}

/// Principal in one of the roles `R`, for an operation about no site or about several.
pub(crate) struct Authorized<R> {
    /// Sender of the request.
    pub(crate) principal: Principal,
    roles: PhantomData<R>,
}

impl<R: AllowedRoles> FromRequestParts<AppState> for Authorized<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let principal = Principal::authenticate(state, parts).await?;
        require_role::<R>(&principal, parts)?;
        Ok(Authorized { principal, roles: PhantomData })
    }
}

impl<R: AllowedRoles> ApiArgument<AppState> for Authorized<R> {
    fn describe(operation: Operation) -> Operation {
        describe_roles::<R>(operation)
    }
}

/// Principal in one of the roles `R` to whom the site of the path is open.
pub(crate) struct SiteAccess<R> {
    /// Sender of the request.
    pub(crate) principal: Principal,
    /// Id of the site.
    pub(crate) site: String,
    /// Settings of the site.
    pub(crate) settings: Arc<SiteSettings>,
    roles: PhantomData<R>,
}

impl<R: AllowedRoles> FromRequestParts<AppState> for SiteAccess<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let principal = Principal::authenticate(state, parts).await?;
        let site = path_parameter(parts, "site").await?;
        let settings = principal.authorize_site(state, &site)?;
        require_role::<R>(&principal, parts)?;
        Ok(SiteAccess { principal, site, settings, roles: PhantomData })
    }
}

impl<R: AllowedRoles> ApiArgument<AppState> for SiteAccess<R> {
    fn describe(operation: Operation) -> Operation {
        describe_roles::<R>(operation).refuses(&[&refusals::NOT_YOUR_SITE, &refusals::UNKNOWN_SITE])
    }
}

/// Principal of a request that needs none, if it has one.
pub(crate) struct Visitor(Option<Principal>);

impl Visitor {
    /// True for somebody to whom the site is open.
    pub(crate) fn is_staff_of(&self, site: &str) -> bool {
        self.0.as_ref().is_some_and(|principal| principal.scope().contains(site))
    }
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        Ok(Visitor(Principal::authenticate(state, parts).await.ok()))
    }
}

impl ApiArgument<AppState> for Visitor {}

/// Principal with a manager's scope over every site.
pub(crate) struct Owner {
    /// Sender of the request.
    pub(crate) principal: Principal,
}

impl Owner {
    /// The principal as an owner, if every site is open to it.
    pub(crate) fn require(principal: Principal) -> Result<Owner, Problem> {
        match principal.scope() {
            SiteScope::All => Ok(Owner { principal }),
            SiteScope::Only(_) => Err(Problem::new(&refusals::NOT_EVERY_SITE)),
        }
    }
}

impl FromRequestParts<AppState> for Owner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let access = Authorized::<ManagerScope>::from_request_parts(parts, state).await?;
        Owner::require(access.principal)
    }
}

impl ApiArgument<AppState> for Owner {
    fn describe(operation: Operation) -> Operation {
        Authorized::<ManagerScope>::describe(operation).refuses(&[&refusals::NOT_EVERY_SITE])
    }
}

/// Value of a parameter of the request's path.
///
/// # Panics
/// If the route has no such parameter.
pub(crate) async fn path_parameter(parts: &mut Parts, name: &str) -> Result<String, Problem> {
    let parameters = RawPathParams::from_request_parts(parts, &()).await;
    let parameters = parameters.map_err(|error| refusals::malformed(error.body_text()))?;
    let value = parameters.iter().find(|(parameter, _)| *parameter == name).map(|(_, value)| value);
    Ok(value.unwrap_or_else(|| panic!("a route without {{{name}}} in its path")).to_owned())
}

fn require_role<R: AllowedRoles>(principal: &Principal, parts: &Parts) -> Result<(), Problem> {
    if !Role::of(&principal.actor).is_some_and(|role| R::ALLOWED.contains(&role)) {
        return Err(Problem::new(&refusals::NOT_ALLOWED));
    }
    let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let is_for_counters = R::ALLOWED.contains(&Role::Api);
    principal.require_key_scope(required_scope(parts.method.is_safe(), path, is_for_counters))
}

fn describe_roles<R: AllowedRoles>(operation: Operation) -> Operation {
    let operation = operation
        .security(&["key", "session"])
        .extension("x-roles", R::ALLOWED.iter().map(|role| role.name()).collect())
        // Members, sessions and keys made through the API are read from the ledger.
        .refuses(&[&refusals::UNAUTHORISED, &refusals::LEDGER_UNAVAILABLE, &refusals::NEWER_LEDGER])
        // Whoever guesses keys is not listened to for a while.
        .refuses(&[&refusals::TOO_MANY_REQUESTS])
        // A page of another site must not use a browser's session.
        .refuses_write(&[&refusals::CROSS_SITE]);
    let is_for_programs =
        [Role::Api, Role::ApiManager].iter().any(|role| R::ALLOWED.contains(role));
    let operation =
        if is_for_programs { operation.refuses(&[&refusals::NOT_IN_SCOPE]) } else { operation };
    if R::ALLOWED.len() == AnyRole::ALLOWED.len() {
        operation
    } else {
        operation.refuses(&[&refusals::NOT_ALLOWED])
    }
}
