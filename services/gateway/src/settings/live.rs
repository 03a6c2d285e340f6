//! Settings while a gateway runs: the documents, kept current with their log, and the sites that
//! they describe.

use super::accounts::AccountOpener;
use super::documents::{DocumentKind, SettingsDocuments};
use super::{DeploymentSettings, validate};
use crate::site::SiteSettings;
use crate::site::logo::Logo;
use paihao_chassis::Tasks;
use paihao_chassis::config::ConfigProblems;
use paihao_chassis::sealing::Keyring;
use paihao_contracts::envelope::{NewerForm, ReadError};
use paihao_contracts::site_logo::SiteLogo;
use paihao_contracts::streams::SETTINGS;
use paihao_ledger::projection::{Follow, Follower, Projection};
use paihao_ledger::{Ledger, Position, StoredEntry};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Observer of all sites, by id: called once the log has been read and after each change, before
/// readers of the documents see it. Must not block.
pub type SitesObserver = Arc<dyn Fn(&BTreeMap<String, Arc<SiteSettings>>) + Send + Sync>;

/// Newest settings documents that this replica has read. Cheap to clone.
#[derive(Clone)]
pub struct LiveSettings(Follower<Arc<SettingsDocuments>>);

impl LiveSettings {
    /// Begins to follow the log, until the stop.
    pub fn start(
        deployment: Arc<DeploymentSettings>,
        observer: SitesObserver,
        ledger: Arc<dyn Ledger>,
        keyring: Option<Arc<Keyring>>,
        stop: CancellationToken,
        tasks: &Tasks,
    ) -> LiveSettings {
        let projection = SettingsProjection::new(deployment, observer, keyring);
        let (follower, following) = Follow::new(ledger, SETTINGS, stop).start(projection);
        tasks.spawn_vital("settings", following);
        LiveSettings(follower)
    }

    /// Returns all documents as they are now.
    pub fn now(&self) -> Arc<SettingsDocuments> {
        self.0.now()
    }

    /// Returns whether the log has been read up to its head at the start.
    pub fn caught_up(&self) -> bool {
        self.0.caught_up()
    }

    /// Waits until [`LiveSettings::caught_up`].
    pub async fn until_caught_up(&self) {
        self.0.until_caught_up().await;
    }

    /// Waits until the log has been read and its documents fulfil a condition. Returns them; `None`
    /// when the log is followed no longer.
    pub(crate) async fn until_documents(
        &self,
        condition: impl Fn(&SettingsDocuments) -> bool,
    ) -> Option<Arc<SettingsDocuments>> {
        let mut changes = self.0.changes();
        let found = changes.wait_for(|progress| progress.caught_up && condition(&progress.view));
        Some(found.await.ok()?.view.clone())
    }

    /// Returns the form of an entry that a newer program wrote.
    pub fn newer(&self) -> Option<NewerForm> {
        self.0.newer()
    }

    /// Waits until the entry at this position has been applied, for `timeout` at most.
    pub async fn until(&self, position: Position, timeout: Duration) {
        let _ = self.0.until(position, timeout).await;
    }
}

/// Revisions of the documents of a site: of its settings, and of its logo.
type Revisions = (Position, Position);

/// Projection of the settings log onto the documents of the configuration.
struct SettingsProjection {
    deployment: Arc<DeploymentSettings>,
    observer: SitesObserver,
    documents: SettingsDocuments,
    accounts: AccountOpener,
    /// Settings from the newest valid document of each site, with the revisions of it and its logo.
    resolved_sites: BTreeMap<String, (Revisions, Arc<SiteSettings>)>,
    /// True once the whole log has been applied; sites of an older state are not published.
    caught_up: bool,
}

impl Projection for SettingsProjection {
    type View = Arc<SettingsDocuments>;

    fn view(&self) -> Arc<SettingsDocuments> {
        Arc::new(self.documents.clone())
    }

    fn apply(&mut self, stored: StoredEntry) -> Result<(), ReadError> {
        let is_change = self.documents.apply(&stored)?;
        if is_change && self.caught_up {
            self.publish();
        }
        Ok(())
    }

    fn reset(&mut self) {
        tracing::warn!("the settings log was made anew, using the configuration alone");
        self.documents = SettingsDocuments::from_configuration(&self.deployment.configured);
        self.caught_up = false;
    }

    fn caught_up(&mut self) {
        self.caught_up = true;
        self.publish();
    }
}

impl SettingsProjection {
    fn new(
        deployment: Arc<DeploymentSettings>,
        observer: SitesObserver,
        keyring: Option<Arc<Keyring>>,
    ) -> SettingsProjection {
        let configured = deployment.sites.iter();
        let resolved = configured.map(|(id, site)| {
            let revisions = (Position::START, Position::START);
            (id.clone(), (revisions, site.clone()))
        });
        SettingsProjection {
            documents: SettingsDocuments::from_configuration(&deployment.configured),
            accounts: AccountOpener::new(keyring),
            resolved_sites: resolved.collect(),
            deployment,
            observer,
            caught_up: false,
        }
    }

    fn publish(&mut self) {
        self.accounts.publish(&self.deployment, &self.documents);
        let sites = self.resolve_sites();
        (self.observer)(&sites);
        for (name, document) in &self.documents.accounts {
            if let Some(account) = self.deployment.account(name)
                && let Some(setup) = &document.setup
            {
                account.update(setup);
            }
        }
    }

    /// Returns the current sites. A document that cannot be used leaves its site as it was, since
    /// an older program may know less than the one that wrote it.
    fn resolve_sites(&mut self) -> BTreeMap<String, Arc<SiteSettings>> {
        let accounts = self.deployment.known_accounts(&self.documents);
        let resolved = &mut self.resolved_sites;
        for (id, document) in &self.documents.sites {
            let Some(setup) = &document.setup else {
                resolved.remove(id);
                continue;
            };
            let logo_revision = self.documents.revision(DocumentKind::Logo, id);
            let revisions = (document.revision, logo_revision);
            if resolved.get(id).is_some_and(|(resolved, _)| *resolved == revisions) {
                continue;
            }
            let mut problems = ConfigProblems::new();
            let key = format!("sites.{id}");
            match validate::stored_site(&key, id, setup, &accounts, &mut problems) {
                Some(mut site) => {
                    site.brand.logo =
                        self.documents.logo(id).and_then(|logo| usable_logo(id, logo));
                    resolved.insert(id.clone(), (revisions, Arc::new(site)));
                }
                None => {
                    let error = problems.into_result().err().map(|error| error.to_string());
                    tracing::error!(site = id, error, "a site's settings document cannot be used");
                }
            }
        }
        let documents = &self.documents.sites;
        let configured = &self.deployment.sites;
        resolved.retain(|id, _| documents.contains_key(id) || configured.contains_key(id));
        resolved.iter().map(|(id, (_, site))| (id.clone(), site.clone())).collect()
    }
}

/// Reads a stored logo.
fn usable_logo(site: &str, document: &SiteLogo) -> Option<Arc<Logo>> {
    let logo = Logo::of_document(document);
    logo.inspect_err(|error| tracing::error!(site, %error, "a site's logo cannot be used"))
        .ok()
        .map(Arc::new)
}

impl SettingsDocuments {
    /// Returns whether a newer program wrote a document that this one cannot read.
    pub fn is_unreadable(&self, kind: DocumentKind, id: &str) -> bool {
        kind.subject(id).is_ok_and(|subject| self.unreadable.contains(&subject))
    }
}
