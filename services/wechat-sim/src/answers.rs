//! Responses in WeChat's form: always HTTP 200, `encoding=utf-8`, `\/`, and a `rid` at the end of
//! error texts.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::clock::wall_ms;
use crate::random;

/// Response of a call, or the error code that refuses it.
pub(crate) type Answer = Result<Response, i64>;

/// Builds a JSON response.
pub(crate) fn json(value: &impl Serialize) -> Response {
    let text = serde_json::to_string(value).expect("answers have no maps with odd keys");
    let text = text.replace('/', "\\/");
    ([(CONTENT_TYPE, "application/json; encoding=utf-8")], text).into_response()
}

/// Builds the response of a call that returns nothing.
pub(crate) fn ok() -> Response {
    json(&serde_json::json!({ "errcode": 0, "errmsg": "ok" }))
}

/// Builds the response of a call, or that of the error code that refuses it.
pub(crate) fn respond(answer: Answer) -> Response {
    answer.unwrap_or_else(refusal)
}

/// Builds an error response with WeChat's text for the code.
pub(crate) fn refusal(errcode: i64) -> Response {
    refusal_with_text(errcode, errmsg_for(errcode))
}

/// Builds an error response with this text, followed by a changing `rid`.
pub(crate) fn refusal_with_text(errcode: i64, errmsg: &str) -> Response {
    #[derive(Serialize)]
    struct Refusal {
        errcode: i64,
        errmsg: String,
    }
    json(&Refusal { errcode, errmsg: format!("{errmsg} rid: {}", request_id_tail()) })
}

fn request_id_tail() -> String {
    let second = wall_ms() / 1000;
    format!(
        "{second:08x}-{}-{}",
        hex::encode(random::bytes::<4>()),
        hex::encode(random::bytes::<4>())
    )
}

/// Returns WeChat's text for a code, without the `rid`.
fn errmsg_for(errcode: i64) -> &'static str {
    match errcode {
        -1 => "system error",
        40001 => {
            "invalid credential, access_token is invalid or not latest, could get access_token \
             by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r"
        }
        40002 => "invalid grant_type",
        40003 => "invalid openid",
        40004 => "invalid media type",
        40005 => "invalid file type",
        40007 => "invalid media_id",
        40009 => "invalid image size",
        40013 => "invalid appid",
        40014 => "invalid access_token",
        40015 => "invalid menu type",
        40016 => "invalid button size",
        40017 => "invalid button type",
        40018 => "invalid button name size",
        40019 => "invalid button key size",
        40020 => "invalid button url size",
        40022 => "invalid sub button level",
        40023 => "invalid sub button size",
        40024 => "invalid sub button type",
        40025 => "invalid sub button name size",
        40026 => "invalid sub button key size",
        40027 => "invalid sub button url size",
        40030 => "invalid refresh_token",
        40032 => "invalid openid list size",
        40054 => "invalid sub button url domain",
        40055 => "invalid button url domain",
        40165 => "invalid weapp pagepath",
        45064 => "no permission to use weapp in menu",
        46003 => "menu no exist",
        40036 => "invalid template_id size",
        40037 => "invalid template_id",
        40039 => "invalid url size",
        40052 => "invalid action name",
        40053 => "invalid action info",
        40066 => "invalid url",
        40125 => "invalid appsecret, view more at http://t.cn/RAEkdVq",
        40164 => "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist",
        40241 => "The message is duplicate in 60 seconds",
        41001 => "access_token missing",
        41002 => "appid missing",
        41004 => "appsecret missing",
        41005 => "media data missing",
        42001 => "access_token expired",
        43001 => "require GET method",
        43002 => "require POST method",
        43004 => "require subscribe",
        43019 => "require remove blacklist",
        43101 => "user refuse to accept the msg",
        43116 => "This template_id is banned",
        43117 => "Sending messages to this openid too frequently,please try later",
        44001 => "empty media data",
        44004 => "empty content",
        45002 => "content size out of limit",
        45009 => "reach max api daily quota limit",
        45011 => "api minute-quota reach limit, must slower, retry next minute",
        45015 => "response out of time limit or subscription is canceled",
        45047 => "out of response count limit",
        45056 => "tag count out of limit",
        45058 => "can't modify sys tag",
        45059 => "can't add more tags to user",
        45157 => "invalid tag name",
        45158 => "tag name too long",
        45159 => "invalid tag id",
        40008 => "invalid message type",
        40029 => "invalid code",
        40163 => "code been used",
        41008 => "missing code",
        42003 => "code expired",
        48006 => "forbid to clear quota because of reaching the limit",
        63178 => "appid wrong",
        63182 => "openid_list empty",
        63183 => "appid error",
        76021 => "cgi_path not found, please check",
        76022 => "could not use this cgi_path, no permission",
        45029 => "qrcode count out of limit",
        40246 => "invalid keyword_name_list",
        200_012 => "template count over limit",
        200_014 => "invalid tid",
        200_016 => "invalid start",
        200_017 => "invalid limit",
        200_018 => "invalid category ids",
        200_020 => "invalid kidList",
        200_021 => "invalid sceneDesc",
        200_022 => "invalid kidList size",
        47001 => "data format error",
        47003 => "argument invalid!",
        48001 => "api unauthorized",
        48004 => "api forbidden",
        50002 => "user limited",
        50005 => "user is unsubscribed",
        _ => "error",
    }
}
