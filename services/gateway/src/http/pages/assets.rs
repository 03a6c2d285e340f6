//! Scripts and style sheets of the pages, compiled in.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// File that pages refer to, by its path below `/assets/`.
pub(super) struct Asset {
    pub(super) path: &'static str,
    pub(super) body: &'static str,
}

macro_rules! assets {
    ($($path:literal),* $(,)?) => {
        &[$(Asset {
            path: $path,
            body: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/web/", $path)),
        }),*]
    };
}

pub(super) const ASSETS: &[Asset] = assets! {
    "shared/base.css",
    "shared/credentials.js",
    "shared/dialog.js",
    "shared/dom.js",
    "shared/format.js",
    "shared/guard.js",
    "shared/http.js",
    "shared/language.js",
    "shared/new-logins.js",
    "shared/page.js",
    "shared/sse.js",
    "shared/words.js",
    "pages/board/announcer.js",
    "pages/board/board.css",
    "pages/board/board.js",
    "pages/board/idle.js",
    "pages/board/layout.js",
    "pages/board/speech.js",
    "pages/board/words.js",
    "pages/console/chime.js",
    "pages/console/commands.js",
    "pages/console/console.css",
    "pages/console/console.js",
    "pages/console/dialogs.js",
    "pages/console/limit-words.js",
    "pages/console/limit.js",
    "pages/console/lists.js",
    "pages/console/numbers.js",
    "pages/console/words.js",
    "pages/index/index.js",
    "pages/index/words.js",
    "pages/kiosk/fit.js",
    "pages/kiosk/kiosk.css",
    "pages/kiosk/kiosk.js",
    "pages/kiosk/pairing-words.js",
    "pages/kiosk/pairing.css",
    "pages/kiosk/pairing.js",
    "pages/kiosk/slips.css",
    "pages/kiosk/slips.js",
    "pages/kiosk/unscanned.js",
    "pages/kiosk/words.js",
    "pages/login/login.css",
    "pages/login/login.js",
    "pages/login/words.js",
    "pages/manage/access-words.js",
    "pages/manage/access.js",
    "pages/manage/account.js",
    "pages/manage/accounts-words.js",
    "pages/manage/accounts.js",
    "pages/manage/api-keys.js",
    "pages/manage/audit-words.js",
    "pages/manage/audit.js",
    "pages/manage/callback-faults-words.js",
    "pages/manage/callback-faults.js",
    "pages/manage/charts.js",
    "pages/manage/dead-letters-words.js",
    "pages/manage/dead-letters.js",
    "pages/manage/doctor-words.js",
    "pages/manage/doctor.js",
    "pages/manage/fields.js",
    "pages/manage/handover-words.js",
    "pages/manage/handover.js",
    "pages/manage/kiosks-words.js",
    "pages/manage/kiosks.js",
    "pages/manage/manage.css",
    "pages/manage/manage.js",
    "pages/manage/menu-preview.js",
    "pages/manage/menu-words.js",
    "pages/manage/menu.css",
    "pages/manage/menu.js",
    "pages/manage/new-site-words.js",
    "pages/manage/new-site.js",
    "pages/manage/order.js",
    "pages/manage/pages.js",
    "pages/manage/past-state.js",
    "pages/manage/problem-words.js",
    "pages/manage/problems.js",
    "pages/manage/sections.js",
    "pages/manage/staff.js",
    "pages/manage/statistics-words.js",
    "pages/manage/statistics.css",
    "pages/manage/statistics.js",
    "pages/manage/template-test.js",
    "pages/manage/templates-words.js",
    "pages/manage/templates.css",
    "pages/manage/templates.js",
    "pages/manage/trades-words.js",
    "pages/manage/trades.js",
    "pages/manage/transfer.js",
    "pages/manage/webhooks.js",
    "pages/manage/words.js",
    "pages/me/me.css",
    "pages/me/me.js",
    "pages/me/words.js",
    "pages/poster/clerk.css",
    "pages/poster/poster-a5.css",
    "pages/poster/poster-tent.css",
    "pages/poster/poster.css",
    "pages/poster/poster.js",
    "pages/poster/words.js",
    "pages/slip/slip.css",
    "pages/slip/slip.js",
    "pages/slip/words.js",
    "pages/take/take.css",
    "pages/take/take.js",
    "pages/take/words.js",
    "pages/ticket/history-words.js",
    "pages/ticket/history.js",
    "pages/ticket/sheet-words.js",
    "pages/ticket/sheet.js",
    "pages/ticket/ticket.css",
    "pages/ticket/ticket.js",
    "pages/ticket/words.js",
};

impl Asset {
    fn content_type(&self) -> &'static str {
        if self.path.ends_with(".css") {
            "text/css; charset=utf-8"
        } else {
            "text/javascript; charset=utf-8"
        }
    }
}

/// `GET /assets/{path}`: the file, or 304 to a browser that has it.
pub(super) async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tag = format!("\"{}\"", hex::encode(&Sha256::digest(asset.body)[..8]));
    let caching = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|cached| cached.as_bytes() == tag.as_bytes())
    {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(header::CONTENT_TYPE, asset.content_type())], asset.body).into_response()
}
