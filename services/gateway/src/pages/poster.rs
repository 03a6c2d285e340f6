//! Posters for the doors of queues: one sheet of A4 each, drawn here and whole without any script.

use super::refused;
use crate::http::api::doors::permanent_code;
use crate::http::refusals::{self, Problem};
use crate::http::state::Door;
use crate::scan::qr;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Response};

pub(super) const PAGE: &str = include_str!("poster.html");
pub(super) const SHEET: &str = include_str!("poster-sheet.html");

/// `GET /poster/{site}`: a sheet for every queue of the site.
pub(super) async fn all(State(door): State<Door>, Path(site): Path<String>) -> Response {
    let queues = match door.lines.settings(&site) {
        Some(book) => book.rules.queues.keys().map(|queue| queue.as_str().to_owned()).collect(),
        None => Vec::new(),
    };
    if queues.is_empty() {
        return refused(&Problem::new(&refusals::UNKNOWN_SITE));
    }
    page(&door, &site, &queues).await
}

/// `GET /poster/{site}/{queue}`: one sheet.
pub(super) async fn one(
    State(door): State<Door>,
    Path((site, queue)): Path<(String, String)>,
) -> Response {
    page(&door, &site, &[queue]).await
}

async fn page(door: &Door, site: &str, queues: &[String]) -> Response {
    let mut sheets = String::new();
    for queue in queues {
        match sheet(door, site, queue).await {
            Ok(sheet) => sheets.push_str(&sheet),
            Err(problem) => return refused(&problem),
        }
    }
    Html(PAGE.replace("{sheets}", &sheets)).into_response()
}

async fn sheet(door: &Door, site: &str, queue: &str) -> Result<String, Problem> {
    let code = permanent_code(door, site, queue).await?;
    let book = door.lines.settings(site).ok_or(&refusals::UNKNOWN_SITE)?;
    let rules = book.rules.queues.iter().find(|(id, _)| id.as_str() == queue);
    let (_, rules) = rules.ok_or(&refusals::UNKNOWN_QUEUE)?;
    let drawn = qr::poster_svg(&code.qr_url).map_err(|error| {
        tracing::error!(%error, "WeChat's address for a code cannot be drawn");
        Problem::new(&refusals::WECHAT_UNAVAILABLE)
    })?;
    Ok(filled(&book.facts.name, &rules.name, &drawn, &format!("{site}/{queue}")))
}

fn filled(site: &str, queue: &str, code: &str, place: &str) -> String {
    let length = match queue.chars().count() {
        0..=6 => "short",
        7..=12 => "middle",
        _ => "long",
    };
    // In one pass, so that a name that looks like a place to fill is only a name.
    let mut sheet = String::new();
    for (i, part) in SHEET.split(['{', '}']).enumerate() {
        match (i % 2, part) {
            (1, "site") => sheet.push_str(&escaped(site)),
            (1, "site-language") => sheet.push_str(tongue(site)),
            (1, "queue-language") => sheet.push_str(tongue(queue)),
            (1, "queue") => sheet.push_str(&escaped(queue)),
            (1, "length") => sheet.push_str(length),
            (1, "code") => sheet.push_str(code),
            (1, "place") => sheet.push_str(&escaped(place)),
            _ => sheet.push_str(part),
        }
    }
    sheet
}

/// The language of a name that somebody gave, as far as it can be seen.
fn tongue(name: &str) -> &'static str {
    match name.chars().any(|c| ('\u{3400}'..='\u{9fff}').contains(&c)) {
        true => "zh-CN",
        false => "en",
    }
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_is_filled_and_names_are_only_names() {
        let sheet = filled("<b>阿&强", "{code}", "<svg/>", "hall/a");
        assert!(sheet.contains("&lt;b&gt;阿&amp;强") && sheet.contains("{code}"), "{sheet}");
        assert_eq!(sheet.matches("<svg/>").count(), 1);
        for place in ["{site}", "{queue}", "{length}", "{place}", "{site-language}"] {
            assert!(SHEET.contains(place) && !sheet.contains(place), "{place}");
        }
    }
}
