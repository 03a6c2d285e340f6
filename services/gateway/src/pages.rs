//! The pages, served from inside the program: files compiled in, nothing from other hosts.

mod poster;

use crate::http::framing::with_frame_ancestors;
use crate::http::holders::parse;
use crate::http::openapi::Routes;
use crate::http::refusals::Problem;
use crate::http::state::Door;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

/// A file that pages refer to.
struct Asset {
    name: &'static str,
    content_type: &'static str,
    body: &'static str,
}

macro_rules! assets {
    ($($name:literal: $content_type:literal),* $(,)?) => {
        &[$(Asset {
            name: $name,
            content_type: $content_type,
            body: include_str!(concat!("pages/assets/", $name)),
        }),*]
    };
}

const ASSETS: &[Asset] = assets! {
    "paihao.css": "text/css; charset=utf-8",
    "kiosk.css": "text/css; charset=utf-8",
    "board.css": "text/css; charset=utf-8",
    "console.css": "text/css; charset=utf-8",
    "slip.css": "text/css; charset=utf-8",
    "manage.css": "text/css; charset=utf-8",
    "manage-numbers.css": "text/css; charset=utf-8",
    "words.js": "text/javascript; charset=utf-8",
    "language.js": "text/javascript; charset=utf-8",
    "paihao.js": "text/javascript; charset=utf-8",
    "index.js": "text/javascript; charset=utf-8",
    "kiosk.js": "text/javascript; charset=utf-8",
    "board.js": "text/javascript; charset=utf-8",
    "voice.js": "text/javascript; charset=utf-8",
    "loud.js": "text/javascript; charset=utf-8",
    "ticket.css": "text/css; charset=utf-8",
    "ticket.js": "text/javascript; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "console-words.js": "text/javascript; charset=utf-8",
    "acts.js": "text/javascript; charset=utf-8",
    "rows.js": "text/javascript; charset=utf-8",
    "dialog.js": "text/javascript; charset=utf-8",
    "wish.js": "text/javascript; charset=utf-8",
    "key.js": "text/javascript; charset=utf-8",
    "chime.js": "text/javascript; charset=utf-8",
    "slip.js": "text/javascript; charset=utf-8",
    "slip-words.js": "text/javascript; charset=utf-8",
    "manage.js": "text/javascript; charset=utf-8",
    "manage-words.js": "text/javascript; charset=utf-8",
    "manage-fields.js": "text/javascript; charset=utf-8",
    "manage-sections.js": "text/javascript; charset=utf-8",
    "manage-access.js": "text/javascript; charset=utf-8",
    "manage-access-words.js": "text/javascript; charset=utf-8",
    "manage-staff.js": "text/javascript; charset=utf-8",
    "manage-keys.js": "text/javascript; charset=utf-8",
    "manage-webhooks.js": "text/javascript; charset=utf-8",
    "login.css": "text/css; charset=utf-8",
    "login-words.js": "text/javascript; charset=utf-8",
    "login.js": "text/javascript; charset=utf-8",
    "me.js": "text/javascript; charset=utf-8",
    "manage-numbers.js": "text/javascript; charset=utf-8",
    "manage-numbers-words.js": "text/javascript; charset=utf-8",
    "manage-past.js": "text/javascript; charset=utf-8",
    "charts.js": "text/javascript; charset=utf-8",
    "manage-letters.js": "text/javascript; charset=utf-8",
    "manage-letters-words.js": "text/javascript; charset=utf-8",
    "poster.css": "text/css; charset=utf-8",
    "poster.js": "text/javascript; charset=utf-8",
    "poster-words.js": "text/javascript; charset=utf-8",
};

const INDEX: &str = include_str!("pages/index.html");
const KIOSK: &str = include_str!("pages/kiosk.html");
const BOARD: &str = include_str!("pages/board.html");
const CONSOLE: &str = include_str!("pages/console.html");
const SLIP: &str = include_str!("pages/slip.html");
const MANAGE: &str = include_str!("pages/manage.html");
const LOGIN: &str = include_str!("pages/login.html");
const ME: &str = include_str!("pages/me.html");
const REFUSED: &str = include_str!("pages/refused.html");

const TICKET: &str = include_str!("pages/ticket.html");

pub(crate) fn routes() -> Routes {
    Routes::new()
        .page("/", get(Html(INDEX)))
        .page("/kiosk/{site}", get(async |door, site| page(door, site, KIOSK)))
        .page("/board/{site}", get(board))
        .page("/t/{site}/{id}", get(ticket))
        .page("/console", get(any_console))
        .page("/console/{site}", get(async |door, site| page(door, site, CONSOLE)))
        .page("/slip/{site}/{number}", get(slip))
        // Where the console was once.
        .page("/staff/{site}", get(former))
        .page("/manage", get(Html(MANAGE)))
        .page("/manage/{site}", get(async |door, site| page(door, site, MANAGE)))
        .page("/login", get(Html(LOGIN)))
        .page("/me", get(Html(ME)))
        .page("/poster/{site}", get(poster::all))
        .page("/poster/{site}/{queue}", get(poster::one))
        .page("/assets/{name}", get(asset))
}

/// The page that logs a browser in.
pub(crate) fn login() -> Response {
    Html(LOGIN).into_response()
}

/// A page that says to people why there is nothing to see or do.
pub(crate) fn refused(problem: &Problem) -> Response {
    let kind = problem.kind();
    let page = REFUSED.replace("{zh}", kind.zh).replace("{en}", kind.en);
    metrics::counter!("paihao_gateway_refusals_total", "code" => kind.code).increment(1);
    let passes = kind.status == StatusCode::SERVICE_UNAVAILABLE;
    let retry = passes.then_some([(header::RETRY_AFTER, "5")]);
    (kind.status, retry, Html(page)).into_response()
}

/// A page of a site. It says by itself what it finds; a site that is not there is also a 404.
fn page(State(door): State<Door>, Path(site): Path<String>, page: &'static str) -> Response {
    let status = match door.lines.settings(&site) {
        Some(_) => StatusCode::OK,
        None => StatusCode::NOT_FOUND,
    };
    (status, Html(page)).into_response()
}

/// The one page that other sites may show within theirs, if the settings name them.
async fn board(door: State<Door>, site: Path<String>) -> Response {
    let by = door.settings.frame_ancestors.clone();
    with_frame_ancestors(page(door, site, BOARD), &by)
}

/// The page of one ticket. It says by itself what it finds; a link that opens nothing is also a 404.
async fn ticket(State(door): State<Door>, Path((site, id)): Path<(String, String)>) -> Response {
    let status = match parse(&site, &id).and_then(|asked| asked.resolve(&door)) {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::NOT_FOUND,
    };
    (status, [(header::CACHE_CONTROL, "no-store")], Html(TICKET)).into_response()
}

/// The console of the only site, or the list of sites to choose from.
async fn any_console(State(door): State<Door>) -> Response {
    let mut sites = door.lines.all_settings();
    match (sites.next(), sites.next()) {
        (Some(only), None) => {
            Redirect::temporary(&format!("/console/{}", only.facts.id)).into_response()
        }
        _ => Html(INDEX).into_response(),
    }
}

async fn former(door: State<Door>, Path(site): Path<String>) -> Response {
    match door.lines.settings(&site) {
        Some(book) => Redirect::permanent(&format!("/console/{}", book.facts.id)).into_response(),
        None => page(door, Path(site), CONSOLE),
    }
}

async fn slip(door: State<Door>, Path((site, _)): Path<(String, String)>) -> Response {
    page(door, Path(site), SLIP)
}

/// A file, or "you have it" to a browser that does.
async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tag = format!("\"{}\"", hex::encode(&Sha256::digest(asset.body)[..8]));
    let caching = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(header::CONTENT_TYPE, asset.content_type)], asset.body).into_response()
}

#[cfg(test)]
mod tests;
