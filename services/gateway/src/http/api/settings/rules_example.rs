//! Example of a queue's rules, before they are saved.

use super::request::MAX_BODY_BYTES;
use crate::http::access::{Authorized, ManagerScope};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::settings::rules_example::RulesExample;
use crate::settings::validate::validate_site;
use axum::Json;
use axum::body::Body;
use paihao_chassis::config::ConfigProblems;
use paihao_contracts::settings::SiteSetup;
use paihao_domain::QueueId;
use paihao_http_api::body;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) fn routes() -> Routes {
    Routes::new().post(
        "/api/v1/book/rules-example",
        show,
        endpoint("show_rules_example", "Shows what the rules of a queue do, in a small line")
            .json_body::<ShowRulesExampleRequest>()
            .without_idempotency_key("it changes nothing")
            .refuses(&[&refusals::UNSOUND_SETUP, &refusals::UNKNOWN_QUEUE]),
    )
}

/// Settings to show.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ShowRulesExampleRequest {
    /// The queue.
    queue: String,
    /// Settings of the site with it, whether there is one already or not.
    setup: SiteSetup,
}

/// What the rules of a queue do in small lines.
#[derive(Serialize, JsonSchema)]
struct RulesExampleView {
    /// Number that is called first, does not come, and comes back a minute later.
    missed_number: String,
    /// Numbers in the order of the calls from then on; `null` if nobody can miss a call.
    after_miss: Option<Vec<String>>,
    /// Four numbers, and six with priority that were taken after them, in the order of the calls.
    priority: Vec<ExampleCall>,
    /// Minutes, from and to, that a person is told with six ahead and every counter open.
    minutes: Option<(u32, u32)>,
    /// People ahead with whom somebody is told to come near.
    near: u32,
}

/// Call of an example.
#[derive(Serialize, JsonSchema)]
struct ExampleCall {
    /// The number.
    number: String,
    /// True if it has priority.
    first: bool,
}

async fn show(_: Authorized<ManagerScope>, body: Body) -> Result<Json<RulesExampleView>, Problem> {
    let ShowRulesExampleRequest { queue, setup } =
        body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let mut problems = ConfigProblems::new();
    // What it is a part of does not count.
    let settings = validate_site("setup", "example", &setup, [&setup.account], &mut problems);
    problems.into_result().map_err(|error| refusals::invalid_settings(&error))?;
    let settings = settings.ok_or(&refusals::UNSOUND_SETUP)?;
    let queue = QueueId::new(&queue);
    let rules = settings.rules.queues.get(&queue).ok_or(&refusals::UNKNOWN_QUEUE)?;
    let example = RulesExample::of(rules, settings.rules.counters_of(&queue).count());
    let call = |(number, first)| ExampleCall { number, first };
    Ok(Json(RulesExampleView {
        missed_number: example.missed_number,
        after_miss: example.missed,
        priority: example.priority.into_iter().map(call).collect(),
        minutes: example.wait_minutes,
        near: example.near,
    }))
}
