//! Former members of staff, keys and kiosks whose names still stand in the log of staff: listed,
//! and erased by managers before their time.

use crate::http::access::{Authorized, Manager};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::identity::former_names::{FormerName, NamedKind};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

pub(super) fn routes() -> Routes {
    let ledger_refusals = &[&refusals::LEDGER_UNAVAILABLE, &refusals::NEWER_LEDGER];
    Routes::new()
        .get(
            "/api/v1/former-staff",
            list,
            endpoint(
                "former_staff",
                "Lists former members of staff, keys and kiosks whose names are kept",
            ),
        )
        .delete(
            "/api/v1/former-staff/{member}",
            erase,
            endpoint(
                "erase_former_staff",
                "Erases the name of a former member of staff, key or kiosk at once, for good",
            )
            .without_idempotency_key("what is erased stays so")
            .responds_no_content()
            .refuses(ledger_refusals)
            .refuses(&[&refusals::UNKNOWN_MEMBER, &refusals::FORMS_HELD_BACK]),
        )
}

/// Former member of staff, key or kiosk.
#[derive(Serialize, JsonSchema)]
struct FormerStaffView {
    /// Id, which stays in the audit log.
    id: String,
    /// `member`, `key` or `kiosk`.
    kind: &'static str,
    /// Newest name.
    name: String,
    /// Time since which it is a former one, in Unix milliseconds.
    left_at: i64,
    /// Time at which the name is erased, in Unix milliseconds; `null` while an older program may
    /// have to read the log.
    erased_at: Option<i64>,
}

impl FormerStaffView {
    fn new((former, erased_at): (FormerName, Option<i64>)) -> FormerStaffView {
        let FormerName { id, kind, name, sites: _, left_at } = former;
        let kind = match kind {
            NamedKind::Member => "member",
            NamedKind::Key => "key",
            NamedKind::Kiosk => "kiosk",
        };
        FormerStaffView { id, kind, name, left_at, erased_at }
    }
}

async fn list(
    State(state): State<AppState>,
    Authorized { principal, .. }: Authorized<Manager>,
) -> Result<Json<Vec<FormerStaffView>>, Problem> {
    let mut former = state.roster.former().await?;
    former.retain(|(former, _)| principal.scope().covers(&former.sites.clone().into()));
    former.sort_by(|(a, _), (b, _)| (b.left_at, &b.id).cmp(&(a.left_at, &a.id)));
    Ok(Json(former.into_iter().map(FormerStaffView::new).collect()))
}

async fn erase(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Authorized { principal, .. }: Authorized<Manager>,
) -> Result<Response, Problem> {
    state.roster.require_current()?;
    let scope = principal.scope();
    let former = state.roster.former().await?;
    if !former.iter().any(|(it, _)| it.id == id && scope.covers(&it.sites.clone().into())) {
        return Err(Problem::new(&refusals::UNKNOWN_MEMBER));
    }
    if !state.roster.erases_names() {
        return Err(Problem::new(&refusals::FORMS_HELD_BACK));
    }
    let may_erase = |former: &FormerName| scope.covers(&former.sites.clone().into());
    if !state.roster.erase_name(principal.author(), &id, may_erase).await? {
        return Err(Problem::new(&refusals::UNKNOWN_MEMBER));
    }
    tracing::info!(staff = &*principal.name, former = id, "name of a former member erased");
    Ok(StatusCode::NO_CONTENT.into_response())
}
