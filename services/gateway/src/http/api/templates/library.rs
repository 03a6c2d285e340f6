//! Addition of a template of the public library to the account's own.

use super::list::{
    NoticeKind, TEMPLATES_PATH, TemplateKind, WECHAT_REFUSALS, require_known_account,
    template_problem,
};
use super::mapping::{MAX_BODY_BYTES, names};
use crate::http::access::Owner;
use crate::http::openapi::{Created, Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use axum::body::Body;
use axum::extract::{Path, State};
use paihao_http_api::body;
use paihao_notice_text::mapping;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most titles of the library whose keywords are read.
const MAX_TITLES: usize = 5;

/// Return code for keywords that the template does not have.
const WRONG_KEYWORDS: i64 = 40246;

pub(super) fn routes() -> Routes {
    Routes::new().post(
        TEMPLATES_PATH,
        add,
        endpoint("add_template", "Adds a template of WeChat's public library to the account's own")
            .json_body::<AddTemplateRequest>()
            .without_idempotency_key("WeChat keeps each addition, up to twenty-five")
            .refuses(WECHAT_REFUSALS)
            .refuses(&[&refusals::NO_LIBRARY_TEMPLATE]),
    )
}

/// Template to add.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AddTemplateRequest {
    /// Kind of notice that it is for.
    notice: NoticeKind,
    /// Kind of template.
    kind: TemplateKind,
}

/// Template that was added.
#[derive(Serialize, JsonSchema)]
struct AddedTemplateView {
    /// WeChat's id.
    template_id: String,
}

/// Number in the library of template messages, with the names of the keywords.
fn library_template(notice: NoticeKind) -> (&'static str, &'static [&'static str]) {
    match notice {
        NoticeKind::Called => ("43522", &["门店名称", "办理窗口", "排队号码", "叫号时间"]),
        NoticeKind::Progress => {
            ("43521", &["门店名称", "排队号码", "前面人数", "预计等待", "温馨提示"])
        }
        NoticeKind::Missed => ("43524", &["门店名称", "排队号码", "温馨提示"]),
    }
}

/// Description of the template's use, which WeChat shows to those who agree; at most 15 characters.
fn scene(notice: NoticeKind) -> &'static str {
    match notice {
        NoticeKind::Called => "叫到您的号时通知您",
        NoticeKind::Progress => "排队有变化时通知您",
        NoticeKind::Missed => "过号时通知您",
    }
}

async fn add(
    State(state): State<AppState>,
    Path(account): Path<String>,
    Owner { principal }: Owner,
    body: Body,
) -> Result<Created<AddedTemplateView>, Problem> {
    require_known_account(&state, &account)?;
    let AddTemplateRequest { notice, kind } =
        body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let template_id = match kind {
        TemplateKind::Message => add_message_template(&state, &account, notice).await?,
        TemplateKind::Subscription => add_subscription_template(&state, &account, notice).await?,
    };
    tracing::info!(account, by = %principal.name, notice = notice.name(), "template added");
    Ok(Created(AddedTemplateView { template_id }))
}

async fn add_message_template(
    state: &AppState,
    account: &str,
    notice: NoticeKind,
) -> Result<String, Problem> {
    let (number, keywords) = library_template(notice);
    match state.wechat.add_template(account, number, keywords).await {
        // WeChat publishes the names in its console alone, and may change them: all of them then.
        Err(error) if error.code() == Some(WRONG_KEYWORDS) => {
            state.wechat.add_template(account, number, &[]).await
        }
        added => added,
    }
    .map_err(template_problem)
}

/// Adds the first title of the account's categories whose keywords say what the notice needs.
async fn add_subscription_template(
    state: &AppState,
    account: &str,
    notice: NoticeKind,
) -> Result<String, Problem> {
    let wechat = &state.wechat;
    let names = names(state, account);
    let titles = wechat.subscription_titles(account).await.map_err(template_problem)?;
    let fitting = titles.iter().filter(|one| mapping::fits_title(notice.name(), &one.title));
    for title in fitting.take(MAX_TITLES) {
        let keywords = wechat.subscription_keywords(account, title.tid).await;
        let keywords = keywords.map_err(template_problem)?;
        let Some(chosen) = mapping::choose_keywords(notice.name(), &keywords, &names) else {
            continue;
        };
        let scene = scene(notice);
        let added = wechat.add_subscription_template(account, title.tid, &chosen, scene).await;
        return added.map_err(template_problem);
    }
    Err(Problem::new(&refusals::NO_LIBRARY_TEMPLATE))
}
