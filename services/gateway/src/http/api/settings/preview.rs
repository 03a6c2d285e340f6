//! Preview of a notice as a customer sees it in WeChat, rendered by the notifier's code.

use super::request::MAX_BODY_BYTES;
use crate::http::access::{ManagerScope, Owner, SiteAccess};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::replies;
use crate::http::state::AppState;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use paihao_chassis::config::ConfigProblems;
use paihao_contracts::notice::{Channel, Notice};
use paihao_contracts::settings::{AccountSetup, SiteSetup};
use paihao_http_api::body;
use paihao_notice_text::render::Binding;
use paihao_notice_text::sample::{self, SampleContext};
use paihao_notice_text::{NoticePolicy, check, policy, render};
use paihao_wechat::template::Template;
use paihao_wechat::text::fit_text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) fn routes() -> Routes {
    Routes::new().post(
        "/api/v1/book/sites/{site}/preview",
        preview,
        endpoint("preview_notice", "Previews a notice as a customer sees it in WeChat")
            .json_body::<PreviewNoticeRequest>()
            .without_idempotency_key("it changes nothing")
            .refuses(&[
                &refusals::UNSOUND_SETUP,
                &refusals::UNKNOWN_WORDING,
                &refusals::UNKNOWN_ACCOUNT,
                &refusals::NOT_EVERY_SITE,
            ]),
    )
}

/// Notice to preview.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PreviewNoticeRequest {
    /// The kind of notice: `joined`, `near`, `called`.
    kind: String,
    /// Site settings to preview; the current ones, if left out.
    setup: Option<SiteSetup>,
    /// Account settings to preview; the current ones, if left out.
    account: Option<AccountSetup>,
}

/// Preview of a notice.
#[derive(Serialize, JsonSchema)]
struct NoticePreview {
    /// Channels, in the order in which they are tried.
    channels: Vec<&'static str>,
    /// The template message.
    template: Option<PreviewCard>,
    /// The subscription notice.
    subscription: Option<PreviewCard>,
    /// The customer-service text, or the answer to a scan.
    text: Option<String>,
}

/// Card of a template message or subscription notice.
#[derive(Serialize, JsonSchema)]
struct PreviewCard {
    /// Heading, if WeChat returned it.
    title: Option<String>,
    /// Lines of the card.
    lines: Vec<PreviewCardLine>,
}

/// Line of a card.
#[derive(Serialize, JsonSchema)]
struct PreviewCardLine {
    /// Label of the field, or its key.
    label: String,
    /// Content of the field.
    text: String,
}

async fn preview(
    State(state): State<AppState>,
    SiteAccess { site, principal, .. }: SiteAccess<ManagerScope>,
    body: Body,
) -> Result<Json<NoticePreview>, Problem> {
    let request: PreviewNoticeRequest =
        body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let documents = state.live_settings.now();
    let current_setup = documents.site(&site).cloned();
    let current_account = current_setup.as_ref().map(|setup| setup.account.clone());
    let setup = request.setup.or(current_setup).ok_or(&refusals::UNKNOWN_SITE)?;
    // Texts and templates of another account are read by those who manage every site alone.
    if current_account.as_ref() != Some(&setup.account) {
        Owner::require(principal)?;
    }
    let current_account = || {
        let is_known = state.deployment.known_accounts(&documents).contains(&setup.account);
        is_known.then(|| documents.account_setup(&setup.account))
    };
    let account = request.account.or_else(current_account).ok_or(&refusals::UNKNOWN_ACCOUNT)?;
    let mut problems = ConfigProblems::new();
    check::account(&format!("accounts.{}", setup.account), &account, &mut problems);
    check::wording(&format!("sites.{site}.wording"), &setup, &mut problems);
    let key = format!("accounts.{}", setup.account);
    check::exactness(&key, &account, [(&*site, &setup)], &mut problems);
    problems.into_result().map_err(|error| refusals::invalid_settings(&error))?;
    if request.kind == "joined" {
        let text = Some(fit_text(&replies::joined_reply_sample(&setup)).into_owned());
        let channels = vec![Channel::PassiveReply.name()];
        return Ok(Json(NoticePreview { channels, template: None, subscription: None, text }));
    }
    let context = sample_context(&site, &setup, state.clock.now_ms());
    let notice = sample::notice(&request.kind, &context);
    let notice = notice.ok_or(&refusals::UNKNOWN_WORDING)?;
    let kind = render::kind(&notice);
    let account_policy = policy::account_policies(&account).remove(kind).unwrap_or_default();
    let policy = match setup.wording.get(&request.kind) {
        Some(wording) => account_policy.with_wording(wording),
        None => account_policy,
    };
    let templates = state.templates.for_account(&setup.account).await;
    Ok(Json(render_preview(&notice, &policy, &templates)))
}

fn render_preview(notice: &Notice, policy: &NoticePolicy, templates: &[Template]) -> NoticePreview {
    let uses = |channel| policy.usable_channels().any(|usable| usable == channel);
    let card = |channel, fields: Option<Vec<(String, String)>>, binding: Option<&Binding>| {
        let (fields, binding) = fields.filter(|_| uses(channel)).zip(binding)?;
        Some(render_card(&fields, binding, templates))
    };
    let template = render::template(notice, policy).ok().map(|message| message.fields);
    let subscription = render::subscription(notice, policy).ok().map(|message| message.fields);
    NoticePreview {
        channels: policy.usable_channels().map(Channel::name).collect(),
        template: card(Channel::Template, template, policy.template.as_ref()),
        subscription: card(Channel::Subscription, subscription, policy.subscription.as_ref()),
        text: render::text(notice, policy).ok().filter(|_| uses(Channel::CustomerService)),
    }
}

fn render_card(
    fields: &[(String, String)],
    binding: &Binding,
    templates: &[Template],
) -> PreviewCard {
    let template = templates.iter().find(|template| template.id == binding.template_id);
    let mut lines: Vec<_> = fields
        .iter()
        .map(|(key, text)| {
            let label = template.and_then(|template| template.label(key));
            let label = label.unwrap_or_else(|| key.clone());
            (key, PreviewCardLine { label, text: text.clone() })
        })
        .collect();
    let index = |key: &str| {
        template.and_then(|template| template.keys().iter().position(|field| *field == key))
    };
    lines.sort_by_key(|(key, _)| index(key).unwrap_or(usize::MAX));
    let lines = lines.into_iter().map(|(_, line)| line).collect();
    PreviewCard { title: template.map(|template| template.title.clone()), lines }
}

fn sample_context(site: &str, setup: &SiteSetup, at: i64) -> SampleContext {
    let queue = setup.queues.values().next();
    let counter = setup.counters.values().next();
    SampleContext {
        account: setup.account.as_str().into(),
        site: site.to_owned(),
        site_name: setup.name.as_str().into(),
        zone: setup.time_zone.as_str().into(),
        queue_name: queue.map_or("综合业务", |queue| &*queue.name).into(),
        prefix: queue.map_or("A", |queue| &*queue.prefix).into(),
        counter_name: counter.map_or("1号窗口", |counter| &*counter.name).into(),
        at,
    }
}
