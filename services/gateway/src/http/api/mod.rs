//! HTTP API of the gateway: a file a resource, guessed from the path.

mod account_abilities;
mod account_menu;
mod api_keys;
mod as_of;
mod audit;
mod callback_faults;
pub(crate) mod code_image;
mod console;
mod counters;
mod dead_letters;
pub(crate) mod door_codes;
mod examination;
mod feed;
mod first_manager;
mod former_staff;
mod held_ticket;
pub(crate) mod invitations;
mod kiosk_slips;
mod kiosks;
mod login_progress;
mod logins;
mod me;
mod member_sessions;
mod members;
mod migration;
mod oauth;
pub(crate) mod page_codes;
mod page_links;
mod qr_usage;
mod queues;
mod rehearsal;
mod scan_sessions;
mod settings;
mod signing_keys;
mod sites;
mod statistics;
mod templates;
mod tickets;
mod webhook_deliveries;
mod webhooks;

mod openapi;

pub use openapi::document;
pub use sites::digest_routes;

use crate::http::openapi::Routes;

pub(crate) fn routes() -> Routes {
    let routes = [
        scan_sessions::routes(),
        templates::routes(),
        signing_keys::routes(),
        sites::routes(),
        door_codes::routes(),
        page_codes::routes(),
        page_links::routes(),
        kiosk_slips::routes(),
        kiosks::routes(),
        held_ticket::routes(),
        logins::routes(),
        first_manager::routes(),
        oauth::routes(),
        invitations::routes(),
        me::routes(),
        members::routes(),
        former_staff::routes(),
        api_keys::routes(),
        audit::routes(),
        member_sessions::routes(),
        counters::routes(),
        tickets::routes(),
        queues::routes(),
        settings::routes(),
        account_menu::routes(),
        account_abilities::routes(),
        migration::routes(),
        callback_faults::routes(),
        examination::routes(),
        rehearsal::routes(),
        qr_usage::routes(),
        console::routes(),
        feed::routes(),
        dead_letters::routes(),
        statistics::routes(),
        as_of::routes(),
        webhook_deliveries::routes(),
        webhooks::routes(),
        openapi::routes(),
    ];
    routes.into_iter().fold(Routes::new(), Routes::merge)
}
