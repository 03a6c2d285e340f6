//! Staff actions on counters, queues and tickets of a site: from the request to the decision.

mod result;

pub(crate) use result::StaffActionResult;

use crate::engine::{CommandOutcome, SiteSnapshot};
use crate::http::access::{AllowedRoles, SiteAccess, path_parameter};
use crate::http::auth::Principal;
use crate::http::counter_login::is_left_behind;
use crate::http::hours::command_problem;
use crate::http::idempotency;
use crate::http::openapi::{ApiArgument, IdempotencyKeyExt, Operation};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::http::ticket_link;
use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Request};
use paihao_domain::{
    Act, Command, CommandId, CounterId, CounterTicket, Day, QueueId, Site, Ticket, TicketId,
};
use paihao_http_api::body;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use std::sync::Arc;

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

/// The site of the path itself.
pub(crate) struct WholeSite;

impl ActionTarget for WholeSite {
    const PATH_PARAMETER: &'static str = "site";
    const REFUSALS: &'static [&'static refusals::ProblemKind] = &[];

    fn named(_: String) -> Self {
        WholeSite
    }
}

/// Number of a ticket, like `A017`.
pub(crate) struct TicketNumber(pub(crate) String);

impl ActionTarget for TicketNumber {
    const PATH_PARAMETER: &'static str = "number";
    // The queue, where the owner has taken it away meanwhile.
    const REFUSALS: &'static [&'static refusals::ProblemKind] = &[
        &refusals::UNKNOWN_TICKET,
        &refusals::UNKNOWN_QUEUE,
        &refusals::NOT_YOUR_QUEUE,
        &refusals::DAY_TURNED,
    ];

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
            command: idempotency::command_id(&format!("api\0{}\0{site}", principal.name), key),
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
            .refuses(&[
                &refusals::DAY_UNCONFIRMED,
                &refusals::LEDGER_UNAVAILABLE,
                &refusals::NEWER_LEDGER,
            ])
    }
}

/// Ticket that a number named on a business day of its site.
pub(crate) struct FoundTicket {
    pub(crate) id: TicketId,
    day: Option<Day>,
}

impl<R, T, B> StaffAction<R, T, B> {
    /// Has an act that names no ticket decided, and answers with its outcome.
    pub(crate) async fn submit(&self, act: Act) -> StaffActionResponse {
        self.submit_on(None, act).await
    }

    /// Has an act on a ticket decided, and answers with its outcome.
    pub(crate) async fn submit_for(&self, ticket: &FoundTicket, act: Act) -> StaffActionResponse {
        self.submit_on(ticket.day, act).await
    }

    /// Has an act decided that names a ticket of this day.
    async fn submit_on(&self, day: Option<Day>, act: Act) -> StaffActionResponse {
        let actor = self.principal.actor.clone();
        let command = Command { id: self.command, fingerprint: self.fingerprint, actor, act, day };
        let decided = self.submit_command(command).await?;
        tracing::info!(
            site = self.site,
            staff = &*self.principal.name,
            command = ?self.command,
            outcome = decided.outcome.name(),
            "staff action decided"
        );
        let link = ticket_link::ticket_path(&self.state, &self.site, &decided.outcome, decided.at);
        Ok(Json(StaffActionResult::new(decided, link)))
    }

    async fn submit_command(&self, command: Command) -> Result<CommandOutcome, Problem> {
        let engine = &self.state.engine;
        engine.submit(&self.site, command).await.map_err(|error| {
            match engine.settings(&self.site) {
                Some(settings) => command_problem(&settings, self.state.clock.now_ms(), error),
                None => error.into(),
            }
        })
    }

    /// Returns whether the site's business day lies in the future.
    pub(crate) async fn stands_in_future(&self) -> Result<bool, Problem> {
        let snapshot = self.state.engine.latest_snapshot(&self.site).await?;
        let settings = self.state.engine.settings(&self.site).ok_or(&refusals::UNKNOWN_SITE)?;
        let today = settings.calendar.at(self.state.clock.now_ms()).day();
        Ok(snapshot.site.day().is_some_and(|day| day > today))
    }

    /// Returns whether forms of this generation may be written.
    pub(crate) fn may_write(&self, generation: u32) -> bool {
        self.state.settings.write_version.allows(generation)
    }

    /// State of the site that this replica has; if that knows of no day of today, the newest one,
    /// since another replica may have opened the next day.
    async fn snapshot_of_today(&self) -> Result<SiteSnapshot, Problem> {
        let engine = &self.state.engine;
        let snapshot = engine.snapshot(&self.site).ok_or(&refusals::UNKNOWN_SITE)?;
        let settings = engine.settings(&self.site).ok_or(&refusals::UNKNOWN_SITE)?;
        let today = settings.calendar.at(self.state.clock.now_ms()).day();
        if snapshot.site.day().is_some_and(|day| day >= today) {
            return Ok(snapshot);
        }
        Ok(engine.latest_snapshot(&self.site).await?)
    }

    /// Ticket of this number. Another replica may have given it out a moment ago.
    pub(crate) async fn find_ticket(&self, number: &str) -> Result<FoundTicket, Problem> {
        let snapshot = self.snapshot_of_today().await?;
        if let Some(ticket) = self.ticket_in(&snapshot, number) {
            return Ok(ticket);
        }
        let snapshot = self.state.engine.latest_snapshot(&self.site).await?;
        Ok(self.ticket_in(&snapshot, number).ok_or(&refusals::UNKNOWN_TICKET)?)
    }

    /// Ticket of this number in a snapshot. A repeat of an action is answered like the first time,
    /// although the ticket may have ended with its day.
    fn ticket_in(&self, snapshot: &SiteSnapshot, number: &str) -> Option<FoundTicket> {
        let of_site = |site: &Site| {
            ticket_by_number(site, number)
                .map(|ticket| FoundTicket { id: ticket.id, day: site.day() })
        };
        let is_repeated = || snapshot.site.has_decided(&self.command);
        of_site(&snapshot.site)
            .or_else(|| of_site(snapshot.previous_day.as_deref().filter(|_| is_repeated())?))
    }
}

impl<R, B> StaffAction<R, CounterId, B> {
    /// Login at the counter of somebody else who may no longer be there.
    pub(crate) fn login_left_behind(&self) -> Option<Arc<str>> {
        let login = self.state.engine.snapshot(&self.site)?.site.counter(&self.target).login?;
        let is_others = login != self.principal.name;
        let is_left = || is_left_behind(&self.state, &self.site, &self.target, &login);
        (is_others && is_left()).then_some(login)
    }

    /// Has an act on the ticket at the counter decided, which has this number if the client names
    /// one.
    pub(crate) async fn submit_at_counter(
        &self,
        number: Option<&str>,
        act: impl FnOnce(CounterTicket) -> Act,
    ) -> StaffActionResponse {
        let day = match number {
            Some(_) => self.snapshot_of_today().await?.site.day(),
            None => None,
        };
        let counter = self.target.clone();
        let ticket = CounterTicket { counter, number: number.map(str::to_owned) };
        self.submit_on(day, act(ticket)).await
    }
}

impl<R, B> StaffAction<R, TicketNumber, B> {
    /// Ticket that the path names.
    pub(crate) async fn ticket(&self) -> Result<FoundTicket, Problem> {
        self.find_ticket(&self.target.0).await
    }
}

/// Ticket of today with this number.
pub(crate) fn ticket_by_number<'a>(site: &'a Site, number: &str) -> Option<&'a Ticket> {
    site.tickets().find(|ticket| ticket.number.to_string() == number)
}
