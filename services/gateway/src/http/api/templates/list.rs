//! Templates of an account as WeChat lists them, with those that are chosen for each notice.

use crate::http::access::Owner;
use crate::http::errors::wechat_problem;
use crate::http::openapi::{Routes, WithEtag, endpoint};
use crate::http::refusals::{self, Problem, ProblemKind};
use crate::http::state::AppState;
use crate::settings::documents::{DocumentKind, SettingsDocuments};
use axum::extract::{Path, State};
use paihao_contracts::notice::Channel;
use paihao_contracts::settings::AccountSetup;
use paihao_notice_text::policy;
use paihao_notice_text::render::Binding;
use paihao_wechat::template::{FieldType, Template, TemplateField};
use paihao_wechat::{AccountClientError, CallError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(super) const TEMPLATES_PATH: &str = "/api/v1/accounts/{account}/templates";

/// Return code for a call that the account may not make.
const FORBIDDEN_API: i64 = 48001;

/// Refusals of every operation that asks WeChat about templates.
pub(super) const WECHAT_REFUSALS: &[&ProblemKind] = &[
    &refusals::UNKNOWN_ACCOUNT,
    &refusals::TEMPLATES_NOT_PERMITTED,
    &refusals::TEMPLATE_REFUSED,
    &refusals::WECHAT_UNAVAILABLE,
];

pub(super) fn routes() -> Routes {
    Routes::new().get(
        TEMPLATES_PATH,
        list,
        endpoint("account_templates", "Lists an account's templates, as WeChat has them").refuses(
            &[&refusals::UNKNOWN_ACCOUNT, &refusals::NEWER_LEDGER, &refusals::LEDGER_UNAVAILABLE],
        ),
    )
}

/// Kind of notice with a template of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum NoticeKind {
    /// Calls, and repeated ones.
    Called,
    /// Other changes for a number that waits.
    Progress,
    /// A number that was missed.
    Missed,
}

impl NoticeKind {
    const ALL: [NoticeKind; 3] = [NoticeKind::Called, NoticeKind::Progress, NoticeKind::Missed];

    pub(super) fn name(self) -> &'static str {
        match self {
            NoticeKind::Called => "called",
            NoticeKind::Progress => "progress",
            NoticeKind::Missed => "missed",
        }
    }

    pub(super) fn parse(name: &str) -> Result<NoticeKind, Problem> {
        let found = NoticeKind::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| Problem::new(&refusals::UNKNOWN_WORDING))
    }
}

/// Kind of template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum TemplateKind {
    /// Template messages.
    Message,
    /// Subscription notices.
    Subscription,
}

impl TemplateKind {
    pub(super) fn channel(self) -> Channel {
        match self {
            TemplateKind::Message => Channel::Template,
            TemplateKind::Subscription => Channel::Subscription,
        }
    }
}

/// Templates of an account.
#[derive(Serialize, JsonSchema)]
struct AccountTemplatesView {
    /// The account's name.
    account: String,
    /// Templates of template messages.
    message: TemplateListView,
    /// Templates of subscription notices.
    subscription: TemplateListView,
    /// Choice for each kind of notice.
    notices: Vec<NoticeTemplatesView>,
}

/// Templates of one kind.
#[derive(Serialize, JsonSchema)]
struct TemplateListView {
    /// Templates, in WeChat's order.
    templates: Vec<TemplateView>,
    /// Reason why WeChat told none.
    refused: Option<WechatRefusalView>,
}

/// Refusal of WeChat's.
#[derive(Serialize, JsonSchema)]
struct WechatRefusalView {
    /// WeChat's code; `null` if there was no answer.
    code: Option<i64>,
    /// Words of WeChat, or the end of the call.
    words: String,
    /// Advice; empty if nobody knows any.
    advice: &'static str,
}

/// Template.
#[derive(Serialize, JsonSchema)]
struct TemplateView {
    /// WeChat's id.
    template_id: String,
    /// Title of the card.
    title: String,
    /// Fields, in the order of the card.
    fields: Vec<TemplateFieldView>,
    /// True for one of the old kind, whose texts WeChat drops.
    outdated: bool,
}

/// Field of a template.
#[derive(Serialize, JsonSchema)]
struct TemplateFieldView {
    /// Key by which messages refer to it.
    key: String,
    /// Words before it; empty if there are none.
    label: String,
}

/// Choice for a kind of notice.
#[derive(Serialize, JsonSchema)]
struct NoticeTemplatesView {
    /// Kind of notice.
    notice: NoticeKind,
    /// Template of the template message.
    message: Option<ChosenTemplate>,
    /// Template of the subscription notice.
    subscription: Option<ChosenTemplate>,
    /// True if the configuration file sets them, so that they are changed there alone.
    set_by_file: bool,
}

/// Template that is chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChosenTemplate {
    /// WeChat's id.
    pub(super) template_id: String,
    /// Text of each field, with placeholders.
    pub(super) fields: BTreeMap<String, String>,
}

impl From<&Binding> for ChosenTemplate {
    fn from(binding: &Binding) -> ChosenTemplate {
        ChosenTemplate {
            template_id: binding.template_id.clone(),
            fields: binding.fields.iter().cloned().collect(),
        }
    }
}

impl From<&Template> for TemplateView {
    fn from(template: &Template) -> TemplateView {
        let fields = template.fields();
        TemplateView {
            template_id: template.id.clone(),
            title: template.title.clone(),
            outdated: fields.is_empty() || fields.iter().any(is_untyped),
            fields: fields
                .into_iter()
                .map(|TemplateField { key, label, .. }| TemplateFieldView { key, label })
                .collect(),
        }
    }
}

fn is_untyped(field: &TemplateField) -> bool {
    FieldType::from_key(&field.key).is_none()
}

/// Refused unless there is this account.
pub(super) fn require_known_account(state: &AppState, account: &str) -> Result<(), Problem> {
    let known = state.deployment.account(account);
    known.map(drop).ok_or_else(|| Problem::new(&refusals::UNKNOWN_ACCOUNT))
}

/// Templates of one kind that the account has at WeChat.
async fn read_templates(
    state: &AppState,
    account: &str,
    kind: TemplateKind,
) -> Result<Vec<Template>, AccountClientError> {
    let templates = match kind {
        TemplateKind::Message => state.wechat.list_templates(account).await?,
        TemplateKind::Subscription => state.wechat.list_subscription_templates(account).await?,
    };
    state.templates.keep(account, kind.channel(), &templates);
    Ok(templates)
}

/// The account's template of this id, as WeChat has it now.
pub(super) async fn find_template(
    state: &AppState,
    account: &str,
    kind: TemplateKind,
    id: &str,
) -> Result<Template, Problem> {
    let templates = read_templates(state, account, kind).await.map_err(template_problem)?;
    let found = templates.into_iter().find(|template| template.id == id);
    found.ok_or_else(|| Problem::new(&refusals::UNKNOWN_TEMPLATE))
}

pub(super) fn template_problem(error: AccountClientError) -> Problem {
    match &error {
        AccountClientError::Call(CallError::Refused(refusal)) if refusal.code == FORBIDDEN_API => {
            Problem::new(&refusals::TEMPLATES_NOT_PERMITTED).with_detail(refusal.to_string())
        }
        _ => wechat_problem(error, &refusals::TEMPLATE_REFUSED),
    }
}

fn refusal_view(error: &AccountClientError) -> WechatRefusalView {
    let refusal = match error {
        AccountClientError::Call(CallError::Refused(refusal)) => Some(refusal),
        _ => None,
    };
    WechatRefusalView {
        code: error.code(),
        words: error.to_string(),
        advice: refusal.map_or("", |refusal| refusal.advice()),
    }
}

/// True if the configuration file sets the templates of this kind of notice: it names some, and
/// nobody has changed the account's settings since.
pub(super) fn is_set_by_file(
    documents: &SettingsDocuments,
    account: &str,
    notice: NoticeKind,
) -> bool {
    let is_original = documents.revision(DocumentKind::Account, account).0 == 0;
    let [message, subscription] = chosen(&documents.account_setup(account), notice);
    is_original && (message.is_some() || subscription.is_some())
}

/// Choice for a kind of notice: the template message and the subscription notice.
pub(super) fn chosen(setup: &AccountSetup, notice: NoticeKind) -> [Option<ChosenTemplate>; 2] {
    let policies = policy::account_policies(setup);
    let policy = policies.get(notice.name());
    let chosen = |binding: Option<&Binding>| binding.map(ChosenTemplate::from);
    [
        chosen(policy.and_then(|policy| policy.template.as_ref())),
        chosen(policy.and_then(|policy| policy.subscription.as_ref())),
    ]
}

async fn list(
    State(state): State<AppState>,
    Path(account): Path<String>,
    _: Owner,
) -> Result<WithEtag<AccountTemplatesView>, Problem> {
    require_known_account(&state, &account)?;
    let documents = state.settings_editor.latest_documents(DocumentKind::Account, &account).await?;
    let setup = documents.account_setup(&account);
    let notices = NoticeKind::ALL.map(|notice| {
        let [message, subscription] = chosen(&setup, notice);
        let set_by_file = is_set_by_file(&documents, &account, notice);
        NoticeTemplatesView { notice, message, subscription, set_by_file }
    });
    let (message, subscription) = futures::join!(
        read_templates(&state, &account, TemplateKind::Message),
        read_templates(&state, &account, TemplateKind::Subscription),
    );
    let list = |templates: Result<Vec<Template>, AccountClientError>| TemplateListView {
        refused: templates.as_ref().err().map(refusal_view),
        templates: templates.iter().flatten().map(TemplateView::from).collect(),
    };
    let view = AccountTemplatesView {
        message: list(message),
        subscription: list(subscription),
        notices: notices.into(),
        account: account.clone(),
    };
    Ok(WithEtag(documents.revision(DocumentKind::Account, &account).0, view))
}
