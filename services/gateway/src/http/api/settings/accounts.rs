//! Settings of an account: replies, templates, texts and its menu.

use super::request::{UnreadRequest, put_operation, read_operation};
use crate::http::access::Owner;
use crate::http::openapi::Routes;
use crate::http::openapi::WithEtag;
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::settings::documents::{DocumentKind, SettingsDocuments};
use crate::settings::update::{DocumentUpdate, SettingsUpdateResult};
use axum::extract::{Path, State};
use paihao_contracts::menu::MenuButton;
use paihao_contracts::settings::AccountSetup;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const ACCOUNT_PATH: &str = "/api/v1/book/accounts/{account}";
const MENU_PATH: &str = "/api/v1/book/accounts/{account}/menu";

pub(super) fn routes() -> Routes {
    let unknown = &[&refusals::UNKNOWN_ACCOUNT];
    Routes::new()
        .get(
            ACCOUNT_PATH,
            read,
            read_operation("read_account", "Reads the settings of an account").refuses(unknown),
        )
        .put(
            ACCOUNT_PATH,
            put,
            put_operation(
                "put_account",
                "Replaces the settings of an account: replies, templates, texts",
            )
            .json_body::<AccountSetup>()
            .refuses(unknown)
            .refuses(&[&refusals::FORMS_HELD_BACK]),
        )
        .get(
            MENU_PATH,
            read_menu,
            read_operation("read_menu", "Reads the menu that is set for an account")
                .refuses(unknown),
        )
        .put(
            MENU_PATH,
            put_menu,
            put_operation("put_menu", "Replaces the menu that is set for an account")
                .json_body::<MenuSetup>()
                .refuses(unknown)
                .refuses(&[&refusals::FORMS_HELD_BACK]),
        )
}

/// Menu of an account, as it is set.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MenuSetup {
    /// Buttons, from left to right.
    buttons: Vec<MenuButton>,
}

/// Refused unless there is this account.
fn require_known_account(state: &AppState, account: &str) -> Result<(), Problem> {
    if state.deployment.account(account).is_some() {
        Ok(())
    } else {
        Err(Problem::new(&refusals::UNKNOWN_ACCOUNT))
    }
}

/// Reads the newest settings of an account, with the documents that they are one of.
async fn latest_setup(
    state: &AppState,
    account: &str,
) -> Result<(Arc<SettingsDocuments>, AccountSetup), Problem> {
    require_known_account(state, account)?;
    let documents = state.settings_editor.latest_documents(DocumentKind::Account, account).await?;
    let setup = documents.account_setup(account);
    Ok((documents, setup))
}

async fn read(
    State(state): State<AppState>,
    Path(account): Path<String>,
    _: Owner,
) -> Result<WithEtag<AccountSetup>, Problem> {
    let (documents, setup) = latest_setup(&state, &account).await?;
    Ok(WithEtag(documents.revision(DocumentKind::Account, &account).0, setup))
}

async fn read_menu(
    State(state): State<AppState>,
    Path(account): Path<String>,
    _: Owner,
) -> Result<WithEtag<MenuSetup>, Problem> {
    let (documents, AccountSetup { buttons, .. }) = latest_setup(&state, &account).await?;
    let revision = documents.revision(DocumentKind::Account, &account).0;
    Ok(WithEtag(revision, MenuSetup { buttons }))
}

async fn put_menu(
    State(state): State<AppState>,
    Path(account): Path<String>,
    Owner { principal }: Owner,
    unread: UnreadRequest,
) -> Result<WithEtag<SettingsUpdateResult>, Problem> {
    require_known_account(&state, &account)?;
    let request = unread.read(&principal).await?;
    let MenuSetup { buttons } = request.parse_body()?;
    let (documents, setup) = latest_setup(&state, &account).await?;
    let setup = Box::new(AccountSetup { buttons, ..setup });
    request.write_document(&state, &documents, &account, DocumentUpdate::Account(setup)).await
}

async fn put(
    State(state): State<AppState>,
    Path(account): Path<String>,
    Owner { principal }: Owner,
    unread: UnreadRequest,
) -> Result<WithEtag<SettingsUpdateResult>, Problem> {
    require_known_account(&state, &account)?;
    let request = unread.read(&principal).await?;
    let documents = state.settings_editor.latest_documents(DocumentKind::Account, &account).await?;
    let setup: AccountSetup = request.parse_body()?;
    request
        .write_document(&state, &documents, &account, DocumentUpdate::Account(Box::new(setup)))
        .await
}
