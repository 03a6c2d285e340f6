//! Handlers of `menu/create`, `menu/get`, `menu/delete` and `get_current_selfmenu_info`.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use serde_json::{Value, json};

use crate::answers::{json as answer, refusal};
use crate::api::Parameters;
use crate::menu::{Menu, parse_buttons};
use crate::world::{AccountState, SharedState};

/// Calls of `menu/create` and of `menu/delete` a day.
pub(super) const WRITES_PER_DAY: u64 = 1_000;
/// Calls of `menu/get` a day.
pub(super) const READS_PER_DAY: u64 = 10_000;

pub(crate) async fn create(
    State(world): State<SharedState>,
    Query(query): Parameters,
    body: Bytes,
) -> Response {
    let account = match limited(&world, &query.access_token, "menu_creates", WRITES_PER_DAY) {
        Ok(account) => account,
        Err(errcode) => return refusal(errcode),
    };
    match parse_buttons(&body) {
        Ok(buttons) => {
            world.set_menu(account, Some(Menu { id: world.new_msgid() >> 24, buttons }));
            answer(&json!({ "errcode": 0, "errmsg": "ok" }))
        }
        Err(errcode) => refusal(errcode),
    }
}

pub(crate) async fn get(State(world): State<SharedState>, Query(query): Parameters) -> Response {
    match limited(&world, &query.access_token, "menu_gets", READS_PER_DAY) {
        Err(errcode) => refusal(errcode),
        Ok(account) => match &*account.menu.lock() {
            Some(menu) => answer(&menu.made_answer()),
            None => refusal(46003),
        },
    }
}

pub(crate) async fn delete(State(world): State<SharedState>, Query(query): Parameters) -> Response {
    match limited(&world, &query.access_token, "menu_deletes", WRITES_PER_DAY) {
        Err(errcode) => refusal(errcode),
        Ok(account) => {
            world.set_menu(account, None);
            answer(&json!({ "errcode": 0, "errmsg": "ok" }))
        }
    }
}

/// Returns the menu that people see. The console's own is off, since callbacks are on.
pub(crate) async fn current_selfmenu_info(
    State(world): State<SharedState>,
    Query(query): Parameters,
) -> Response {
    match permitted(&world, &query.access_token) {
        Err(errcode) => refusal(errcode),
        Ok(account) => answer(&account.menu.lock().as_ref().map_or_else(
            || json!({ "is_menu_open": 0, "selfmenu_info": { "button": Vec::<Value>::new() } }),
            Menu::shown_answer,
        )),
    }
}

/// Returns the account of a token, if it may make a menu by the API.
fn permitted<'a>(world: &'a SharedState, token: &Option<String>) -> Result<&'a AccountState, i64> {
    let account = world.account_of_token(token.as_deref())?;
    if world.behaviour.lock().menu_permitted { Ok(account) } else { Err(48001) }
}

/// Returns the account of a token, after one of today's calls was taken.
fn limited<'a>(
    world: &'a SharedState,
    token: &Option<String>,
    name: &'static str,
    limit: u64,
) -> Result<&'a AccountState, i64> {
    let account = permitted(world, token)?;
    let now = world.clock.now_ms();
    if account.quota.lock().try_take_today(name, limit, now) { Ok(account) } else { Err(45009) }
}
