//! Menu of an account at WeChat: what it has now, pushing the one that is set, and deleting it.
//!
//! The menu that is set is a part of the account's settings (`api/settings/accounts`).

use super::door_codes::FORBIDDEN_API;
use crate::http::access::Owner;
use crate::http::errors::wechat_problem;
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::settings::documents::DocumentKind;
use crate::settings::menu::key::MenuKey;
use crate::settings::menu::{self, MenuState};
use axum::Json;
use axum::extract::{Path, State};
use paihao_contracts::menu::MenuButton;
use paihao_wechat::menu::{Button, Menu};
use paihao_wechat::{AccountClientError, CallError};
use schemars::JsonSchema;
use serde::Serialize;

const MENU_PATH: &str = "/api/v1/accounts/{account}/menu";

pub(super) fn routes() -> Routes {
    let refused = &[
        &refusals::UNKNOWN_ACCOUNT,
        &refusals::MENU_REFUSED,
        &refusals::MENU_NOT_PERMITTED,
        &refusals::WECHAT_UNAVAILABLE,
        &refusals::NEWER_LEDGER,
        &refusals::LEDGER_UNAVAILABLE,
    ];
    Routes::new()
        .get(
            MENU_PATH,
            show,
            endpoint("account_menu", "Shows the menu that WeChat has for an account")
                .refuses(refused),
        )
        .put(
            MENU_PATH,
            push,
            endpoint("push_menu", "Pushes the menu that is set to WeChat")
                .without_idempotency_key("the menu is replaced by the one that is set")
                .refuses(refused)
                .refuses(&[&refusals::MENU_NOT_SET]),
        )
        .delete(
            MENU_PATH,
            delete,
            endpoint("delete_menu", "Deletes the menu that WeChat has for an account")
                .without_idempotency_key("what is deleted stays so")
                .refuses(refused),
        )
}

/// Menu of an account at WeChat.
#[derive(Serialize, JsonSchema)]
struct AccountMenuView {
    /// The account's name.
    account: String,
    /// Comparison with the menu that is set.
    state: MenuState,
    /// Menu that was made through the API, from left to right; empty if there is none.
    buttons: Vec<WechatButtonView>,
    /// Menu that people see, also one of WeChat's console; `null` if WeChat does not tell.
    shown: Option<ShownMenuView>,
}

/// Menu that people see.
#[derive(Serialize, JsonSchema)]
struct ShownMenuView {
    /// False while the menu is switched off.
    open: bool,
    /// From left to right.
    buttons: Vec<WechatButtonView>,
}

/// Button of a menu at WeChat, or an entry below one.
#[derive(Serialize, JsonSchema)]
struct WechatButtonView {
    /// Text on it.
    name: String,
    /// WeChat's type, like `click` or `view`; `null` for a heading.
    kind: Option<String>,
    /// Key, address, page or text of the entry.
    value: Option<String>,
    /// True for an entry that paihao answers.
    ours: bool,
    /// Entries below it, from top to bottom.
    entries: Vec<WechatButtonView>,
}

impl WechatButtonView {
    fn new(button: Button) -> WechatButtonView {
        let ours = button.key.as_deref().and_then(MenuKey::parse).is_some();
        let Button { name, kind, key, url, pagepath, value, entries, .. } = button;
        let value = key.or(pagepath).or(url).or(value);
        WechatButtonView { name, kind, value, ours, entries: button_views(entries) }
    }
}

fn button_views(buttons: Vec<Button>) -> Vec<WechatButtonView> {
    buttons.into_iter().map(WechatButtonView::new).collect()
}

/// Reads the menu that is set for an account.
async fn buttons_of(state: &AppState, account: &str) -> Result<Vec<MenuButton>, Problem> {
    if state.deployment.account(account).is_none() {
        return Err(Problem::new(&refusals::UNKNOWN_ACCOUNT));
    }
    let documents = state.settings_editor.latest_documents(DocumentKind::Account, account).await?;
    let setup = documents.accounts.get(account).and_then(|document| document.setup.as_ref());
    Ok(setup.map(|setup| setup.buttons.clone()).unwrap_or_default())
}

async fn show(
    State(state): State<AppState>,
    Path(account): Path<String>,
    _: Owner,
) -> Result<Json<AccountMenuView>, Problem> {
    let buttons = buttons_of(&state, &account).await?;
    let menu = state.wechat.get_menu(&account).await.map_err(menu_problem)?;
    Ok(Json(view(&state, account, &buttons, menu).await))
}

async fn push(
    State(state): State<AppState>,
    Path(account): Path<String>,
    Owner { principal }: Owner,
) -> Result<Json<AccountMenuView>, Problem> {
    let buttons = buttons_of(&state, &account).await?;
    if buttons.is_empty() {
        return Err(Problem::new(&refusals::MENU_NOT_SET));
    }
    let menu = menu::to_wechat(&buttons);
    state.wechat.create_menu(&account, &menu).await.map_err(menu_problem)?;
    tracing::info!(account, by = %principal.name, "menu pushed to WeChat");
    Ok(Json(view(&state, account, &buttons, Some(menu)).await))
}

async fn delete(
    State(state): State<AppState>,
    Path(account): Path<String>,
    Owner { principal }: Owner,
) -> Result<Json<AccountMenuView>, Problem> {
    let buttons = buttons_of(&state, &account).await?;
    state.wechat.delete_menu(&account).await.map_err(menu_problem)?;
    tracing::info!(account, by = %principal.name, "menu deleted at WeChat");
    Ok(Json(view(&state, account, &buttons, None).await))
}

async fn view(
    state: &AppState,
    account: String,
    buttons: &[MenuButton],
    menu: Option<Menu>,
) -> AccountMenuView {
    let shown = match state.wechat.shown_menu(&account).await {
        Ok(shown) => {
            Some(ShownMenuView { open: shown.is_open, buttons: button_views(shown.menu.buttons) })
        }
        Err(error) => {
            tracing::warn!(account, %error, "cannot read the menu that people see");
            None
        }
    };
    AccountMenuView {
        account,
        state: menu::state(buttons, menu.as_ref()),
        buttons: button_views(menu.unwrap_or_default().buttons),
        shown,
    }
}

fn menu_problem(error: AccountClientError) -> Problem {
    match &error {
        AccountClientError::Call(CallError::Refused(refusal)) if refusal.code == FORBIDDEN_API => {
            Problem::new(&refusals::MENU_NOT_PERMITTED).with_detail(refusal.to_string())
        }
        _ => wechat_problem(error, &refusals::MENU_REFUSED),
    }
}
