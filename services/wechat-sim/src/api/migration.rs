//! Handler of `changeopenid`, which tells the new openids after the migration of an account.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use crate::answers::{Answer, json as answer, respond};
use crate::api::Parameters;
use crate::world::SharedState;

/// Most openids of one call.
const MAX_OPENIDS: usize = 100;

#[derive(Deserialize)]
struct ChangeOpenidRequest {
    /// Original id of the former account by the newer documents, its AppID by the older.
    #[serde(default)]
    from_appid: String,
    #[serde(default)]
    openid_list: Vec<String>,
}

pub(crate) async fn change_openids(
    State(world): State<SharedState>,
    Query(query): Parameters,
    body: Bytes,
) -> Response {
    let change = || -> Answer {
        let account = world.account_of_token(query.access_token.as_deref())?;
        let request: ChangeOpenidRequest = serde_json::from_slice(&body).map_err(|_| 47001)?;
        let former = world.accounts.iter().find(|former| {
            [&former.config.original_id, &former.config.appid].contains(&&request.from_appid)
        });
        let former = former.ok_or(63178)?.index;
        if request.openid_list.is_empty() {
            return Err(63182);
        }
        if request.openid_list.len() > MAX_OPENIDS {
            return Err(40032);
        }
        let now = world.clock.now_ms();
        let migrations = world.migrations.lock();
        let migration = migrations
            .iter()
            .rev()
            .find(|it| it.from == former && it.to == account.index && it.is_told(now))
            .ok_or(63183)?;
        let results = request.openid_list.iter().map(|openid| match migration.new_openid(openid) {
            Some(new) => json!({ "ori_openid": openid, "new_openid": new, "err_msg": "ok" }),
            None => json!({ "ori_openid": openid, "err_msg": "ori_openid error" }),
        });
        let results: Vec<_> = results.collect();
        Ok(answer(&json!({ "errcode": 0, "errmsg": "ok", "result_list": results })))
    };
    respond(change())
}
