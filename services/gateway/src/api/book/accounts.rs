//! What an account says: its answers, templates and texts. Its credentials stay in the configuration.

use super::{ANYWHERE, Request, Trying, owner, reading, setting};
use crate::Door;
use crate::book::documents::Of;
use crate::book::writing::{New, Written};
use crate::openapi::Routes;
use crate::openapi::answer::Tagged;
use crate::refusals::{self, Problem};
use crate::staff::asker::Asker;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, Uri};
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

async fn read(
    State(door): State<Door>,
    Path(account): Path<String>,
    asker: Asker,
) -> Result<Tagged<AccountSetup>, Problem> {
    owner(&asker)?;
    if !door.book.accounts.contains_key(&account) {
        return Err(Problem::new(&refusals::UNKNOWN_ACCOUNT));
    }
    let documents = door.newest(Of::Account, &account).await?;
    let known = documents.accounts.get(&account).and_then(|document| document.setup.clone());
    let setup = known.ok_or(&refusals::UNKNOWN_ACCOUNT)?;
    Ok(Tagged(documents.revision(Of::Account, &account).0, setup))
}

async fn put(
    State(door): State<Door>,
    Path(account): Path<String>,
    (method, uri): (Method, Uri),
    asker: Asker,
    headers: HeaderMap,
    trying: Result<Query<Trying>, QueryRejection>,
    body: Body,
) -> Result<Tagged<Written>, Problem> {
    owner(&asker)?;
    if !door.book.accounts.contains_key(&account) {
        return Err(Problem::new(&refusals::UNKNOWN_ACCOUNT));
    }
    let request = Request::read(&asker, (&method, &uri), &headers, trying, body).await?;
    let documents = door.newest(Of::Account, &account).await?;
    let setup: AccountSetup = request.wanted()?;
    let written =
        door.write(&documents, &account, New::Account(Box::new(setup)), &request.asked).await?;
    Ok(Tagged(written.revision, written))
}
