//! Export and import of all settings, one file in the form of the configuration; and their changes.

use super::look::bad_logo;
use super::request::{UnreadRequest, read_operation};
use crate::http::access::{Authorized, ManagerScope, Owner};
use crate::http::openapi::WithEtag;
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::settings::documents::{DocumentKind, SettingsChange};
use crate::settings::export::{self, SettingsFile};
use crate::settings::update::{DocumentUpdate, SettingsUpdateResult, UpdateRequest};
use crate::site::logo::Logo;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use paihao_contracts::settings_log::IdempotencyRecord;
use paihao_contracts::site_logo::SiteLogo;
use paihao_http_api::ApiQuery;
use paihao_http_api::pagination;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const SETTINGS_PATH: &str = "/api/v1/book";

/// Largest file, in bytes: a hundred sites may have logos.
const MAX_FILE_BYTES: usize = 8 << 20;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(
            SETTINGS_PATH,
            export,
            endpoint("export_book", "Exports all settings as one file, JSON or TOML")
                .responds_json::<SettingsFile>(StatusCode::OK)
                .responds_with("application/toml"),
        )
        .put(
            SETTINGS_PATH,
            import,
            read_operation(
                "import_book",
                "Imports a file: the documents that it names are replaced",
            )
            .json_body::<SettingsFile>()
            .refuses(&[
                &refusals::UNSOUND_SETUP,
                &refusals::IN_USE,
                &refusals::FORMS_HELD_BACK,
                &refusals::BAD_LOGO,
                &refusals::UNKNOWN_SITE,
            ])
            .body_limit(MAX_FILE_BYTES),
        )
        .get(
            "/api/v1/book/changes",
            changes,
            endpoint("list_changes", "Lists the changes of settings, newest first")
                .refuses(&[&refusals::NOT_EVERY_SITE])
                .refuses(&[&refusals::UNKNOWN_SITE, &refusals::NOT_YOUR_SITE]),
        )
}

/// Format of the export.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ExportSettingsQuery {
    /// `json`, the default, or `toml`.
    format: Option<String>,
}

async fn export(
    State(state): State<AppState>,
    _: Owner,
    ApiQuery(query): ApiQuery<ExportSettingsQuery>,
) -> Result<Response, Problem> {
    let documents = state.live_settings.now();
    if !documents.unreadable.is_empty() {
        return Err(Problem::new(&refusals::NEWER_LEDGER));
    }
    let file = SettingsFile::from_documents(&documents);
    let tag = [(header::ETAG, format!("\"{}\"", documents.position.0))];
    match query.format.as_deref() {
        None | Some("json") => Ok((tag, Json(file)).into_response()),
        Some("toml") => {
            let kind = [(header::CONTENT_TYPE, "application/toml; charset=utf-8")];
            Ok((tag, kind, file.to_toml()).into_response())
        }
        Some(_) => Err(refusals::malformed("format: use json or toml")),
    }
}

/// Result of an import.
#[derive(Serialize, JsonSchema)]
struct ImportSettingsResult {
    /// True for a dry run.
    dry_run: bool,
    /// Every document that changed.
    written: Vec<SettingsUpdateResult>,
}

async fn import(
    State(state): State<AppState>,
    Owner { principal }: Owner,
    unread: UnreadRequest,
) -> Result<WithEtag<ImportSettingsResult>, Problem> {
    let kind = unread.parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_toml = kind.is_some_and(|kind| kind.contains("toml"));
    let request = unread.read_up_to(&principal, MAX_FILE_BYTES).await?;
    let text = std::str::from_utf8(&request.body)
        .map_err(|_| refusals::malformed("the file is not UTF-8"))?;
    let file = export::parse(text, is_toml).map_err(|error| refusals::invalid_settings(&error))?;
    let documents = state.live_settings.now();
    if request.update.expected_revision.is_some_and(|revision| revision != documents.position.0) {
        return Err(Problem::new(&refusals::REVISION_CHANGED));
    }
    let dry_run = request.update.dry_run;
    // Every document is validated before any is written.
    let mut written = Vec::new();
    for validate_only in [true, false] {
        if !validate_only && dry_run {
            break;
        }
        written = write_all(&state, &file, &request.update, validate_only).await?;
    }
    written.retain(|document: &SettingsUpdateResult| !document.changed.is_empty());
    Ok(WithEtag(state.live_settings.now().position.0, ImportSettingsResult { dry_run, written }))
}

async fn write_all(
    state: &AppState,
    file: &SettingsFile,
    request: &UpdateRequest,
    dry_run: bool,
) -> Result<Vec<SettingsUpdateResult>, Problem> {
    let accounts = file.accounts.iter().map(|(id, setup)| {
        (DocumentKind::Account, id, DocumentUpdate::Account(Box::new(setup.clone())))
    });
    let sites = file.sites.iter().map(|(id, setup)| {
        (DocumentKind::Site, id, DocumentUpdate::Site(Some(Box::new(setup.clone()))))
    });
    let mut written = Vec::new();
    let logos = checked_logos(state, file)?;
    for (kind, id, update) in accounts.chain(sites) {
        let mut documents = state.settings_editor.latest_documents(kind, id).await?;
        if kind == DocumentKind::Account {
            // A menu may name a queue that the file brings.
            Arc::make_mut(&mut documents).expect_sites(&file.sites);
        }
        let revision = documents.revision(kind, id).0;
        let document_request = part_of(request, kind, id, revision, dry_run);
        let result =
            state.settings_editor.update_document(&documents, id, update, &document_request);
        written.push(result.await?);
    }
    for (id, logo) in logos {
        let kind = DocumentKind::Logo;
        let documents = state.settings_editor.latest_documents(kind, id).await?;
        let revision = documents.revision(kind, id).0;
        let document_request = part_of(request, kind, id, revision, dry_run);
        let result =
            state.settings_editor.update_logo(&documents, id, Some(logo), &document_request);
        written.push(result.await?);
    }
    Ok(written)
}

/// Request for one document of a file: each is a change of its own, and a repeat finds its own.
fn part_of(
    request: &UpdateRequest,
    kind: DocumentKind,
    id: &str,
    revision: u64,
    dry_run: bool,
) -> UpdateRequest {
    let part = |record: &IdempotencyRecord| IdempotencyRecord {
        id: format!("{}/{kind:?}/{id}", record.id),
        ..record.clone()
    };
    UpdateRequest {
        expected_revision: Some(revision),
        dry_run,
        idempotency: request.idempotency.as_ref().filter(|_| !dry_run).map(part),
        ..request.clone()
    }
}

/// Decodes the logos of a file, each of which is of a site that there is or that the file brings.
fn checked_logos<'a>(
    state: &AppState,
    file: &'a SettingsFile,
) -> Result<Vec<(&'a str, SiteLogo)>, Problem> {
    let documents = state.live_settings.now();
    let check = |(id, document): (&'a String, &SiteLogo)| {
        if !file.sites.contains_key(id) && documents.site(id).is_none() {
            return Err(Problem::new(&refusals::UNKNOWN_SITE).with_detail(format!("logos.{id}")));
        }
        // One that was exported is the same file again.
        let logo = Logo::of_document(document).map_err(bad_logo)?;
        let logo = Logo::of_upload(&logo.png).map_err(bad_logo)?;
        Ok((&**id, logo.to_document()))
    };
    file.logos.iter().map(check).collect()
}

/// Filter of changes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SettingsChangesQuery {
    /// Those of this site only. A key that does not open every site has to name one.
    site: Option<String>,
    /// Those before this revision, to page on.
    before: Option<u64>,
    /// Size of the page, 1 to 500; 100 by default.
    limit: Option<usize>,
}

/// Changes of the settings.
#[derive(Serialize, JsonSchema)]
struct SettingsChangePage {
    /// Newest first.
    changes: Vec<SettingsChange>,
    /// Value of `before` for the next page; `null` if there is nothing older.
    next: Option<u64>,
}

async fn changes(
    State(state): State<AppState>,
    Authorized { principal, .. }: Authorized<ManagerScope>,
    ApiQuery(query): ApiQuery<SettingsChangesQuery>,
) -> Result<Json<SettingsChangePage>, Problem> {
    match &query.site {
        Some(site) => drop(principal.authorize_site(&state, site)?),
        None => drop(Owner::require(principal)?),
    }
    let limit = pagination::limit::<AppState>(query.limit)?;
    let is_of_site = |kind| matches!(kind, DocumentKind::Site | DocumentKind::Logo);
    let documents = state.live_settings.now();
    let matching = documents.changes.iter().rev().filter(|change| {
        let of_site = |site: &String| is_of_site(change.of) && change.id == *site;
        query.site.as_ref().is_none_or(of_site)
            && query.before.is_none_or(|before| change.revision < before)
    });
    let (page, next) = pagination::page(matching, limit, |change| change.revision);
    let changes = page.into_iter().map(|change| (**change).clone()).collect();
    Ok(Json(SettingsChangePage { changes, next }))
}
