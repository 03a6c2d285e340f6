//! Requests of staff to a gateway, with a key of the configuration.

use crate::callback::wire::HttpConnection;
use anyhow::{Context, ensure};
use paihao_chassis::entropy;
use serde_json::Value;

/// Key of the staff, in the settings below.
const STAFF_KEY: &str = "a-key-of-the-bench-alone";

/// Settings of a gateway that knows the key at every site.
pub fn settings() -> String {
    format!("[staff.bench]\nkey = '{STAFF_KEY}'\nsites = ['*']\n")
}

/// Calls the next number at the counter of a site, and returns it.
pub async fn call_next(wire: &mut HttpConnection, site: &str) -> anyhow::Result<String> {
    let called = post(wire, site, "counters/1/call-next").await?;
    Ok(called["number"].as_str().context("a call without a number")?.to_owned())
}

/// Posts an act at a site, and returns the answer.
pub async fn post(wire: &mut HttpConnection, site: &str, path: &str) -> anyhow::Result<Value> {
    let request = format!(
        "POST /api/v1/sites/{site}/{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\
         Authorization: Bearer {STAFF_KEY}\r\nIdempotency-Key: {}\r\n\r\n",
        entropy::uuid()
    );
    let reply = wire.request(request.as_bytes()).await?;
    let body = String::from_utf8_lossy(reply.body);
    ensure!(reply.status == 200, "{path}: {} {body}", reply.status);
    Ok(serde_json::from_slice(reply.body)?)
}
