//! Look of a site's pages: its logo, set and removed, and the shades of a colour.

use super::request::{UnreadRequest, delete_operation, read_operation};
use crate::http::access::{Authorized, ManagerScope, SiteAccess};
use crate::http::brand_view::logo_url;
use crate::http::openapi::{Routes, WithEtag, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::settings::documents::DocumentKind;
use crate::settings::update::SettingsUpdateResult;
use crate::site::accent::AccentView;
use crate::site::logo::{Logo, LogoError, MAX_UPLOAD_BYTES};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

const LOGO_PATH: &str = "/api/v1/book/sites/{site}/logo";

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(
            LOGO_PATH,
            read,
            read_operation("read_logo", "Reads which logo a site has")
                .refuses(&[&refusals::NO_LOGO]),
        )
        .put(
            LOGO_PATH,
            put,
            read_operation("put_logo", "Replaces or sets the logo of a site")
                .body_as::<String>("image/png")
                .body_limit(MAX_UPLOAD_BYTES)
                .refuses(&[
                    &refusals::BAD_LOGO,
                    &refusals::REVISION_NEEDED,
                    &refusals::FORMS_HELD_BACK,
                ]),
        )
        .delete(
            LOGO_PATH,
            remove,
            delete_operation("delete_logo", "Removes the logo of a site")
                .refuses(&[&refusals::NO_LOGO, &refusals::FORMS_HELD_BACK]),
        )
        .get(
            "/api/v1/book/accents/{colour}",
            accent,
            endpoint("read_accent", "Computes the shades of a colour that can be read")
                .responds_json::<AccentView>(StatusCode::OK)
                .refuses(&[&refusals::MALFORMED_REQUEST]),
        )
}

/// Logo of a site.
#[derive(Serialize, JsonSchema)]
struct LogoView {
    /// Address of the picture.
    url: String,
    /// Pixels of a line.
    width: u32,
    /// Lines.
    height: u32,
    /// Bytes of the file.
    bytes: usize,
}

async fn read(
    State(state): State<AppState>,
    SiteAccess { site, .. }: SiteAccess<ManagerScope>,
) -> Result<WithEtag<LogoView>, Problem> {
    let documents = state.settings_editor.latest_documents(DocumentKind::Logo, &site).await?;
    let document = documents.logo(&site).ok_or(&refusals::NO_LOGO)?;
    let logo = Logo::of_document(document).map_err(|_| &refusals::NO_LOGO)?;
    let view = LogoView {
        url: logo_url(&site, &logo),
        width: logo.width,
        height: logo.height,
        bytes: logo.png.len(),
    };
    Ok(WithEtag(documents.revision(DocumentKind::Logo, &site).0, view))
}

async fn put(
    State(state): State<AppState>,
    SiteAccess { principal, site, .. }: SiteAccess<ManagerScope>,
    unread: UnreadRequest,
) -> Result<WithEtag<SettingsUpdateResult>, Problem> {
    let request = unread.read_up_to(&principal, MAX_UPLOAD_BYTES).await?;
    let logo = Logo::of_upload(&request.body).map_err(bad_logo)?;
    let documents = state.settings_editor.latest_documents(DocumentKind::Logo, &site).await?;
    let document = Some(logo.to_document());
    let result = state.settings_editor.update_logo(&documents, &site, document, &request.update);
    let result = result.await?;
    Ok(WithEtag(result.revision, result))
}

async fn remove(
    State(state): State<AppState>,
    SiteAccess { principal, site, .. }: SiteAccess<ManagerScope>,
    unread: UnreadRequest,
) -> Result<WithEtag<SettingsUpdateResult>, Problem> {
    let request = unread.read(&principal).await?;
    request.require_empty_body()?;
    let documents = state.settings_editor.latest_documents(DocumentKind::Logo, &site).await?;
    let idempotency = request.update.idempotency.as_ref();
    let repeated = idempotency.and_then(|record| documents.change_by_request_id(&record.id));
    if documents.logo(&site).is_none() && repeated.is_none() {
        return Err(Problem::new(&refusals::NO_LOGO));
    }
    let result =
        state.settings_editor.update_logo(&documents, &site, None, &request.update).await?;
    Ok(WithEtag(result.revision, result))
}

pub(super) fn bad_logo(error: LogoError) -> Problem {
    Problem::new(&refusals::BAD_LOGO).with_detail(error.to_string())
}

/// `GET /api/v1/book/accents/{colour}`: six hexadecimal digits.
async fn accent(
    _: Authorized<ManagerScope>,
    Path(colour): Path<String>,
) -> Result<Json<AccentView>, Problem> {
    let colour = format!("#{colour}").parse();
    let colour = colour.map_err(|_| refusals::malformed("use six digits, such as 0b6b52"))?;
    Ok(Json(AccentView::of(colour)))
}
