//! What an account says: its answers, templates and texts. Its credentials stay in the configuration.

use super::{ANYWHERE, Unread, owner, reading, setting};
use crate::book::documents::Of;
use crate::book::writing::{New, Written};
use crate::http::asker::Asker;
use crate::http::openapi::Routes;
use crate::http::openapi::answer::Tagged;
use crate::http::refusals::{self, Problem};
use crate::http::state::Door;
use axum::extract::{Path, State};
use paihao_contracts::setup::AccountSetup;

const ACCOUNT: &str = "/api/v1/book/accounts/{account}";

pub(super) fn routes() -> Routes {
    let all = &[&refusals::NOT_EVERY_SITE, &refusals::UNKNOWN_ACCOUNT];
    Routes::new()
        .get(ACCOUNT, read, reading("read_account", "What an account says", ANYWHERE).refuses(all))
        .put(
            ACCOUNT,
            put,
            setting(
                "put_account",
                "Says what an account says: answers, templates, texts",
                ANYWHERE,
            )
            .takes::<AccountSetup>()
            .refuses(all),
        )
}

/// Refused unless they manage every site, and the configuration has this account.
fn owned(door: &Door, asker: &Asker, account: &str) -> Result<(), Problem> {
    owner(asker)?;
    match door.book.accounts.contains_key(account) {
        true => Ok(()),
        false => Err(Problem::new(&refusals::UNKNOWN_ACCOUNT)),
    }
}

async fn read(
    State(door): State<Door>,
    Path(account): Path<String>,
    asker: Asker,
) -> Result<Tagged<AccountSetup>, Problem> {
    owned(&door, &asker, &account)?;
    let documents = door.newest(Of::Account, &account).await?;
    let known = documents.accounts.get(&account).and_then(|document| document.setup.clone());
    let setup = known.ok_or(&refusals::UNKNOWN_ACCOUNT)?;
    Ok(Tagged(documents.revision(Of::Account, &account).0, setup))
}

async fn put(
    State(door): State<Door>,
    Path(account): Path<String>,
    unread: Unread,
) -> Result<Tagged<Written>, Problem> {
    owned(&door, &unread.asker, &account)?;
    let request = unread.read().await?;
    let documents = door.newest(Of::Account, &account).await?;
    let setup: AccountSetup = request.wanted()?;
    request.written(&door, &documents, &account, New::Account(Box::new(setup))).await
}
