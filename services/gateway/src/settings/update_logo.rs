//! Changes of the logos of sites.

use super::documents::{DocumentKind, SettingsDocuments, logo_differences};
use super::update::{
    CATCH_UP_TIMEOUT, SettingsEditor, SettingsUpdateResult, UpdateError, UpdateRequest,
    append_error, repeated_result,
};
use paihao_contracts::settings_log::{SettingsEntry, SettingsEvent};
use paihao_contracts::site_logo::SiteLogo;
use paihao_contracts::streams::SETTINGS;
use paihao_ledger::{Entry, ExpectedPosition, Position};

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
        let entry = SettingsEntry::new(self.clock.now_ms(), event);
        let entry = entry.with_origin(request.origin.clone());
        if !self.write_version.allows(entry.generation()) {
            return Err(UpdateError::FormsHeldBack);
        }
        if request.dry_run {
            return Ok(result(revision));
        }
        let expect = match revision {
            Position::START => ExpectedPosition::Empty,
            position => ExpectedPosition::At(position),
        };
        let subject = KIND.subject(site).map_err(|_| UpdateError::MalformedId)?;
        let appended =
            self.ledger.append(&SETTINGS, &subject, expect, Entry::new(entry.encode())).await;
        let position = appended.map_err(append_error)?;
        tracing::info!(site, by = request.author, "logo of a site changed");
        self.live_settings.until(position, CATCH_UP_TIMEOUT).await;
        Ok(result(position))
    }
}
