//! A site's set-up: as one document, and its queues, counters, words and hours by themselves. Each
//! change of a part is a change of the whole document: one revision, and one check.

use super::{
    MANAGER_ACCESS, SITE_MANAGER_ACCESS, SettingsRequest, UnreadRequest, delete_operation,
    put_operation, read_operation, require_owner, require_site_manager,
};
use crate::http::auth::Principal;
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
                "The sites that the key opens, with their revisions",
                MANAGER_ACCESS,
            ),
        )
        .get(
            SITE_PATH,
            read,
            read_operation("read_site", "A site as it is set up", SITE_MANAGER_ACCESS),
        )
        .put(
            SITE_PATH,
            put,
            // A site that is not there is made, by whoever has every site.
            put_operation("put_site", "Sets a site up, or makes one", MANAGER_ACCESS)
                .json_body::<SiteSetup>()
                .refuses(&[&refusals::NOT_YOUR_SITE, &refusals::NOT_EVERY_SITE, &refusals::IN_USE]),
        )
        .delete(
            SITE_PATH,
            retire,
            delete_operation("retire_site", "Retires a site").refuses(&[&refusals::IN_USE]),
        )
        .get(
            &hours,
            read_hours,
            read_operation("read_hours", "When a site's queues are open", SITE_MANAGER_ACCESS),
        )
        .put(
            &hours,
            put_hours,
            put_operation("put_hours", "Says when a site's queues are open", SITE_MANAGER_ACCESS)
                .json_body::<HoursSetup>()
                .refuses(&[&refusals::UNKNOWN_QUEUE]),
        );
    let queues = SiteSection::<QueueSetup> {
        path_segment: "queues",
        path_parameter: "queue",
        entries: |site| &mut site.queues,
        unknown: &refusals::UNKNOWN_QUEUE,
    };
    let counters = SiteSection::<CounterSetup> {
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
    let named = |ids: [&'static str; 4], one: &'static str, all: &'static str| -> [Operation; 4] {
        let [list, read, put, delete] = ids;
        [
            read_operation(list, all, SITE_MANAGER_ACCESS),
            read_operation(read, one, SITE_MANAGER_ACCESS),
            put_operation(put, one, SITE_MANAGER_ACCESS),
            delete_operation(delete, one),
        ]
    };
    let [list, read, put, delete] = named(
        ["list_queue_setups", "read_queue", "put_queue", "delete_queue"],
        "A queue as it is set up",
        "The queues as they are set up",
    );
    // A counter may still name it, and somebody may be in it.
    let delete = delete.refuses(&[&refusals::UNSOUND_SETUP, &refusals::IN_USE]);
    let of_queues = [list, read, put, delete];
    let [list, read, put, delete] = named(
        ["list_counter_setups", "read_counter", "put_counter", "delete_counter"],
        "A counter as it is set up",
        "The counters as they are set up",
    );
    let of_counters = [list, read, put, delete.refuses(&[&refusals::IN_USE])];
    routes.merge(queues.routes(of_queues)).merge(counters.routes(of_counters)).merge(
        wording.routes(named(
            ["list_wording", "read_wording", "put_wording", "delete_wording"],
            "A site's own words for a kind of notice",
            "A site's own words, by the kind of notice",
        )),
    )
}

/// A site in the list.
#[derive(Serialize, JsonSchema)]
struct SiteSetupSummary {
    site: String,
    name: String,
    account: String,
    revision: u64,
}

async fn list(
    State(door): State<AppState>,
    asker: Principal,
) -> Result<Json<Vec<SiteSetupSummary>>, Problem> {
    super::require_manager(&asker)?;
    let documents = door.live_settings.now();
    let sites = documents.sites.iter().filter(|(site, _)| asker.scope().contains(site));
    let listed = sites.filter_map(|(site, document)| {
        let setup = document.setup.as_ref()?;
        let (name, account) = (setup.name.clone(), setup.account.clone());
        Some(SiteSetupSummary { site: site.clone(), name, account, revision: document.revision.0 })
    });
    Ok(Json(listed.collect()))
}

/// Settings of a site that the principal manages.
async fn managed_site(
    door: &AppState,
    asker: &Principal,
    site: &str,
) -> Result<(Arc<SettingsDocuments>, SiteSetup), Problem> {
    require_site_manager(door, asker, site)?;
    let documents = door.settings_editor.latest_documents(DocumentKind::Site, site).await?;
    let setup = documents.site(site).cloned().ok_or(&refusals::UNKNOWN_SITE)?;
    Ok((documents, setup))
}

async fn read(
    State(door): State<AppState>,
    Path(site): Path<String>,
    asker: Principal,
) -> Result<WithEtag<SiteSetup>, Problem> {
    let (documents, setup) = managed_site(&door, &asker, &site).await?;
    Ok(WithEtag(documents.revision(DocumentKind::Site, &site).0, setup))
}

async fn put(
    State(door): State<AppState>,
    Path(site): Path<String>,
    unread: UnreadRequest,
) -> Result<WithEtag<SettingsUpdateResult>, Problem> {
    match door.engine.settings(&site) {
        Some(_) => require_site_manager(&door, &unread.asker, &site)?,
        // A site that is not there yet is none that a key could open by its name.
        None => require_owner(&unread.asker)?,
    }
    let request = unread.read().await?;
    let documents = door.settings_editor.latest_documents(DocumentKind::Site, &site).await?;
    let setup: SiteSetup = request.parse_body()?;
    request.write_document(&door, &documents, &site, DocumentUpdate::Site(Some(setup))).await
}

async fn retire(
    State(door): State<AppState>,
    Path(site): Path<String>,
    unread: UnreadRequest,
) -> Result<WithEtag<SettingsUpdateResult>, Problem> {
    super::require_manager(&unread.asker)?;
    if !unread.asker.scope().contains(&site) {
        let known = door.engine.settings(&site).map(|_| &refusals::NOT_YOUR_SITE);
        return Err(Problem::new(known.unwrap_or(&refusals::UNKNOWN_SITE)));
    }
    let request = unread.read().await?;
    request.require_empty_body()?;
    let documents = door.settings_editor.latest_documents(DocumentKind::Site, &site).await?;
    let repeated = request
        .update
        .idempotency
        .as_ref()
        .and_then(|wish| documents.change_by_request_id(&wish.id));
    if documents.site(&site).is_none() && repeated.is_none() {
        return Err(Problem::new(&refusals::UNKNOWN_SITE));
    }
    request.write_document(&door, &documents, &site, DocumentUpdate::Site(None)).await
}

/// Opening hours of a site's queues.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(transform = paihao_contracts::settings::optional)]
#[serde(deny_unknown_fields)]
struct HoursSetup {
    /// Dates on which every queue has these hours: `2027-02-06..2027-02-12 closed`.
    #[serde(default)]
    dates: Vec<String>,
    /// The lines of each queue: `mon-fri 09:00-12:00`. A queue that is left out keeps its own.
    #[serde(default)]
    queues: BTreeMap<String, Vec<String>>,
}

async fn read_hours(
    State(door): State<AppState>,
    Path(site): Path<String>,
    asker: Principal,
) -> Result<WithEtag<HoursSetup>, Problem> {
    let (documents, setup) = managed_site(&door, &asker, &site).await?;
    let queues = setup.queues.into_iter().map(|(id, queue)| (id, queue.hours)).collect();
    Ok(WithEtag(
        documents.revision(DocumentKind::Site, &site).0,
        HoursSetup { dates: setup.dates, queues },
    ))
}

async fn put_hours(
    State(door): State<AppState>,
    Path(site): Path<String>,
    unread: UnreadRequest,
) -> Result<WithEtag<SettingsUpdateResult>, Problem> {
    require_site_manager(&door, &unread.asker, &site)?;
    let request = unread.read().await?;
    let HoursSetup { dates, queues } = request.parse_body()?;
    change_site(&door, &site, &request, |setup| {
        setup.dates = dates;
        for (id, hours) in queues {
            setup.queues.get_mut(&id).ok_or(&refusals::UNKNOWN_QUEUE)?.hours = hours;
        }
        Ok(())
    })
    .await
}

/// Writes a site with something changed.
async fn change_site(
    door: &AppState,
    site: &str,
    request: &SettingsRequest,
    change: impl FnOnce(&mut SiteSetup) -> Result<(), Problem>,
) -> Result<WithEtag<SettingsUpdateResult>, Problem> {
    let documents = door.settings_editor.latest_documents(DocumentKind::Site, site).await?;
    let mut setup = documents.site(site).cloned().ok_or(&refusals::UNKNOWN_SITE)?;
    // A repeat is answered like the first, which has already taken away what this would.
    let wish = request.update.idempotency.as_ref();
    if wish.is_none_or(|wish| documents.change_by_request_id(&wish.id).is_none()) {
        change(&mut setup)?;
    }
    request.write_document(door, &documents, site, DocumentUpdate::Site(Some(setup))).await
}

/// A part of a site that has parts of its own by id.
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
        let (all, one) = (
            format!("{SITE_PATH}/{}", self.path_segment),
            format!("{SITE_PATH}/{}/{{{}}}", self.path_segment, self.path_parameter),
        );
        let unknown = &[self.unknown];
        let listing = move |State(door): State<AppState>,
                            Path(site): Path<String>,
                            asker: Principal| async move {
            let (documents, mut setup) = managed_site(&door, &asker, &site).await?;
            let parts = std::mem::take((self.entries)(&mut setup));
            Ok::<_, Problem>(WithEtag(documents.revision(DocumentKind::Site, &site).0, parts))
        };
        let reading = move |State(door): State<AppState>,
                            Path((site, id)): Path<(String, String)>,
                            asker: Principal| async move {
            let (documents, mut setup) = managed_site(&door, &asker, &site).await?;
            let part = (self.entries)(&mut setup).remove(&id).ok_or(self.unknown)?;
            Ok::<_, Problem>(WithEtag(documents.revision(DocumentKind::Site, &site).0, part))
        };
        let putting = move |State(door): State<AppState>,
                            Path((site, id)): Path<(String, String)>,
                            unread: UnreadRequest| async move {
            require_site_manager(&door, &unread.asker, &site)?;
            let request = unread.read().await?;
            let part: T = request.parse_body()?;
            change_site(&door, &site, &request, |setup| {
                (self.entries)(setup).insert(id, part);
                Ok(())
            })
            .await
        };
        let deleting = move |State(door): State<AppState>,
                             Path((site, id)): Path<(String, String)>,
                             unread: UnreadRequest| async move {
            require_site_manager(&door, &unread.asker, &site)?;
            let request = unread.read().await?;
            request.require_empty_body()?;
            change_site(&door, &site, &request, |setup| {
                (self.entries)(setup)
                    .remove(&id)
                    .map(drop)
                    .ok_or_else(|| Problem::new(self.unknown))
            })
            .await
        };
        Routes::new()
            .get(&all, listing, list)
            .get(&one, reading, read.refuses(unknown))
            .put(&one, putting, put.json_body::<T>())
            .delete(&one, deleting, delete.refuses(unknown))
    }
}
