//! Choice of the templates of a kind of notice, in the account's settings.

use super::list::{
    ChosenTemplate, NoticeKind, TemplateKind, WECHAT_REFUSALS, chosen, find_template,
    is_set_by_file, require_known_account,
};
use super::mapping::{names, require_possible};
use crate::http::access::Owner;
use crate::http::api::settings::request::{UnreadRequest, put_operation};
use crate::http::openapi::{Routes, WithEtag};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::settings::documents::DocumentKind;
use crate::settings::update::{DocumentUpdate, SettingsUpdateResult};
use axum::extract::{Path, State};
use paihao_contracts::settings::{AccountSetup, NoticeSetup, TemplateSetup};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) fn routes() -> Routes {
    Routes::new().put(
        "/api/v1/book/accounts/{account}/notices/{kind}",
        choose,
        put_operation("choose_templates", "Chooses the templates of a kind of notice")
            .json_body::<ChooseTemplatesRequest>()
            .refuses(WECHAT_REFUSALS)
            .refuses(&[&refusals::UNKNOWN_TEMPLATE, &refusals::UNKNOWN_WORDING])
            .refuses(&[&refusals::SET_BY_FILE, &refusals::FORMS_HELD_BACK]),
    )
}

/// Templates of a kind of notice; `null` for none.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChooseTemplatesRequest {
    /// Template of the template message.
    message: Option<ChosenTemplate>,
    /// Template of the subscription notice.
    subscription: Option<ChosenTemplate>,
}

/// Settings of a kind of notice.
fn notice_setup(setup: &mut AccountSetup, notice: NoticeKind) -> &mut Option<NoticeSetup> {
    match notice {
        NoticeKind::Called => &mut setup.called,
        NoticeKind::Progress => &mut setup.progress,
        NoticeKind::Missed => &mut setup.missed,
    }
}

async fn choose(
    State(state): State<AppState>,
    Path((account, notice)): Path<(String, String)>,
    Owner { principal }: Owner,
    unread: UnreadRequest,
) -> Result<WithEtag<SettingsUpdateResult>, Problem> {
    require_known_account(&state, &account)?;
    let notice = NoticeKind::parse(&notice)?;
    let request = unread.read(&principal).await?;
    let wanted: ChooseTemplatesRequest = request.parse_body()?;
    let documents = state.settings_editor.latest_documents(DocumentKind::Account, &account).await?;
    if is_set_by_file(&documents, &account, notice) {
        return Err(Problem::new(&refusals::SET_BY_FILE));
    }
    let mut setup = documents.account_setup(&account);
    let [former_message, former_subscription] = chosen(&setup, notice);
    // What stays as it is was checked before, and goes on without an answer of WeChat's.
    for (kind, wanted, former) in [
        (TemplateKind::Message, &wanted.message, former_message),
        (TemplateKind::Subscription, &wanted.subscription, former_subscription),
    ] {
        let Some(wanted) = wanted.as_ref().filter(|wanted| former.as_ref() != Some(*wanted)) else {
            continue;
        };
        let template = find_template(&state, &account, kind, &wanted.template_id).await?;
        let part = match kind {
            TemplateKind::Message => "fields",
            TemplateKind::Subscription => "subscription.fields",
        };
        let at = format!("accounts.{account}.{}.{part}", notice.name());
        require_possible(&at, &template, notice, wanted, &names(&state, &account))?;
    }
    let slot = notice_setup(&mut setup, notice);
    let former = slot.take();
    let (message, subscription) = (wanted.message, wanted.subscription);
    let former_subscription = former.as_ref().and_then(|former| former.subscription.clone());
    let subscription = subscription.map(|chosen| TemplateSetup {
        template_id: chosen.template_id,
        fields: chosen.fields,
        miniprogram: former_subscription.and_then(|former| former.miniprogram),
    });
    let has_message = message.is_some();
    let (template_id, fields) =
        message.map(|chosen| (chosen.template_id, chosen.fields)).unwrap_or_default();
    let (miniprogram, text, channels) =
        former.map(|former| (former.miniprogram, former.text, former.channels)).unwrap_or_default();
    let new = NoticeSetup {
        template_id,
        fields,
        miniprogram: miniprogram.filter(|_| has_message),
        text,
        subscription,
        channels,
    };
    let says_nothing =
        !has_message && new.subscription.is_none() && new.text.is_none() && new.channels.is_none();
    *slot = (!says_nothing).then_some(new);
    request
        .write_document(&state, &documents, &account, DocumentUpdate::Account(Box::new(setup)))
        .await
}
