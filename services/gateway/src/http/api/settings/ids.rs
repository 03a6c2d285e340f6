//! Ids for new things, made of their names.

use super::request::MAX_BODY_BYTES;
use crate::http::access::{Authorized, ManagerScope};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::settings::id_of_name::{id_of_counter, id_of_name};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use paihao_http_api::body;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most names of a request.
const MAX_NAMES: usize = 200;

pub(super) fn routes() -> Routes {
    Routes::new().post(
        "/api/v1/book/ids",
        make,
        endpoint("make_ids", "Makes ids of names, as addresses spell them")
            .json_body::<MakeIdsRequest>()
            .without_idempotency_key("it changes nothing"),
    )
}

/// Names to make ids of.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MakeIdsRequest {
    /// What the names are of.
    kind: NamedKind,
    /// The names.
    names: Vec<String>,
    /// Ids that are taken already. Those of sites that there are, and were, are known.
    #[serde(default)]
    taken: BTreeSet<String>,
}

/// Kind of what has a name.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum NamedKind {
    Site,
    Queue,
    Counter,
}

/// Ids of names.
#[derive(Serialize, JsonSchema)]
struct MadeIds {
    /// An id for each name, in their order: 1 to 24 of a-z, 0-9 and -, and no two alike.
    ids: Vec<String>,
}

async fn make(
    State(state): State<AppState>,
    _: Authorized<ManagerScope>,
    body: Body,
) -> Result<Json<MadeIds>, Problem> {
    let MakeIdsRequest { kind, names, mut taken } =
        body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    if names.len() > MAX_NAMES {
        return Err(refusals::malformed(format!("names: use {MAX_NAMES} at most")));
    }
    if matches!(kind, NamedKind::Site) {
        // Also of those that were retired: printed codes and statistics have their ids.
        taken.extend(state.live_settings.now().sites.keys().cloned());
    }
    let ids = names.iter().map(|name| {
        let id = match kind {
            NamedKind::Site => id_of_name(name, "site", &taken),
            NamedKind::Queue => id_of_name(name, "queue", &taken),
            NamedKind::Counter => id_of_counter(name, &taken),
        };
        taken.insert(id.clone());
        id
    });
    Ok(Json(MadeIds { ids: ids.collect() }))
}
