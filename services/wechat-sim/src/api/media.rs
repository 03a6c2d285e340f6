//! Handlers of `media/upload` and `media/get`, for pictures.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::json;

use crate::answers::{Answer, json as answer, refusal, respond};
use crate::api::Parameters;
use crate::media::MAX_PICTURE_BYTES;
use crate::world::SharedState;

/// Room for the picture and the form around it.
const MAX_FORM_BYTES: usize = MAX_PICTURE_BYTES + 64 * 1024;

pub(crate) fn upload_route() -> Router<SharedState> {
    Router::new()
        .route("/cgi-bin/media/upload", post(upload))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
}

async fn upload(
    State(world): State<SharedState>,
    Query(query): Parameters,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let upload = || -> Answer {
        let account = world.account_of_token(query.access_token.as_deref())?;
        if query.kind.as_deref() != Some("image") {
            return Err(40004);
        }
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let boundary = content_type.and_then(boundary).ok_or(41005)?;
        let file = form_file(&body, boundary, "media").ok_or(41005)?;
        let now = world.clock.now_ms();
        let picture = world.media.lock().add(account.index, file.to_vec(), now)?;
        Ok(answer(&json!({
            "type": "image",
            "media_id": picture.id,
            "created_at": now / 1000,
        })))
    };
    respond(upload())
}

pub(crate) async fn download(
    State(world): State<SharedState>,
    Query(query): Parameters,
) -> Response {
    let find = || -> Result<_, i64> {
        let account = world.account_of_token(query.access_token.as_deref())?;
        let id = query.media_id.as_deref().unwrap_or_default();
        world.media.lock().find(account.index, id, world.clock.now_ms())
    };
    match find() {
        Ok(picture) => {
            let extension = picture.content_type.trim_start_matches("image/");
            let name = format!("attachment; filename=\"{}.{extension}\"", picture.id);
            let headers =
                [(CONTENT_TYPE, picture.content_type.to_owned()), (CONTENT_DISPOSITION, name)];
            (headers, picture.bytes.clone()).into_response()
        }
        Err(errcode) => refusal(errcode),
    }
}

fn boundary(content_type: &str) -> Option<&str> {
    let value = content_type.strip_prefix("multipart/form-data")?.split("boundary=").nth(1)?;
    let value = value.split(';').next()?.trim().trim_matches('"');
    Some(value).filter(|value| !value.is_empty())
}

/// Content of the part `name` of a form.
fn form_file<'a>(body: &'a [u8], boundary: &str, name: &str) -> Option<&'a [u8]> {
    let opening = format!("--{boundary}\r\n");
    let closing = format!("\r\n--{boundary}");
    let mut rest = body;
    loop {
        rest = &rest[find(rest, opening.as_bytes())? + opening.len()..];
        let head_end = find(rest, b"\r\n\r\n")?;
        let (head, content) = (&rest[..head_end], &rest[head_end + 4..]);
        let content = &content[..find(content, closing.as_bytes())?];
        let head = String::from_utf8_lossy(head);
        if head.contains(&format!("name=\"{name}\"")) {
            return Some(content);
        }
        rest = &rest[head_end + 4 + content.len() + 2..];
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::{boundary, form_file};

    #[test]
    fn the_file_of_a_form_is_found() {
        let content_type = "multipart/form-data; boundary=\"b1\"";
        assert_eq!(boundary(content_type), Some("b1"));
        assert_eq!(boundary("application/json"), None);
        let form = b"--b1\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n--b1\r\n\
            Content-Disposition: form-data; name=\"media\"; filename=\"a.png\"\r\n\
            Content-Type: image/png\r\n\r\n\x89PNG\r\n\r\n--b\r\n--b1--\r\n";
        assert_eq!(form_file(form, "b1", "media"), Some(&b"\x89PNG\r\n\r\n--b"[..]));
        assert_eq!(form_file(form, "b1", "none"), None);
        assert_eq!(form_file(b"--b1\r\n", "b1", "media"), None);
        assert_eq!(form_file(b"", "b1", "media"), None);
    }
}
