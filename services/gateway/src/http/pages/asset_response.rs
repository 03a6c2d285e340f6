//! Responses with the pages' files: compressed, and kept by browsers as long as the build lasts.

use super::assets::{ASSETS, Asset};
use super::build_id::{is_build_id, own_build_id};
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::Write;
use std::sync::{LazyLock, OnceLock};

/// For a file below the id of this build, which never changes.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// For the same file at any other address.
const CHECKED: HeaderValue = HeaderValue::from_static("no-cache");

/// File with what is computed from it once.
struct ServedAsset {
    asset: &'static Asset,
    tag: HeaderValue,
    compressed: OnceLock<Bytes>,
}

static SERVED: LazyLock<HashMap<&str, ServedAsset>> =
    LazyLock::new(|| ASSETS.iter().map(|asset| (asset.path, ServedAsset::new(asset))).collect());

impl ServedAsset {
    fn new(asset: &'static Asset) -> ServedAsset {
        let tag = format!("\"{}\"", hex::encode(&Sha256::digest(asset.body)[..8]));
        let tag = HeaderValue::try_from(tag).expect("hexadecimal digits");
        ServedAsset { asset, tag, compressed: OnceLock::new() }
    }

    fn content_type(&self) -> HeaderValue {
        HeaderValue::from_static(if self.asset.path.ends_with(".css") {
            "text/css; charset=utf-8"
        } else {
            "text/javascript; charset=utf-8"
        })
    }

    fn compressed(&self) -> Bytes {
        self.compressed.get_or_init(|| compress(self.asset.body)).clone()
    }
}

/// `GET /assets/{path}`: the file, or 304 to a browser that has it. During an update a page of one
/// build asks a gateway of another, too, which answers with its own file.
pub(super) async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    let (build, below) = path.split_once('/').unwrap_or_default();
    let file = if is_build_id(build) { below } else { &path };
    let Some(served) = SERVED.get(file) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let caching = if build == own_build_id() { KEPT } else { CHECKED };
    let about = [
        (header::ETAG, served.tag.clone()),
        (header::CACHE_CONTROL, caching),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
    ];
    if headers.get(header::IF_NONE_MATCH) == Some(&served.tag) {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    let kind = [(header::CONTENT_TYPE, served.content_type())];
    if takes_gzip(&headers) {
        let encoding = [(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))];
        return (about, kind, encoding, served.compressed()).into_response();
    }
    (about, kind, served.asset.body).into_response()
}

/// Tells whether a client takes gzip (RFC 9110, section 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let listed = headers.get_all(header::ACCEPT_ENCODING).iter();
    let mut codings = listed.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").map(str::parse::<f32>);
        name.trim().eq_ignore_ascii_case("gzip") && weight != Some(Ok(0.0))
    })
}

pub(super) fn compress(text: &str) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes()).expect("memory takes it");
    encoder.finish().expect("memory takes it").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;
    use flate2::read::GzDecoder;
    use std::io::Read;

    const FILE: &str = "shared/base.css";

    async fn get(path: &str, sent: &[(header::HeaderName, &str)]) -> Response {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.insert(name, value.parse().unwrap());
        }
        asset(Path(path.to_owned()), headers).await
    }

    fn header_of(response: &Response, name: header::HeaderName) -> &str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[tokio::test]
    async fn only_the_address_of_this_build_is_kept_without_a_check() {
        let own = own_build_id();
        let other = "0123456789abcdef";
        for (path, kept) in [
            (format!("{own}/{FILE}"), true),
            (format!("{other}/{FILE}"), false),
            (FILE.to_owned(), false),
        ] {
            let response = get(&path, &[]).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            let caching = header_of(&response, header::CACHE_CONTROL);
            assert_eq!(caching.contains("immutable"), kept, "{path}: {caching}");
            let tag = header_of(&response, header::ETAG).to_owned();
            let again = get(&path, &[(header::IF_NONE_MATCH, &tag)]).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
        }
        for path in ["", own, "nothing.js", &format!("{own}/{own}/{FILE}"), "x/shared/base.css"] {
            assert_eq!(get(path, &[]).await.status(), StatusCode::NOT_FOUND, "{path:?}");
        }
    }

    #[tokio::test]
    async fn whoever_takes_gzip_gets_it_and_nobody_else() {
        for (accepted, is_compressed) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5, br", true),
            ("br;q=1.0,gzip ; q=0.8", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000, deflate", false),
            ("br", false),
            ("", false),
        ] {
            let response = get(FILE, &[(header::ACCEPT_ENCODING, accepted)]).await;
            let encoding = header_of(&response, header::CONTENT_ENCODING);
            assert_eq!(encoding == "gzip", is_compressed, "{accepted:?}: {encoding}");
            assert_eq!(header_of(&response, header::VARY), "accept-encoding");
            let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            let mut text = String::new();
            if is_compressed {
                GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
            } else {
                text = String::from_utf8(body.to_vec()).unwrap();
            }
            assert_eq!(text, SERVED[FILE].asset.body, "{accepted:?}");
        }
    }
}
