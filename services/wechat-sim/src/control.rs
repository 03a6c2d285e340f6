//! The control API under `/sim/api`, for tests whose simulator runs in another process.

use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::act::{self, ActionOutcome, PressError, Routing};
use crate::behaviour::BehaviourChange;
use crate::faults::Fault;
use crate::hostile::{self, HostileReport};
use crate::people::{ChatContent, Refusal};
use crate::picture;
use crate::push::{PushOverrides, verify};
use crate::tokens::TokenInvalidation;
use crate::world::{AccountState, SharedState};

/// Length of a list unless the request sets another.
const DEFAULT_LIST_LIMIT: usize = 50;

/// Routes that the phones' page calls.
pub(crate) fn phone_routes() -> Router<SharedState> {
    Router::new()
        .route("/sim/api/accounts", get(accounts))
        .route("/sim/api/codes", get(codes))
        .route("/sim/api/code.svg", get(drawing))
        .route("/sim/api/scan", post(scan))
        .route("/sim/api/follow", post(follow))
        .route("/sim/api/unfollow", post(unfollow))
        .route("/sim/api/text", post(text))
        .route("/sim/api/click", post(click))
        .route("/sim/api/menu", get(menu))
        .route("/sim/api/press", post(press))
        .route("/sim/api/people", get(people).post(set_person))
        .route("/sim/api/chat", get(chat))
}

pub(crate) fn routes() -> Router<SharedState> {
    phone_routes()
        .route("/sim/api/callbacks", post(set_callbacks))
        .route("/sim/api/verify", post(verify_callback))
        .route("/sim/api/push", post(push_raw))
        .route("/sim/api/hostile", post(run_hostile))
        .route("/sim/api/migrate", post(migrate))
        .route("/sim/api/messages", get(messages))
        .route("/sim/api/pushes", get(pushes))
        .route("/sim/api/stats", get(stats))
        .route("/sim/api/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/sim/api/refuse", post(refuse))
        .route("/sim/api/tokens/kill", post(kill_tokens))
        .route("/sim/api/agree", post(agree))
        .route("/sim/api/secret", post(set_secret))
        .route("/sim/api/quotas/clear", post(clear_quotas))
        .route("/sim/api/clock/advance", post(advance))
        .route("/sim/api/behaviour", post(change_behaviour))
}

type ControlError = (StatusCode, Json<Value>);

fn control_error(status: StatusCode, error: &str) -> ControlError {
    (status, Json(json!({ "error": error })))
}

fn account<'a>(
    world: &'a SharedState,
    appid: Option<&str>,
) -> Result<&'a AccountState, ControlError> {
    world.account(appid).ok_or_else(|| control_error(StatusCode::NOT_FOUND, "no such account"))
}

/// Query of the lists.
#[derive(Deserialize)]
struct ListQuery {
    openid: Option<String>,
    ticket: Option<String>,
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

/// Request for an action or a change of state of one customer.
#[derive(Deserialize)]
struct CustomerAction {
    appid: Option<String>,
    openid: String,
    url: Option<String>,
    ticket: Option<String>,
    text: Option<String>,
    chosen: Option<String>,
    key: Option<String>,
    button: Option<usize>,
    entry: Option<usize>,
    refuses: Option<Refusal>,
    follows: Option<bool>,
    #[serde(flatten)]
    routing: Routing,
}

async fn accounts(State(world): State<SharedState>) -> Json<Value> {
    let accounts = world.accounts.iter().map(|account| {
        let config = &account.config;
        json!({ "appid": config.appid, "original_id": config.original_id, "name": config.name })
    });
    Json(accounts.collect())
}

#[derive(Deserialize)]
struct SetCallbacksRequest {
    appid: Option<String>,
    urls: Vec<String>,
}

async fn set_callbacks(
    State(world): State<SharedState>,
    Json(request): Json<SetCallbacksRequest>,
) -> Result<Json<Value>, ControlError> {
    account(&world, request.appid.as_deref())?.set_urls(request.urls);
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct VerifyCallbackRequest {
    appid: Option<String>,
    url: String,
}

async fn verify_callback(
    State(world): State<SharedState>,
    Json(request): Json<VerifyCallbackRequest>,
) -> Result<Json<Value>, ControlError> {
    let account = account(&world, request.appid.as_deref())?;
    let problem = verify(&world, account, &request.url).await.err();
    Ok(Json(json!({ "ok": problem.is_none(), "problem": problem })))
}

async fn codes(State(world): State<SharedState>, Query(query): Query<ListQuery>) -> Json<Value> {
    let now = world.clock.now_ms();
    let codes = world.codes.lock().recent(query.limit.unwrap_or(DEFAULT_LIST_LIMIT));
    let codes = codes.iter().map(|code| {
        let mut json = json!(**code);
        json["expired"] = code.expired(now).into();
        json
    });
    Json(json!({ "now": now, "codes": codes.collect::<Vec<_>>() }))
}

async fn drawing(State(world): State<SharedState>, Query(query): Query<ListQuery>) -> Response {
    let code = world.codes.lock().find(&query.ticket.unwrap_or_default());
    match code.and_then(|code| picture::svg(&code.url)) {
        Some(svg) => {
            let headers = [(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, "max-age=604800")];
            (headers, svg).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn scan(
    State(world): State<SharedState>,
    Json(act): Json<CustomerAction>,
) -> Result<Json<ActionOutcome>, ControlError> {
    let Some(code) = act.url.or(act.ticket) else {
        return Err(control_error(StatusCode::BAD_REQUEST, "url or ticket is missing"));
    };
    Ok(Json(act::scan(&world, &act.openid, &code, act.routing).await))
}

async fn follow(
    State(world): State<SharedState>,
    Json(act): Json<CustomerAction>,
) -> Result<Json<ActionOutcome>, ControlError> {
    let account = account(&world, act.appid.as_deref())?;
    Ok(Json(act::follow(&world, account, &act.openid).await))
}

async fn unfollow(
    State(world): State<SharedState>,
    Json(act): Json<CustomerAction>,
) -> Result<Json<ActionOutcome>, ControlError> {
    let account = account(&world, act.appid.as_deref())?;
    Ok(Json(act::unfollow(&world, account, &act.openid).await))
}

async fn text(
    State(world): State<SharedState>,
    Json(act): Json<CustomerAction>,
) -> Result<Json<ActionOutcome>, ControlError> {
    let account = account(&world, act.appid.as_deref())?;
    let text = act.text.ok_or_else(|| control_error(StatusCode::BAD_REQUEST, "text is missing"))?;
    let chosen = act.chosen.as_deref();
    let sent = act::send_text(&world, account, &act.openid, &text, chosen, act.routing).await;
    sent.map(Json).ok_or_else(|| control_error(StatusCode::CONFLICT, "only a follower can write"))
}

async fn click(
    State(world): State<SharedState>,
    Json(act): Json<CustomerAction>,
) -> Result<Json<ActionOutcome>, ControlError> {
    let account = account(&world, act.appid.as_deref())?;
    let key = act.key.ok_or_else(|| control_error(StatusCode::BAD_REQUEST, "key is missing"))?;
    let sent = act::click(&world, account, &act.openid, &key, act.routing).await;
    sent.map(Json)
        .ok_or_else(|| control_error(StatusCode::CONFLICT, "only a follower sees the menu"))
}

/// Query of an account's menu.
#[derive(Deserialize)]
struct MenuQuery {
    appid: Option<String>,
}

async fn menu(
    State(world): State<SharedState>,
    Query(query): Query<MenuQuery>,
) -> Result<Json<Value>, ControlError> {
    let account = account(&world, query.appid.as_deref())?;
    let menu = account.menu.lock();
    let buttons = menu.as_ref().map(|menu| &menu.buttons[..]).unwrap_or_default();
    Ok(Json(json!({ "appid": account.config.appid, "buttons": buttons })))
}

async fn press(
    State(world): State<SharedState>,
    Json(act): Json<CustomerAction>,
) -> Result<Json<ActionOutcome>, ControlError> {
    let account = account(&world, act.appid.as_deref())?;
    let button =
        act.button.ok_or_else(|| control_error(StatusCode::BAD_REQUEST, "button is missing"))?;
    let pressed = act::press(&world, account, &act.openid, (button, act.entry), act.routing).await;
    pressed.map(Json).map_err(|error| match error {
        PressError::NotFollowing => {
            control_error(StatusCode::CONFLICT, "only a follower sees the menu")
        }
        PressError::NoSuchEntry => control_error(StatusCode::NOT_FOUND, "no such entry"),
        PressError::NotPlayed => {
            control_error(StatusCode::CONFLICT, "entries of this type are not played")
        }
    })
}

#[derive(Deserialize)]
struct RawPushRequest {
    appid: Option<String>,
    openid: String,
    body: String,
    #[serde(flatten)]
    forged: PushOverrides,
    #[serde(flatten)]
    routing: Routing,
}

async fn push_raw(
    State(world): State<SharedState>,
    Json(raw): Json<RawPushRequest>,
) -> Result<Json<Value>, ControlError> {
    let account = account(&world, raw.appid.as_deref())?;
    let RawPushRequest { openid, body, routing, forged, .. } = raw;
    let pushed = act::push_raw(&world, account, &openid, &body, routing, forged).await;
    Ok(Json(json!({ "pushes": pushed })))
}

/// Request for a run of hostile pushes; defaults are the account's callback and a text message.
#[derive(Deserialize)]
struct HostileRequest {
    appid: Option<String>,
    url: Option<String>,
    body: Option<String>,
}

async fn run_hostile(
    State(world): State<SharedState>,
    Json(HostileRequest { appid, url, body }): Json<HostileRequest>,
) -> Result<Json<HostileReport>, ControlError> {
    let account = account(&world, appid.as_deref())?;
    let report = hostile::run(&world, account, url, body).await;
    report.map(Json).map_err(|problem| control_error(StatusCode::CONFLICT, problem))
}

async fn people(State(world): State<SharedState>, Query(query): Query<ListQuery>) -> Json<Value> {
    Json(json!(act::person_states(&world, query.openid.as_deref())))
}

async fn set_person(
    State(world): State<SharedState>,
    Json(act): Json<CustomerAction>,
) -> Result<Json<Value>, ControlError> {
    let account = account(&world, act.appid.as_deref())?;
    let mut people = world.people.lock();
    let person = people.get_or_insert(account.index, &act.openid);
    person.refuses = act.refuses.unwrap_or(person.refuses);
    person.follows = act.follows.unwrap_or(person.follows);
    Ok(Json(json!({ "follows": person.follows, "refuses": person.refuses })))
}

#[derive(Deserialize)]
struct MigrateRequest {
    from: String,
    to: String,
}

async fn migrate(
    State(world): State<SharedState>,
    Json(request): Json<MigrateRequest>,
) -> Result<Json<Value>, ControlError> {
    let from = account(&world, Some(&request.from))?;
    let to = account(&world, Some(&request.to))?;
    let people = act::migrate(&world, from, to);
    let people = people.iter().map(|(from, to)| json!({ "from": from, "to": to }));
    Ok(Json(json!({ "people": people.collect::<Vec<_>>() })))
}

async fn chat(State(world): State<SharedState>, Query(query): Query<ListQuery>) -> Json<Value> {
    Json(json!(world.people.lock().lines(query.openid.as_deref(), query.after)))
}

async fn messages(State(world): State<SharedState>, Query(query): Query<ListQuery>) -> Json<Value> {
    let lines = world.people.lock().lines(query.openid.as_deref(), query.after);
    let messages = lines.iter().filter_map(|line| match &line.content {
        ChatContent::Card { message, .. } => Some(message.clone()),
        _ => None,
    });
    Json(json!(messages.collect::<Vec<_>>()))
}

async fn pushes(State(world): State<SharedState>, Query(query): Query<ListQuery>) -> Json<Value> {
    let pushes = world.pushes.lock();
    let matching = pushes.iter().rev().filter(|pushed| {
        pushed.id > query.after
            && query.openid.as_ref().is_none_or(|openid| *openid == pushed.openid)
    });
    Json(json!(matching.take(query.limit.unwrap_or(DEFAULT_LIST_LIMIT)).collect::<Vec<_>>()))
}

async fn stats(State(world): State<SharedState>) -> Json<Value> {
    Json(json!(world.stats.snapshot()))
}

async fn faults(State(world): State<SharedState>) -> Json<Vec<Fault>> {
    Json(world.faults.list())
}

async fn add_fault(State(world): State<SharedState>, Json(fault): Json<Fault>) -> Json<Vec<Fault>> {
    world.faults.add(fault);
    Json(world.faults.list())
}

async fn clear_faults(State(world): State<SharedState>) -> Json<Value> {
    world.faults.clear();
    Json(json!({}))
}

#[derive(Deserialize)]
struct RefuseConnectionsRequest {
    ms: u64,
}

async fn refuse(
    State(world): State<SharedState>,
    Json(request): Json<RefuseConnectionsRequest>,
) -> Json<Value> {
    world.refusing_connections.send_replace(true);
    let state = world.clone();
    world.tasks.spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(request.ms)) => {}
            () = state.stop.cancelled() => {}
        }
        state.refusing_connections.send_replace(false);
    });
    Json(json!({}))
}

#[derive(Deserialize)]
struct KillTokensRequest {
    appid: Option<String>,
    #[serde(default)]
    still_handed_out: bool,
}

async fn kill_tokens(
    State(world): State<SharedState>,
    Json(request): Json<KillTokensRequest>,
) -> Result<Json<Value>, ControlError> {
    let invalidation = if request.still_handed_out {
        TokenInvalidation::StillHandedOut
    } else {
        TokenInvalidation::Replaced
    };
    account(&world, request.appid.as_deref())?.tokens.lock().invalidate(invalidation);
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct GrantNoticesRequest {
    appid: Option<String>,
    openid: String,
    template_id: String,
    #[serde(default = "default_times")]
    times: u32,
}

fn default_times() -> u32 {
    1
}

async fn agree(
    State(world): State<SharedState>,
    Json(request): Json<GrantNoticesRequest>,
) -> Result<Json<Value>, ControlError> {
    let account = account(&world, request.appid.as_deref())?;
    let mut people = world.people.lock();
    people
        .get_or_insert(account.index, &request.openid)
        .send_limits
        .grant_notices(&request.template_id, request.times);
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct SetSecretRequest {
    appid: Option<String>,
    secret: String,
}

async fn set_secret(
    State(world): State<SharedState>,
    Json(request): Json<SetSecretRequest>,
) -> Result<Json<Value>, ControlError> {
    *account(&world, request.appid.as_deref())?.secret.lock() = request.secret;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct AccountQuery {
    appid: Option<String>,
}

async fn clear_quotas(
    State(world): State<SharedState>,
    Json(query): Json<AccountQuery>,
) -> Result<Json<Value>, ControlError> {
    account(&world, query.appid.as_deref())?.quota.lock().clear_today();
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct AdvanceClockRequest {
    seconds: u64,
}

async fn advance(
    State(world): State<SharedState>,
    Json(request): Json<AdvanceClockRequest>,
) -> Json<Value> {
    world.clock.advance(Duration::from_secs(request.seconds));
    Json(json!({ "now": world.clock.now_ms() }))
}

async fn change_behaviour(
    State(world): State<SharedState>,
    Json(change): Json<BehaviourChange>,
) -> Json<Value> {
    change.apply(&mut world.behaviour.lock());
    Json(json!({}))
}
