//! Settings of an account: replies, templates and texts. Its credentials stay in the configuration.

use super::request::{UnreadRequest, put_operation, read_operation};
use crate::http::access::Owner;
use crate::http::openapi::Routes;
use crate::http::openapi::WithEtag;
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::settings::documents::DocumentKind;
use crate::settings::update::{DocumentUpdate, SettingsUpdateResult};
use axum::extract::{Path, State};
use paihao_contracts::settings::AccountSetup;

const ACCOUNT_PATH: &str = "/api/v1/book/accounts/{account}";

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
            .refuses(unknown),
        )
}

/// Refused unless the configuration has this account.
fn require_known_account(state: &AppState, account: &str) -> Result<(), Problem> {
    if state.deployment.accounts.contains_key(account) {
        Ok(())
    } else {
        Err(Problem::new(&refusals::UNKNOWN_ACCOUNT))
    }
}

async fn read(
    State(state): State<AppState>,
    Path(account): Path<String>,
    _: Owner,
) -> Result<WithEtag<AccountSetup>, Problem> {
    require_known_account(&state, &account)?;
    let documents = state.settings_editor.latest_documents(DocumentKind::Account, &account).await?;
    let setup = documents.accounts.get(&account).and_then(|document| document.setup.clone());
    let setup = setup.ok_or(&refusals::UNKNOWN_ACCOUNT)?;
    Ok(WithEtag(documents.revision(DocumentKind::Account, &account).0, setup))
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
