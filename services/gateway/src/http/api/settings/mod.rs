//! Settings for managers: read, changed with If-Match, exported, imported.
//!
//! - `sites`: a site as one document, and its parts;
//! - `accounts`: replies, templates and texts of an account;
//! - `credentials`: accounts with their credentials, added and retired;
//! - `export`: all settings as one file, and their changes;
//! - `preview`: a notice as a customer sees it.

mod accounts;
mod credentials;
mod export;
mod preview;
pub(super) mod request;
mod sites;

use crate::http::openapi::Routes;

pub(super) fn routes() -> Routes {
    sites::routes()
        .merge(accounts::routes())
        .merge(credentials::routes())
        .merge(export::routes())
        .merge(preview::routes())
}
