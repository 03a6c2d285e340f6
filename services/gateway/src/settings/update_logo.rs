//! Changes of the logos of sites.

use super::documents::{DocumentKind, SettingsDocuments, logo_differences};
use super::update::{
    CATCH_UP_TIMEOUT, SettingsEditor, SettingsUpdateResult, UpdateError, UpdateRequest,
    repeated_result,
};
use paihao_contracts::settings_log::SettingsEvent;
use paihao_contracts::site_logo::SiteLogo;
use paihao_ledger::Position;

impl SettingsEditor {
    /// Gives a site a logo; `None` removes it. Appended if the log has nothing newer than
    /// `documents`.
    pub(crate) async fn update_logo(
        &self,
        documents: &SettingsDocuments,
        site: &str,
        logo: Option<SiteLogo>,
        request: &UpdateRequest,
    ) -> Result<SettingsUpdateResult, UpdateError> {
        const KIND: DocumentKind = DocumentKind::Logo;
        if let Some(result) = repeated_result(documents, KIND, site, request) {
            return result;
        }
        let before = documents.logo(site);
        let revision = documents.revision(KIND, site);
        request.check_revision(revision, before.is_some())?;
        let result = |revision: Position| SettingsUpdateResult {
            of: KIND,
            id: site.to_owned(),
            revision: revision.0,
            dry_run: request.dry_run,
            changed: logo_differences(before, logo.as_ref()),
        };
        if before == logo.as_ref() {
            return Ok(result(revision));
        }
        let by = request.author.clone();
        let idempotency = request.idempotency.clone();
        let site_id = site.to_owned();
        let event = match logo.clone().map(Box::new) {
            Some(logo) => SettingsEvent::LogoSet { site: site_id, by, logo, idempotency },
            None => SettingsEvent::LogoRemoved { site: site_id, by, idempotency },
        };
        let position = self.append_event(KIND, site, revision, event, request).await?;
        if let Some(position) = position {
            tracing::info!(site, by = request.author, "logo of a site changed");
            self.live_settings.until(position, CATCH_UP_TIMEOUT).await;
        }
        Ok(result(position.unwrap_or(revision)))
    }
}
