//! Migration of an account (账号迁移): the followers before it, and their openids after it.

use crate::api::Api;
use crate::client::{ApiRequest, Client};
use crate::codes::CodeScope;
use crate::error::CallError;
use crate::secret::{AccessToken, OpenId};
use serde::Deserialize;
use serde_json::json;

/// Most openids of one call of `changeopenid`.
pub const MAX_CHANGED_OPENIDS: usize = 100;

/// A part of the list of an account's followers, which has up to 10,000.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowerPage {
    /// Followers of this part.
    pub openids: Vec<OpenId>,
    /// The follower after whom the next part begins; `None` at the end of the list.
    pub next: Option<OpenId>,
}

#[derive(Deserialize)]
struct FollowersResponse {
    #[serde(default)]
    data: FollowerData,
    #[serde(default)]
    next_openid: Option<OpenId>,
}

#[derive(Default, Deserialize)]
struct FollowerData {
    #[serde(default)]
    openid: Vec<OpenId>,
}

/// Openid of a person at the account to which the former one migrated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedOpenId {
    /// Openid at the former account.
    pub former: OpenId,
    /// Openid at the new account; `None` if the person did not follow the former one, or does not
    /// follow the new one.
    pub new: Option<OpenId>,
}

#[derive(Deserialize)]
struct ChangeOpenIdsResponse {
    #[serde(default)]
    result_list: Vec<ChangeOpenIdResult>,
}

#[derive(Deserialize)]
struct ChangeOpenIdResult {
    ori_openid: OpenId,
    #[serde(default)]
    new_openid: Option<OpenId>,
}

fn non_empty(openid: Option<OpenId>) -> Option<OpenId> {
    openid.filter(|openid| !openid.expose().is_empty())
}

impl Client {
    /// `user/get`: the part of the list of followers that begins behind `after`. A former account
    /// tells it until its migration is confirmed.
    pub async fn followers(
        &self,
        token: &AccessToken,
        after: Option<&OpenId>,
    ) -> Result<FollowerPage, CallError> {
        let after = after.map_or("", OpenId::expose);
        let response: FollowersResponse = self
            .call(ApiRequest {
                api: Api::Followers,
                scope: CodeScope::Call,
                query: &[("access_token", token.expose()), ("next_openid", after)],
                body: None,
                secrets: &[token.expose(), after],
            })
            .await?;
        let openids = response.data.openid;
        // WeChat repeats the last openid at the end of the list.
        let next = non_empty(response.next_openid).filter(|_| !openids.is_empty());
        Ok(FollowerPage { openids, next })
    }

    /// `changeopenid`: the new openids of up to [`MAX_CHANGED_OPENIDS`] people of the account
    /// `from`, which is named by its AppID or its original id. `token` is that of the new account.
    /// WeChat tells them for fifteen days after the migration.
    pub async fn change_openids(
        &self,
        token: &AccessToken,
        from: &str,
        openids: &[OpenId],
    ) -> Result<Vec<ChangedOpenId>, CallError> {
        let list: Vec<_> = openids.iter().map(OpenId::expose).collect();
        let secrets: Vec<_> = list.iter().copied().chain([token.expose()]).collect();
        let response: ChangeOpenIdsResponse = self
            .call(ApiRequest {
                api: Api::ChangeOpenIds,
                scope: CodeScope::Call,
                query: &[("access_token", token.expose())],
                body: Some(json!({ "from_appid": from, "openid_list": list })),
                secrets: &secrets,
            })
            .await?;
        let results = response.result_list.into_iter();
        let changed = results.map(|result| ChangedOpenId {
            former: result.ori_openid,
            new: non_empty(result.new_openid),
        });
        Ok(changed.collect())
    }
}
