//! The book while a gateway runs: follows its log, and hands each change on to the lines and the pools
//! of codes.

use super::documents::{DocumentKind, SettingsDocuments};
use super::{DeploymentSettings, SiteSettings, validate};
use crate::engine::Engine;
use crate::scan::codes::pool::Pools;
use futures::StreamExt;
use paihao_chassis::Tasks;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::config::ConfigProblems;
use paihao_contracts::streams::SETTINGS;
use paihao_ledger::{Ledger, LogItem, Position};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What is set up now, at this replica. Cheap to clone.
#[derive(Clone)]
pub struct LiveSettings {
    documents: watch::Receiver<Arc<SettingsDocuments>>,
    caught_up: watch::Receiver<bool>,
}

impl LiveSettings {
    /// Begins to follow the log; goes on until the stop.
    pub fn start(
        book: Arc<DeploymentSettings>,
        lines: Engine,
        pools: Arc<Pools>,
        ledger: Arc<dyn Ledger>,
        stop: CancellationToken,
        tasks: &Tasks,
    ) -> LiveSettings {
        let (told, documents) =
            watch::channel(Arc::new(SettingsDocuments::from_configuration(&book.configured)));
        let (up, read) = watch::channel(false);
        let known =
            book.sites.iter().map(|(id, site)| (id.clone(), (Position::START, site.clone())));
        let known = Mutex::new(known.collect());
        let follower = Follower {
            book,
            lines,
            pools,
            ledger,
            published: told,
            caught_up: up,
            resolved_sites: known,
        };
        tasks.spawn("book", async move { follower.run(&stop).await });
        LiveSettings { documents, caught_up: read }
    }

    /// Everything as it is now.
    pub fn now(&self) -> Arc<SettingsDocuments> {
        self.documents.borrow().clone()
    }

    /// Whether the log has been read up to where it stood at the start.
    pub fn caught_up(&self) -> bool {
        *self.caught_up.borrow()
    }

    /// Waits until the entry at this position has been taken in, if it comes soon.
    pub async fn until(&self, position: Position, patience: Duration) {
        let mut documents = self.documents.clone();
        let there = documents.wait_for(|documents| documents.position >= position);
        let _ = tokio::time::timeout(patience, there).await;
    }
}

struct Follower {
    book: Arc<DeploymentSettings>,
    lines: Engine,
    pools: Arc<Pools>,
    ledger: Arc<dyn Ledger>,
    published: watch::Sender<Arc<SettingsDocuments>>,
    caught_up: watch::Sender<bool>,
    /// What each site's newest readable set-up came to, and at which revision.
    resolved_sites: Mutex<BTreeMap<String, (Position, Arc<SiteSettings>)>>,
}

impl Follower {
    async fn run(&self, stop: &CancellationToken) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        while !stop.is_cancelled() {
            match self.follow(stop).await {
                Ok(()) => backoff.reset(),
                Err(error) => tracing::warn!(%error, "cannot follow the book yet"),
            }
            backoff.wait_unless(stop).await;
        }
    }

    async fn follow(&self, stop: &CancellationToken) -> Result<(), paihao_ledger::Unavailable> {
        let goal = self.ledger.head(&SETTINGS).await?;
        let mut entries = self.ledger.follow(&SETTINGS, Position::START).await?;
        let mut documents = SettingsDocuments::from_configuration(&self.book.configured);
        if goal == Position::START {
            self.mark_caught_up(&documents);
        }
        loop {
            let next = stop.run_until_cancelled(entries.next()).await.flatten();
            match next {
                None => return Ok(()),
                Some(LogItem::Restarted) => {
                    tracing::warn!("the book was made anew: the configuration alone counts");
                    documents = SettingsDocuments::from_configuration(&self.book.configured);
                    self.mark_caught_up(&documents);
                }
                Some(LogItem::Entry(recorded)) => {
                    let news = documents.apply(&recorded);
                    let up = *self.caught_up.borrow();
                    if recorded.position >= goal && !up {
                        self.mark_caught_up(&documents);
                    } else if up {
                        self.publish(&documents, news);
                    }
                }
            }
        }
    }

    fn mark_caught_up(&self, documents: &SettingsDocuments) {
        self.publish(documents, true);
        self.caught_up.send_replace(true);
    }

    /// The next decision is made with this.
    fn publish(&self, documents: &SettingsDocuments, news: bool) {
        if news {
            let sites = self.resolve_sites(documents);
            self.lines.set_sites(&sites);
            self.pools.add_accounts(sites.values().map(|site| site.facts.account.to_string()));
            for (name, document) in &documents.accounts {
                if let (Some(account), Some(setup)) =
                    (self.book.accounts.get(name), &document.setup)
                {
                    account.update(setup);
                }
            }
        }
        self.published.send_replace(Arc::new(documents.clone()));
    }

    /// The sites that there are. What cannot be understood goes on as it was: an older program may
    /// know less than the one that wrote it.
    fn resolve_sites(&self, documents: &SettingsDocuments) -> BTreeMap<String, Arc<SiteSettings>> {
        let mut known = self.resolved_sites.lock();
        for (id, document) in &documents.sites {
            let Some(site) = &document.setup else {
                known.remove(id);
                continue;
            };
            if known.get(id).is_some_and(|(revision, _)| *revision == document.revision) {
                continue;
            }
            let mut problems = ConfigProblems::new();
            let accounts = self.book.accounts.keys();
            match validate::validate_site(&format!("sites.{id}"), id, site, accounts, &mut problems)
            {
                Some(book) => drop(known.insert(id.clone(), (document.revision, Arc::new(book)))),
                None => {
                    let wrong = problems.into_result().err().map(|wrong| wrong.to_string());
                    tracing::error!(site = id, wrong, "a site of the book cannot be used as it is");
                }
            }
        }
        let there =
            |id: &String| documents.sites.contains_key(id) || self.book.sites.contains_key(id);
        known.retain(|id, _| there(id));
        known.iter().map(|(id, (_, book))| (id.clone(), book.clone())).collect()
    }
}

impl SettingsDocuments {
    /// Whether a newer program wrote what this one cannot read of a document.
    pub fn is_unreadable(&self, of: DocumentKind, id: &str) -> bool {
        of.subject(id).is_ok_and(|subject| self.unreadable.contains(&subject))
    }
}
