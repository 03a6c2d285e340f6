//! The whole book as one file, in the form of the configuration's sections; and what changed when.

use super::{ANYWHERE, Unread, malformed, owner, writing};
use crate::book::documents::{Change, Of};
use crate::book::file::{self, BookFile};
use crate::book::writing::{Asked, New, Written};
use crate::http::asker::Asker;
use crate::http::openapi::answer::Tagged;
use crate::http::openapi::{Routes, op};
use crate::http::paging;
use crate::http::refusals::{self, Problem};
use crate::http::state::Door;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use paihao_contracts::book::Wish;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const BOOK: &str = "/api/v1/book";

pub(super) fn routes() -> Routes {
    let every = &[&refusals::NOT_EVERY_SITE];
    Routes::new()
        .get(
            BOOK,
            export,
            op("export_book", "The whole book as one file, JSON or TOML", ANYWHERE)
                .queried::<Form>()
                .answers_as::<BookFile>(StatusCode::OK)
                .answers_with("application/toml")
                .refuses(every),
        )
        .put(
            BOOK,
            import,
            writing("import_book", "Takes a file in: what it names becomes what it says", ANYWHERE)
                .takes::<BookFile>()
                .refuses(every)
                .refuses(&[&refusals::UNSOUND_SETUP, &refusals::IN_USE]),
        )
        .get(
            "/api/v1/book/changes",
            changes,
            op("list_changes", "Who changed what when, newest first", ANYWHERE)
                .queried::<Wanted>()
                .refuses(every)
                .refuses(&[&refusals::UNKNOWN_SITE, &refusals::NOT_YOUR_SITE]),
        )
}

/// In which form.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Form {
    /// `json`, the default, or `toml`.
    format: Option<String>,
}

async fn export(
    State(door): State<Door>,
    asker: Asker,
    form: Result<Query<Form>, QueryRejection>,
) -> Result<Response, Problem> {
    owner(&asker)?;
    let Query(form) = form.map_err(|error| malformed(error.body_text()))?;
    let documents = door.setup.now();
    let book = BookFile::of(&documents);
    let tag = [(header::ETAG, format!("\"{}\"", documents.read.0))];
    match form.format.as_deref() {
        None | Some("json") => Ok((tag, Json(book)).into_response()),
        Some("toml") => {
            let kind = [(header::CONTENT_TYPE, "application/toml; charset=utf-8")];
            Ok((tag, kind, book.toml()).into_response())
        }
        Some(_) => Err(malformed("format: use json or toml".to_owned())),
    }
}

/// What an import did.
#[derive(Serialize, JsonSchema)]
struct Imported {
    /// Whether this is only what would change.
    dry_run: bool,
    /// Every document that changed.
    written: Vec<Written>,
}

async fn import(State(door): State<Door>, unread: Unread) -> Result<Tagged<Imported>, Problem> {
    owner(&unread.asker)?;
    let kind = unread.parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_toml = kind.is_some_and(|kind| kind.contains("toml"));
    let request = unread.read().await?;
    let text = std::str::from_utf8(&request.body)
        .map_err(|_| malformed("the file is not UTF-8".to_owned()))?;
    let book = file::read(text, is_toml).map_err(|error| Problem::unsound(&error))?;
    let documents = door.setup.now();
    if request.asked.seen.is_some_and(|seen| seen != documents.read.0) {
        return Err(Problem::new(&refusals::REVISION_CHANGED));
    }
    let dry_run = request.asked.dry_run;
    // Everything is tried before anything is written.
    let mut written = Vec::new();
    for only_tried in [true, false] {
        if !only_tried && dry_run {
            break;
        }
        written = all(&door, &book, &request.asked, only_tried).await?;
    }
    written.retain(|document: &Written| !document.changed.is_empty());
    Ok(Tagged(door.setup.now().read.0, Imported { dry_run, written }))
}

async fn all(
    door: &Door,
    book: &BookFile,
    asked: &Asked,
    dry_run: bool,
) -> Result<Vec<Written>, Problem> {
    let accounts = book.accounts.iter();
    let accounts =
        accounts.map(|(id, setup)| (Of::Account, id, New::Account(Box::new(setup.clone()))));
    let sites = book.sites.iter();
    let sites = sites.map(|(id, setup)| (Of::Site, id, New::Site(Some(setup.clone()))));
    let mut written = Vec::new();
    for (of, id, new) in accounts.chain(sites) {
        let documents = door.newest(of, id).await?;
        let seen = Some(documents.revision(of, id).0);
        // Each document is a change of its own, and a repeat finds its own.
        let part = |wish: &Wish| Wish { id: format!("{}/{of:?}/{id}", wish.id), ..wish.clone() };
        let wish = asked.wish.as_ref().filter(|_| !dry_run).map(part);
        let asked = Asked { seen, dry_run, wish, ..asked.clone() };
        written.push(door.write(&documents, id, new, &asked).await?);
    }
    Ok(written)
}

/// Which changes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Those of this site only. A key that does not open every site has to name one.
    site: Option<String>,
    /// Those before this revision, to page on.
    before: Option<u64>,
    /// How many, 1 to 500; 100 unless said.
    limit: Option<usize>,
}

/// Changes of the book.
#[derive(Serialize, JsonSchema)]
struct Changes {
    /// Newest first.
    changes: Vec<Change>,
    /// What to ask for as `before` next; `null` if there is nothing older.
    next: Option<u64>,
}

async fn changes(
    State(door): State<Door>,
    asker: Asker,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Changes>, Problem> {
    let Query(wanted) = wanted.map_err(|error| malformed(error.body_text()))?;
    match &wanted.site {
        Some(site) => super::manager(&door, &asker, site)?,
        None => owner(&asker)?,
    };
    let limit = paging::limit(wanted.limit)?;
    let documents = door.setup.now();
    let fitting = documents.changes.iter().rev().filter(|change| {
        let of_site = |site: &String| change.of == Of::Site && change.id == *site;
        wanted.site.as_ref().is_none_or(of_site)
            && wanted.before.is_none_or(|before| change.revision < before)
    });
    let (changes, next) = paging::page(fitting, limit, |change| change.revision);
    let changes = changes.into_iter().map(|change| (**change).clone()).collect();
    Ok(Json(Changes { changes, next }))
}
