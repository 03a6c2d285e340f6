//! Settings of an account: replies, templates and texts. Its credentials stay in the configuration.

use super::{MANAGER_ACCESS, UnreadRequest, put_operation, read_operation, require_owner};
use crate::http::auth::Principal;
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
    let all = &[&refusals::NOT_EVERY_SITE, &refusals::UNKNOWN_ACCOUNT];
    Routes::new()
        .get(
            ACCOUNT_PATH,
            read,
            read_operation("read_account", "What an account says", MANAGER_ACCESS).refuses(all),
        )
        .put(
            ACCOUNT_PATH,
            put,
            put_operation(
                "put_account",
                "Says what an account says: answers, templates, texts",
                MANAGER_ACCESS,
            )
            .json_body::<AccountSetup>()
            .refuses(all),
        )
}

/// Refused unless they manage every site, and the configuration has this account.
fn require_owned_account(door: &AppState, asker: &Principal, account: &str) -> Result<(), Problem> {
    require_owner(asker)?;
    match door.deployment.accounts.contains_key(account) {
        true => Ok(()),
        false => Err(Problem::new(&refusals::UNKNOWN_ACCOUNT)),
    }
}

async fn read(
    State(door): State<AppState>,
    Path(account): Path<String>,
    asker: Principal,
) -> Result<WithEtag<AccountSetup>, Problem> {
    require_owned_account(&door, &asker, &account)?;
    let documents = door.settings_editor.latest_documents(DocumentKind::Account, &account).await?;
    let known = documents.accounts.get(&account).and_then(|document| document.setup.clone());
    let setup = known.ok_or(&refusals::UNKNOWN_ACCOUNT)?;
    Ok(WithEtag(documents.revision(DocumentKind::Account, &account).0, setup))
}

async fn put(
    State(door): State<AppState>,
    Path(account): Path<String>,
    unread: UnreadRequest,
) -> Result<WithEtag<SettingsUpdateResult>, Problem> {
    require_owned_account(&door, &unread.asker, &account)?;
    let request = unread.read().await?;
    let documents = door.settings_editor.latest_documents(DocumentKind::Account, &account).await?;
    let setup: AccountSetup = request.parse_body()?;
    request
        .write_document(&door, &documents, &account, DocumentUpdate::Account(Box::new(setup)))
        .await
}
