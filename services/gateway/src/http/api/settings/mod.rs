//! Settings for managers: read, changed with If-Match, exported, imported.
//!
//! - `sites`: a site as one document, and its parts;
//! - `accounts`: replies, templates and texts of an account;
//! - `credentials`: accounts with their credentials, added and retired;
//! - `export`: all settings as one file, and their changes;
//! - `hours_text`: opening hours and lists of holidays, read without a change;
//! - `ids`: ids of new things, made of their names;
//! - `look`: the logo of a site, and the shades of a colour;
//! - `preview`: a notice as a customer sees it;
//! - `rules_example`: what the rules of a queue do.

mod accounts;
mod credentials;
mod export;
mod hours_text;
mod ids;
mod look;
mod preview;
pub(super) mod request;
mod rules_example;
mod sites;

use crate::http::openapi::Routes;

pub(super) fn routes() -> Routes {
    sites::routes()
        .merge(accounts::routes())
        .merge(credentials::routes())
        .merge(export::routes())
        .merge(hours_text::routes())
        .merge(ids::routes())
        .merge(look::routes())
        .merge(preview::routes())
        .merge(rules_example::routes())
}
