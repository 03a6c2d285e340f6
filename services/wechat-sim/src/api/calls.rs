//! Calls that WeChat has, served or not, and the answers to those that are not served.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::answers::refusal;
use crate::world::SharedState;

/// Libraries that make a call, by its path.
pub(crate) static CALLS: LazyLock<BTreeMap<&str, Vec<&str>>> = LazyLock::new(|| {
    let lines = include_str!("calls.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.split_whitespace();
            (words.next().unwrap_or_default(), words.collect())
        })
        .collect()
});

/// Refuses a call that is not served: 48001 for one that WeChat has, as an account without the
/// right to it gets, and 40066 for one that it has not.
pub(crate) async fn unknown(State(world): State<SharedState>, uri: Uri) -> Response {
    let path = uri.path();
    if CALLS.contains_key(path) {
        return match world.account_of_token(query_token(&uri).as_deref()) {
            Err(errcode) => refusal(errcode),
            Ok(_) => refusal(48001),
        };
    }
    let family = |path: &str| path.split('/').nth(1).unwrap_or_default().to_owned();
    if CALLS.keys().any(|call| family(call) == family(path)) {
        refusal(40066)
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

fn query_token(uri: &Uri) -> Option<String> {
    let pairs = uri.query()?.split('&');
    pairs.filter_map(|pair| pair.strip_prefix("access_token=")).next().map(str::to_owned)
}

/// Refuses a call that is made by another method than its own. WeChat's calls are made by GET or
/// by POST, so the other one is asked for.
pub(crate) async fn wrong_method(method: Method, uri: Uri) -> Response {
    if !CALLS.contains_key(uri.path()) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    refusal(if method == Method::POST { 43001 } else { 43002 })
}
