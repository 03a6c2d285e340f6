//! Settings for managers: read, changed with If-Match, exported, imported.
//!
//! - `sites`: a site as one document, and its parts;
//! - `accounts`: replies, templates and texts of an account;
//! - `export`: all settings as one file, and their changes;
//! - `preview`: a notice as a customer sees it.

mod accounts;
mod export;
mod preview;
mod request;
mod sites;

use crate::http::openapi::Routes;

pub(super) fn routes() -> Routes {
    sites::routes().merge(accounts::routes()).merge(export::routes()).merge(preview::routes())
}
