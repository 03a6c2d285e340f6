//! Staff actions on counters, queues and tickets of a site: from the request to the decision.

mod result;

pub(crate) use result::StaffActionResult;

use crate::http::access::{AllowedRoles, SiteAccess, path_parameter};
use crate::http::auth::Principal;
use crate::http::idempotency;
use crate::http::openapi::{ApiArgument, IdempotencyKeyExt, Operation};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::http::ticket_link;
use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Request};
use paihao_chassis::entropy;
use paihao_domain::{Act, Command, CommandId, CounterId, CounterTicket, QueueId, TicketId};
use paihao_http_api::body;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;

/// Largest body of a staff action, in bytes.
const MAX_BODY_BYTES: usize = 4096;

/// Response to a staff action.
pub(crate) type StaffActionResponse = Result<Json<StaffActionResult>, Problem>;

/// Empty body of an action.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmptyRequest {}

/// Kind of thing that an action's path names.
pub(crate) trait ActionTarget: Send + 'static {
    /// Name in braces of the path.
    const PATH_PARAMETER: &'static str;
    /// Refusals of every action on it.
    const REFUSALS: &'static [&'static refusals::ProblemKind];

    /// Target of this name.
    fn named(name: String) -> Self;
}

impl ActionTarget for CounterId {
    const PATH_PARAMETER: &'static str = "counter";
    const REFUSALS: &'static [&'static refusals::ProblemKind] =
        &[&refusals::UNKNOWN_COUNTER, &refusals::NOT_YOUR_COUNTER];

    fn named(name: String) -> Self {
        CounterId::new(&name)
    }
}

impl ActionTarget for QueueId {
    const PATH_PARAMETER: &'static str = "queue";
    const REFUSALS: &'static [&'static refusals::ProblemKind] = &[&refusals::UNKNOWN_QUEUE];

    fn named(name: String) -> Self {
        QueueId::new(&name)
    }
}

/// Number of a ticket, like `A017`.
pub(crate) struct TicketNumber(pub(crate) String);

impl ActionTarget for TicketNumber {
    const PATH_PARAMETER: &'static str = "number";
    // The queue, where the owner has taken it away meanwhile.
    const REFUSALS: &'static [&'static refusals::ProblemKind] =
        &[&refusals::UNKNOWN_TICKET, &refusals::UNKNOWN_QUEUE, &refusals::NOT_YOUR_QUEUE];

    fn named(name: String) -> Self {
        TicketNumber(name)
    }
}

/// Request of somebody in one of the roles `R` for an action on a `T`, with the body `B`.
///
/// The `Idempotency-Key` identifies the command: repeated within 15 minutes, to any replica, it is
/// decided once and answered like the first time.
pub(crate) struct StaffAction<R, T, B = EmptyRequest> {
    pub(crate) target: T,
    pub(crate) body: B,
    state: AppState,
    site: String,
    principal: Principal,
    command: CommandId,
    fingerprint: u64,
    roles: PhantomData<R>,
}

impl<R, T, B> FromRequest<AppState> for StaffAction<R, T, B>
where
    R: AllowedRoles,
    T: ActionTarget,
    B: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let SiteAccess { principal, site, .. } =
            SiteAccess::<R>::from_request_parts(&mut parts, state).await?;
        let target = path_parameter(&mut parts, T::PATH_PARAMETER).await?;
        let bytes = body::read::<AppState>(body, MAX_BODY_BYTES).await?;
        let key = idempotency::key(&parts.headers)?;
        Ok(StaffAction {
            target: T::named(target),
            body: body::parse_object::<AppState, _>(&bytes)?,
            command: command_id(key, &principal, &site),
            fingerprint: idempotency::fingerprint(parts.uri.path(), &bytes),
            state: state.clone(),
            site,
            principal,
            roles: PhantomData,
        })
    }
}

impl<R, T, B> ApiArgument<AppState> for StaffAction<R, T, B>
where
    R: AllowedRoles,
    T: ActionTarget,
    B: JsonSchema,
{
    fn describe(operation: Operation) -> Operation {
        SiteAccess::<R>::describe(operation)
            .json_body::<B>()
            .idempotency_key()
            .refuses(T::REFUSALS)
            .refuses(&[&refusals::LEDGER_UNAVAILABLE, &refusals::NEWER_LEDGER])
    }
}

impl<R, T, B> StaffAction<R, T, B> {
    /// Has an act decided, and answers with its outcome.
    pub(crate) async fn submit(&self, act: Act) -> StaffActionResponse {
        let actor = self.principal.actor.clone();
        let command = Command { id: self.command, fingerprint: self.fingerprint, actor, act };
        let decided = self.state.engine.submit(&self.site, command).await?;
        tracing::info!(
            site = self.site,
            staff = &*self.principal.name,
            command = ?self.command,
            outcome = decided.outcome.name(),
            "staff action decided"
        );
        let link = ticket_link::ticket_path(&self.state, &self.site, &decided.outcome);
        Ok(Json(StaffActionResult::new(decided, link)))
    }

    /// Ticket of this number. Another replica may have given it out a moment ago.
    pub(crate) async fn find_ticket(&self, number: &str) -> Result<TicketId, Problem> {
        match ticket_by_number(&self.state, &self.site, number) {
            Err(problem) if problem.kind().code == refusals::UNKNOWN_TICKET.code => {
                self.state.engine.latest_snapshot(&self.site).await?;
                ticket_by_number(&self.state, &self.site, number)
            }
            result => result,
        }
    }
}

impl<R, B> StaffAction<R, CounterId, B> {
    /// Ticket at the counter, which has this number if the client names one.
    pub(crate) fn counter_ticket(&self, number: Option<&str>) -> CounterTicket {
        CounterTicket { counter: self.target.clone(), number: number.map(str::to_owned) }
    }
}

impl<R, B> StaffAction<R, TicketNumber, B> {
    /// Ticket that the path names.
    pub(crate) async fn ticket(&self) -> Result<TicketId, Problem> {
        self.find_ticket(&self.target.0).await
    }
}

/// Id of the ticket with this number, in the state that this replica has.
pub(crate) fn ticket_by_number(
    state: &AppState,
    site: &str,
    number: &str,
) -> Result<TicketId, Problem> {
    let snapshot = state.engine.snapshot(site).ok_or(&refusals::UNKNOWN_SITE)?;
    let ticket = snapshot.site.tickets().find(|ticket| ticket.number.to_string() == number);
    Ok(ticket.ok_or(&refusals::UNKNOWN_TICKET)?.id)
}

/// Id of a command: derived from principal, site and key, or random without a key.
fn command_id(key: Option<&str>, principal: &Principal, site: &str) -> CommandId {
    match key {
        Some(key) => {
            idempotency::derived_command_id(format!("api\0{}\0{site}\0{key}", principal.name))
        }
        None => CommandId(entropy::bytes()),
    }
}
