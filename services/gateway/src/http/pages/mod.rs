//! The pages: templates that are checked at compile time, and their files, all compiled in.

mod asset_links;
mod asset_response;
mod assets;
mod brand;
mod build_id;
mod poster;
mod render;
mod take;

pub(crate) use render::refused;

use crate::http::brand_view::BrandView;
use crate::http::csp::with_frame_ancestors;
use crate::http::openapi::Routes;
use crate::http::state::AppState;
use crate::http::ticket_link::parse;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use render::html;

/// Pages whose scripts fill them in.
macro_rules! pages {
    ($($name:ident = $path:literal),* $(,)?) => {
        $(
            #[derive(Template)]
            #[template(path = $path)]
            struct $name {
                brand: BrandView,
            }
        )*
    };
}

pages! {
    Index = "pages/index/index.html",
    Kiosk = "pages/kiosk/kiosk.html",
    Board = "pages/board/board.html",
    Ticket = "pages/ticket/ticket.html",
    Console = "pages/console/console.html",
    Slip = "pages/slip/slip.html",
    Manage = "pages/manage/manage.html",
    Login = "pages/login/login.html",
    Me = "pages/me/me.html",
}

pub(crate) fn routes() -> Routes {
    Routes::new()
        .page("/", get(async || html(&Index { brand: BrandView::default() })))
        .page(
            "/kiosk/{site}",
            get(async |state, site| page(state, site, |brand| html(&Kiosk { brand }))),
        )
        .page("/board/{site}", get(board))
        .page("/t/{site}/{id}", get(ticket))
        .page("/console", get(any_console))
        .page(
            "/console/{site}",
            get(async |state, site| page(state, site, |brand| html(&Console { brand }))),
        )
        .page("/slip/{site}/{number}", get(slip))
        // The console's former address.
        .page("/staff/{site}", get(former_console))
        .page("/manage", get(async || html(&Manage { brand: BrandView::default() })))
        .page(
            "/manage/{site}",
            get(async |state, site| page(state, site, |brand| html(&Manage { brand }))),
        )
        .page("/login", get(async || login()))
        .page("/me", get(async || html(&Me { brand: BrandView::default() })))
        .page("/q/{scene}", get(take::page))
        .page("/poster/{site}", get(poster::all))
        .page("/poster/{site}/{queue}", get(poster::one))
        .page("/assets/{*path}", get(asset_response::asset))
        .page("/clerk/{site}", get(poster::clerk))
        .page("/brand/{site}/{file}", get(brand::file))
}

/// Responds with the page that logs a browser in.
pub(crate) fn login() -> Response {
    html(&Login { brand: BrandView::default() })
}

/// Responds with a page of a site. Its script shows what it finds; an unknown site is a 404 as
/// well.
fn page(
    State(state): State<AppState>,
    Path(site): Path<String>,
    page: impl Fn(BrandView) -> Response,
) -> Response {
    match state.engine.settings(&site) {
        Some(settings) => page(BrandView::of(&settings)),
        None => (StatusCode::NOT_FOUND, page(BrandView::default())).into_response(),
    }
}

/// `GET /board/{site}`: the one page that other origins may frame, if the settings name them.
async fn board(state: State<AppState>, site: Path<String>) -> Response {
    let ancestors = state.settings.frame_ancestors.clone();
    with_frame_ancestors(page(state, site, |brand| html(&Board { brand })), &ancestors)
}

/// `GET /t/{site}/{id}`: the page of one ticket. A link that opens nothing is a 404 as well.
async fn ticket(
    State(state): State<AppState>,
    Path((site, id)): Path<(String, String)>,
) -> Response {
    let status = match parse(&site, &id) {
        Ok(link) => match link.resolve_to_show(&state).await {
            Ok(_) => StatusCode::OK,
            // The script of the page asks again.
            Err(problem) => problem.kind().status,
        },
        Err(_) => StatusCode::NOT_FOUND,
    };
    (status, html(&Ticket { brand: brand::look_of(&state, &site) })).into_response()
}

/// `GET /console`: to the console of the only site, or the list of sites to choose from.
async fn any_console(State(state): State<AppState>) -> Response {
    let mut sites = state.engine.all_settings();
    match (sites.next(), sites.next()) {
        (Some(only), None) => {
            Redirect::temporary(&format!("/console/{}", only.facts.id)).into_response()
        }
        _ => html(&Index { brand: BrandView::default() }),
    }
}

async fn former_console(state: State<AppState>, Path(site): Path<String>) -> Response {
    match state.engine.settings(&site) {
        Some(settings) => {
            Redirect::permanent(&format!("/console/{}", settings.facts.id)).into_response()
        }
        None => page(state, Path(site), |brand| html(&Console { brand })),
    }
}

async fn slip(state: State<AppState>, Path((site, _)): Path<(String, String)>) -> Response {
    page(state, Path(site), |brand| html(&Slip { brand }))
}

#[cfg(test)]
mod tests;
