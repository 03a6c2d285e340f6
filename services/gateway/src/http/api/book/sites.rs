//! A site's set-up: as one document, and its queues, counters, words and hours by themselves. Each
//! change of a part is a change of the whole document: one revision, and one check.

use super::{ANYWHERE, AT_SITE, Request, Unread, manager, owner, reading, removing, setting};
use crate::book::documents::{Documents, Of};
use crate::book::writing::{New, Written};
use crate::http::asker::Asker;
use crate::http::openapi::answer::Tagged;
use crate::http::openapi::{Operation, Routes, op};
use crate::http::refusals::{self, Kind, Problem};
use crate::http::state::Door;
use axum::Json;
use axum::extract::{Path, State};
use paihao_contracts::setup::{CounterSetup, QueueSetup, SiteSetup, Wording};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

const SITE: &str = "/api/v1/book/sites/{site}";

pub(super) fn routes() -> Routes {
    let hours = format!("{SITE}/hours");
    let routes = Routes::new()
        .get(
            "/api/v1/book/sites",
            list,
            op("list_setups", "The sites that the key opens, with their revisions", ANYWHERE),
        )
        .get(SITE, read, reading("read_site", "A site as it is set up", AT_SITE))
        .put(
            SITE,
            put,
            // A site that is not there is made, by whoever has every site.
            setting("put_site", "Sets a site up, or makes one", ANYWHERE)
                .takes::<SiteSetup>()
                .refuses(&[&refusals::NOT_YOUR_SITE, &refusals::NOT_EVERY_SITE, &refusals::IN_USE]),
        )
        .delete(
            SITE,
            retire,
            removing("retire_site", "Retires a site").refuses(&[&refusals::IN_USE]),
        )
        .get(&hours, read_hours, reading("read_hours", "When a site's queues are open", AT_SITE))
        .put(
            &hours,
            put_hours,
            setting("put_hours", "Says when a site's queues are open", AT_SITE)
                .takes::<HoursSetup>()
                .refuses(&[&refusals::UNKNOWN_QUEUE]),
        );
    let queues = Part::<QueueSetup> {
        name: "queues",
        one: "queue",
        of: |site| &mut site.queues,
        unknown: &refusals::UNKNOWN_QUEUE,
    };
    let counters = Part::<CounterSetup> {
        name: "counters",
        one: "counter",
        of: |site| &mut site.counters,
        unknown: &refusals::UNKNOWN_COUNTER,
    };
    let wording = Part::<Wording> {
        name: "wording",
        one: "kind",
        of: |site| &mut site.wording,
        unknown: &refusals::UNKNOWN_WORDING,
    };
    let named = |ids: [&'static str; 4], one: &'static str, all: &'static str| -> [Operation; 4] {
        let [list, read, put, delete] = ids;
        [
            reading(list, all, AT_SITE),
            reading(read, one, AT_SITE),
            setting(put, one, AT_SITE),
            removing(delete, one),
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
struct SetupListed {
    site: String,
    name: String,
    account: String,
    revision: u64,
}

async fn list(State(door): State<Door>, asker: Asker) -> Result<Json<Vec<SetupListed>>, Problem> {
    super::manages(&asker)?;
    let documents = door.setup.now();
    let sites = documents.sites.iter().filter(|(site, _)| asker.opens().contains(site));
    let listed = sites.filter_map(|(site, document)| {
        let setup = document.setup.as_ref()?;
        let (name, account) = (setup.name.clone(), setup.account.clone());
        Some(SetupListed { site: site.clone(), name, account, revision: document.revision.0 })
    });
    Ok(Json(listed.collect()))
}

/// A site that the asker manages, as it is now.
async fn known(
    door: &Door,
    asker: &Asker,
    site: &str,
) -> Result<(Arc<Documents>, SiteSetup), Problem> {
    manager(door, asker, site)?;
    let documents = door.newest(Of::Site, site).await?;
    let setup = documents.site(site).cloned().ok_or(&refusals::UNKNOWN_SITE)?;
    Ok((documents, setup))
}

async fn read(
    State(door): State<Door>,
    Path(site): Path<String>,
    asker: Asker,
) -> Result<Tagged<SiteSetup>, Problem> {
    let (documents, setup) = known(&door, &asker, &site).await?;
    Ok(Tagged(documents.revision(Of::Site, &site).0, setup))
}

async fn put(
    State(door): State<Door>,
    Path(site): Path<String>,
    unread: Unread,
) -> Result<Tagged<Written>, Problem> {
    match door.lines.book(&site) {
        Some(_) => manager(&door, &unread.asker, &site)?,
        // A site that is not there yet is none that a key could open by its name.
        None => owner(&unread.asker)?,
    }
    let request = unread.read().await?;
    let documents = door.newest(Of::Site, &site).await?;
    let setup: SiteSetup = request.wanted()?;
    request.written(&door, &documents, &site, New::Site(Some(setup))).await
}

async fn retire(
    State(door): State<Door>,
    Path(site): Path<String>,
    unread: Unread,
) -> Result<Tagged<Written>, Problem> {
    super::manages(&unread.asker)?;
    if !unread.asker.opens().contains(&site) {
        let known = door.lines.book(&site).map(|_| &refusals::NOT_YOUR_SITE);
        return Err(Problem::new(known.unwrap_or(&refusals::UNKNOWN_SITE)));
    }
    let request = unread.read().await?;
    request.bodiless()?;
    let documents = door.newest(Of::Site, &site).await?;
    let repeated = request.asked.wish.as_ref().and_then(|wish| documents.wished(&wish.id));
    if documents.site(&site).is_none() && repeated.is_none() {
        return Err(Problem::new(&refusals::UNKNOWN_SITE));
    }
    request.written(&door, &documents, &site, New::Site(None)).await
}

/// When a site's queues are open.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(transform = paihao_contracts::setup::optional)]
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
    State(door): State<Door>,
    Path(site): Path<String>,
    asker: Asker,
) -> Result<Tagged<HoursSetup>, Problem> {
    let (documents, setup) = known(&door, &asker, &site).await?;
    let queues = setup.queues.into_iter().map(|(id, queue)| (id, queue.hours)).collect();
    Ok(Tagged(documents.revision(Of::Site, &site).0, HoursSetup { dates: setup.dates, queues }))
}

async fn put_hours(
    State(door): State<Door>,
    Path(site): Path<String>,
    unread: Unread,
) -> Result<Tagged<Written>, Problem> {
    manager(&door, &unread.asker, &site)?;
    let request = unread.read().await?;
    let HoursSetup { dates, queues } = request.wanted()?;
    change(&door, &site, &request, |setup| {
        setup.dates = dates;
        for (id, hours) in queues {
            setup.queues.get_mut(&id).ok_or(&refusals::UNKNOWN_QUEUE)?.hours = hours;
        }
        Ok(())
    })
    .await
}

/// Writes a site with something changed.
async fn change(
    door: &Door,
    site: &str,
    request: &Request,
    change: impl FnOnce(&mut SiteSetup) -> Result<(), Problem>,
) -> Result<Tagged<Written>, Problem> {
    let documents = door.newest(Of::Site, site).await?;
    let mut setup = documents.site(site).cloned().ok_or(&refusals::UNKNOWN_SITE)?;
    // A repeat is answered like the first, which has already taken away what this would.
    let wish = request.asked.wish.as_ref();
    if wish.is_none_or(|wish| documents.wished(&wish.id).is_none()) {
        change(&mut setup)?;
    }
    request.written(door, &documents, site, New::Site(Some(setup))).await
}

/// A part of a site that has parts of its own by id.
struct Part<T: 'static> {
    name: &'static str,
    /// What one of them is called, between the braces of its path.
    one: &'static str,
    of: fn(&mut SiteSetup) -> &mut BTreeMap<String, T>,
    unknown: &'static Kind,
}

impl<T> Clone for Part<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Part<T> {}

impl<T> Part<T>
where
    T: Serialize + DeserializeOwned + JsonSchema + Clone + Send + Sync + 'static,
{
    fn routes(self, [list, read, put, delete]: [Operation; 4]) -> Routes {
        let (all, one) =
            (format!("{SITE}/{}", self.name), format!("{SITE}/{}/{{{}}}", self.name, self.one));
        let unknown = &[self.unknown];
        let listing = move |State(door): State<Door>, Path(site): Path<String>, asker: Asker| async move {
            let (documents, mut setup) = known(&door, &asker, &site).await?;
            let parts = std::mem::take((self.of)(&mut setup));
            Ok::<_, Problem>(Tagged(documents.revision(Of::Site, &site).0, parts))
        };
        let reading = move |State(door): State<Door>,
                            Path((site, id)): Path<(String, String)>,
                            asker: Asker| async move {
            let (documents, mut setup) = known(&door, &asker, &site).await?;
            let part = (self.of)(&mut setup).remove(&id).ok_or(self.unknown)?;
            Ok::<_, Problem>(Tagged(documents.revision(Of::Site, &site).0, part))
        };
        let putting = move |State(door): State<Door>,
                            Path((site, id)): Path<(String, String)>,
                            unread: Unread| async move {
            manager(&door, &unread.asker, &site)?;
            let request = unread.read().await?;
            let part: T = request.wanted()?;
            change(&door, &site, &request, |setup| {
                (self.of)(setup).insert(id, part);
                Ok(())
            })
            .await
        };
        let deleting = move |State(door): State<Door>,
                             Path((site, id)): Path<(String, String)>,
                             unread: Unread| async move {
            manager(&door, &unread.asker, &site)?;
            let request = unread.read().await?;
            request.bodiless()?;
            change(&door, &site, &request, |setup| {
                (self.of)(setup).remove(&id).map(drop).ok_or_else(|| Problem::new(self.unknown))
            })
            .await
        };
        Routes::new()
            .get(&all, listing, list)
            .get(&one, reading, read.refuses(unknown))
            .put(&one, putting, put.takes::<T>())
            .delete(&one, deleting, delete.refuses(unknown))
    }
}
