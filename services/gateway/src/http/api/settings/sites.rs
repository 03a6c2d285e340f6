//! Settings of a site: as one document, and its queues, counters, wording and hours by themselves.
//! Each change of a part replaces the document: one revision, and one validation.

use super::request::{
    SettingsRequest, UnreadRequest, delete_operation, put_operation, read_operation,
};
use crate::http::access::{Authorized, ManagerScope, Owner, SiteAccess};
use crate::http::openapi::WithEtag;
use crate::http::openapi::{Operation, Routes, endpoint};
use crate::http::refusals::{self, Problem, ProblemKind};
use crate::http::state::AppState;
use crate::settings::documents::{DocumentKind, SettingsDocuments};
use crate::settings::update::{DocumentUpdate, SettingsUpdateResult};
use axum::Json;
use axum::extract::{Path, State};
use paihao_contracts::settings::{CounterSetup, QueueSetup, SiteSetup, Wording};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

const SITE_PATH: &str = "/api/v1/book/sites/{site}";

pub(super) fn routes() -> Routes {
    let hours = format!("{SITE_PATH}/hours");
    let routes = Routes::new()
        .get(
            "/api/v1/book/sites",
            list,
            endpoint(
                "list_setups",
                "Lists the sites that are open to the principal, with their revisions",
            ),
        )
        .get(SITE_PATH, read, read_operation("read_site", "Reads the settings of a site"))
        .put(
            SITE_PATH,
            put,
            // Only a principal with every site creates one.
            put_operation("put_site", "Replaces or creates the settings of a site")
                .json_body::<SiteSetup>()
                .refuses(&[&refusals::NOT_YOUR_SITE, &refusals::NOT_EVERY_SITE, &refusals::IN_USE]),
        )
        .delete(
            SITE_PATH,
            retire,
            delete_operation("retire_site", "Retires a site").refuses(&[
                &refusals::UNKNOWN_SITE,
                &refusals::NOT_YOUR_SITE,
                &refusals::IN_USE,
            ]),
        )
        .get(
            &hours,
            read_hours,
            read_operation("read_hours", "Reads the opening hours of a site's queues"),
        )
        .put(
            &hours,
            put_hours,
            put_operation("put_hours", "Replaces the opening hours of a site's queues")
                .json_body::<HoursSetup>()
                .refuses(&[&refusals::UNKNOWN_QUEUE]),
        );
    let queues = SiteSection::<Box<QueueSetup>> {
        path_segment: "queues",
        path_parameter: "queue",
        entries: |site| &mut site.queues,
        unknown: &refusals::UNKNOWN_QUEUE,
    };
    let counters = SiteSection::<Box<CounterSetup>> {
        path_segment: "counters",
        path_parameter: "counter",
        entries: |site| &mut site.counters,
        unknown: &refusals::UNKNOWN_COUNTER,
    };
    let wording = SiteSection::<Wording> {
        path_segment: "wording",
        path_parameter: "kind",
        entries: |site| &mut site.wording,
        unknown: &refusals::UNKNOWN_WORDING,
    };
    let queue_operations = [
        read_operation("list_queue_setups", "Lists the settings of the site's queues"),
        read_operation("read_queue", "Reads the settings of a queue"),
        put_operation("put_queue", "Replaces or creates the settings of a queue"),
        // A counter may still serve it, and people may wait in it.
        delete_operation("delete_queue", "Removes a queue")
            .refuses(&[&refusals::UNSOUND_SETUP, &refusals::IN_USE]),
    ];
    let counter_operations = [
        read_operation("list_counter_setups", "Lists the settings of the site's counters"),
        read_operation("read_counter", "Reads the settings of a counter"),
        put_operation("put_counter", "Replaces or creates the settings of a counter"),
        delete_operation("delete_counter", "Removes a counter").refuses(&[&refusals::IN_USE]),
    ];
    let wording_operations = [
        read_operation("list_wording", "Lists the site's own wording by kind of notice"),
        read_operation("read_wording", "Reads the site's own wording of a kind of notice"),
        put_operation("put_wording", "Replaces the site's own wording of a kind of notice"),
        delete_operation("delete_wording", "Removes the site's own wording of a kind of notice"),
    ];
    routes
        .merge(queues.routes(queue_operations))
        .merge(counters.routes(counter_operations))
        .merge(wording.routes(wording_operations))
}

/// Site in the list of settings.
#[derive(Serialize, JsonSchema)]
struct SiteSetupSummary {
    site: String,
    name: String,
    account: String,
    revision: u64,
}

async fn list(
    State(state): State<AppState>,
    Authorized { principal, .. }: Authorized<ManagerScope>,
) -> Result<Json<Vec<SiteSetupSummary>>, Problem> {
    let documents = state.live_settings.now();
    let sites = documents.sites.iter().filter(|(site, _)| principal.scope().contains(site));
    let summaries = sites.filter_map(|(site, document)| {
        let setup = document.setup.as_ref()?;
        Some(SiteSetupSummary {
            site: site.clone(),
            name: setup.name.clone(),
            account: setup.account.clone(),
            revision: document.revision.0,
        })
    });
    Ok(Json(summaries.collect()))
}

/// Newest settings of a site, with the documents that contain them.
async fn latest_setup(
    state: &AppState,
    site: &str,
) -> Result<(Arc<SettingsDocuments>, SiteSetup), Problem> {
    let documents = state.settings_editor.latest_documents(DocumentKind::Site, site).await?;
    let setup = documents.site(site).cloned().ok_or(&refusals::UNKNOWN_SITE)?;
    Ok((documents, setup))
}

async fn read(
    State(state): State<AppState>,
    SiteAccess { site, .. }: SiteAccess<ManagerScope>,
) -> Result<WithEtag<SiteSetup>, Problem> {
    let (documents, setup) = latest_setup(&state, &site).await?;
    Ok(WithEtag(documents.revision(DocumentKind::Site, &site).0, setup))
}

async fn put(
    State(state): State<AppState>,
    Path(site): Path<String>,
    Authorized { principal, .. }: Authorized<ManagerScope>,
    unread: UnreadRequest,
) -> Result<WithEtag<SettingsUpdateResult>, Problem> {
    let principal = if state.engine.settings(&site).is_some() {
        principal.authorize_site(&state, &site)?;
        principal
    } else {
        // The scope of a key cannot name a site that does not exist yet.
        Owner::require(principal)?.principal
    };
    let request = unread.read(&principal).await?;
    let documents = state.settings_editor.latest_documents(DocumentKind::Site, &site).await?;
    let setup: SiteSetup = request.parse_body()?;
    request
        .write_document(&state, &documents, &site, DocumentUpdate::Site(Some(Box::new(setup))))
        .await
}

async fn retire(
    State(state): State<AppState>,
    Path(site): Path<String>,
    Authorized { principal, .. }: Authorized<ManagerScope>,
    unread: UnreadRequest,
) -> Result<WithEtag<SettingsUpdateResult>, Problem> {
    if !principal.scope().contains(&site) {
        let is_known = state.engine.settings(&site).is_some();
        let kind = if is_known { &refusals::NOT_YOUR_SITE } else { &refusals::UNKNOWN_SITE };
        return Err(Problem::new(kind));
    }
    let request = unread.read(&principal).await?;
    request.require_empty_body()?;
    let documents = state.settings_editor.latest_documents(DocumentKind::Site, &site).await?;
    let repeated = request
        .update
        .idempotency
        .as_ref()
        .and_then(|idempotency| documents.change_by_request_id(&idempotency.id));
    if documents.site(&site).is_none() && repeated.is_none() {
        return Err(Problem::new(&refusals::UNKNOWN_SITE));
    }
    request.write_document(&state, &documents, &site, DocumentUpdate::Site(None)).await
}

/// Opening hours of a site's queues.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(transform = paihao_contracts::settings::optional)]
#[serde(deny_unknown_fields)]
struct HoursSetup {
    /// Dates on which every queue has these hours: `2027-02-06..2027-02-12 closed`.
    #[serde(default)]
    dates: Vec<String>,
    /// Hours of each queue: `mon-fri 09:00-12:00`. A queue that is left out keeps its own.
    #[serde(default)]
    queues: BTreeMap<String, Vec<String>>,
}

async fn read_hours(
    State(state): State<AppState>,
    SiteAccess { site, .. }: SiteAccess<ManagerScope>,
) -> Result<WithEtag<HoursSetup>, Problem> {
    let (documents, setup) = latest_setup(&state, &site).await?;
    let queues = setup.queues.into_iter().map(|(id, queue)| (id, queue.hours)).collect();
    Ok(WithEtag(
        documents.revision(DocumentKind::Site, &site).0,
        HoursSetup { dates: setup.dates, queues },
    ))
}

async fn put_hours(
    State(state): State<AppState>,
    SiteAccess { principal, site, .. }: SiteAccess<ManagerScope>,
    unread: UnreadRequest,
) -> Result<WithEtag<SettingsUpdateResult>, Problem> {
    let request = unread.read(&principal).await?;
    let HoursSetup { dates, queues } = request.parse_body()?;
    change_site(&state, &site, &request, |setup| {
        setup.dates = dates;
        for (id, hours) in queues {
            setup.queues.get_mut(&id).ok_or(&refusals::UNKNOWN_QUEUE)?.hours = hours;
        }
        Ok(())
    })
    .await
}

/// Replaces the settings of a site with changed ones.
async fn change_site(
    state: &AppState,
    site: &str,
    request: &SettingsRequest,
    change: impl FnOnce(&mut SiteSetup) -> Result<(), Problem>,
) -> Result<WithEtag<SettingsUpdateResult>, Problem> {
    let documents = state.settings_editor.latest_documents(DocumentKind::Site, site).await?;
    let mut setup = documents.site(site).cloned().ok_or(&refusals::UNKNOWN_SITE)?;
    // A repeated request gets the first response; its change was made already.
    let idempotency = request.update.idempotency.as_ref();
    if idempotency
        .is_none_or(|idempotency| documents.change_by_request_id(&idempotency.id).is_none())
    {
        change(&mut setup)?;
    }
    request
        .write_document(state, &documents, site, DocumentUpdate::Site(Some(Box::new(setup))))
        .await
}

/// Part of a site's settings that has items by id.
struct SiteSection<T: 'static> {
    path_segment: &'static str,
    /// Name of an item in braces of its path.
    path_parameter: &'static str,
    entries: fn(&mut SiteSetup) -> &mut BTreeMap<String, T>,
    unknown: &'static ProblemKind,
}

impl<T> Clone for SiteSection<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SiteSection<T> {}

impl<T> SiteSection<T>
where
    T: Serialize + DeserializeOwned + JsonSchema + Clone + Send + Sync + 'static,
{
    fn routes(self, [list, read, put, delete]: [Operation; 4]) -> Routes {
        let list_path = format!("{SITE_PATH}/{}", self.path_segment);
        let item_path = format!("{list_path}/{{{}}}", self.path_parameter);
        let unknown = &[self.unknown];
        let list_items =
            move |State(state): State<AppState>,
                  SiteAccess { site, .. }: SiteAccess<ManagerScope>| async move {
                let (documents, mut setup) = latest_setup(&state, &site).await?;
                let items = std::mem::take((self.entries)(&mut setup));
                Ok::<_, Problem>(WithEtag(documents.revision(DocumentKind::Site, &site).0, items))
            };
        let read_item =
            move |State(state): State<AppState>,
                  Path((_, id)): Path<(String, String)>,
                  SiteAccess { site, .. }: SiteAccess<ManagerScope>| async move {
                let (documents, mut setup) = latest_setup(&state, &site).await?;
                let item = (self.entries)(&mut setup).remove(&id).ok_or(self.unknown)?;
                Ok::<_, Problem>(WithEtag(documents.revision(DocumentKind::Site, &site).0, item))
            };
        let put_item = move |State(state): State<AppState>,
                             Path((_, id)): Path<(String, String)>,
                             SiteAccess { principal, site, .. }: SiteAccess<ManagerScope>,
                             unread: UnreadRequest| async move {
            let request = unread.read(&principal).await?;
            let item: T = request.parse_body()?;
            change_site(&state, &site, &request, |setup| {
                (self.entries)(setup).insert(id, item);
                Ok(())
            })
            .await
        };
        let delete_item = move |State(state): State<AppState>,
                                Path((_, id)): Path<(String, String)>,
                                SiteAccess { principal, site, .. }: SiteAccess<ManagerScope>,
                                unread: UnreadRequest| async move {
            let request = unread.read(&principal).await?;
            request.require_empty_body()?;
            change_site(&state, &site, &request, |setup| {
                (self.entries)(setup)
                    .remove(&id)
                    .map(drop)
                    .ok_or_else(|| Problem::new(self.unknown))
            })
            .await
        };
        Routes::new()
            .get(&list_path, list_items, list)
            .get(&item_path, read_item, read.refuses(unknown))
            .put(&item_path, put_item, put.json_body::<T>())
            .delete(&item_path, delete_item, delete.refuses(unknown))
    }
}
