//! Texts of a template's fields: proposals, the choices of each field, and the cards.

use super::list::require_known_account;
use super::list::{ChosenTemplate, NoticeKind, TemplateKind, WECHAT_REFUSALS, find_template};
use crate::http::access::Owner;
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use paihao_chassis::config::ConfigProblems;
use paihao_http_api::body;
use paihao_notice_text::mapping::{self, FieldFault, Names};
use paihao_wechat::template::{Template, TemplateField};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Largest body of a request, in bytes.
pub(super) const MAX_BODY_BYTES: usize = 4096;

pub(super) fn routes() -> Routes {
    Routes::new().post(
        "/api/v1/accounts/{account}/templates/mapping",
        check,
        endpoint("check_mapping", "Proposes and checks what the fields of a template say")
            .json_body::<MappingRequest>()
            .without_idempotency_key("it changes nothing")
            .refuses(WECHAT_REFUSALS)
            .refuses(&[&refusals::UNKNOWN_TEMPLATE]),
    )
}

/// Template, and the texts of its fields.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MappingRequest {
    /// Kind of notice.
    pub(super) notice: NoticeKind,
    /// Kind of template.
    pub(super) kind: TemplateKind,
    /// WeChat's id of the template.
    pub(super) template_id: String,
    /// Field and what it is to say; what is proposed, if left out.
    pub(super) fields: Option<BTreeMap<String, String>>,
}

/// Texts of a template's fields.
#[derive(Serialize, JsonSchema)]
struct MappingView {
    /// Title of the card.
    title: String,
    /// Fields, in the order of the card.
    fields: Vec<MappedFieldView>,
    /// True if every field says something that WeChat accepts.
    complete: bool,
    /// Placeholders that the card should show and no field says.
    missing: Vec<&'static str>,
    /// Cards, one for each notice that is sent through the template.
    cards: Vec<MappedCardView>,
}

/// Field, with what it says and what it may say.
#[derive(Serialize, JsonSchema)]
struct MappedFieldView {
    /// Key by which messages refer to it.
    key: String,
    /// Words before it; empty if there are none.
    label: String,
    /// Text with placeholders; `null` if it has to be chosen.
    wording: Option<String>,
    /// Reason why it cannot say that.
    fault: Option<FieldFaultView>,
    /// Choices, possible and impossible.
    options: Vec<FieldOptionView>,
}

/// Choice of a field.
#[derive(Serialize, JsonSchema)]
struct FieldOptionView {
    /// Text with placeholders.
    wording: String,
    /// Example of the text as WeChat shows it.
    shown: Option<String>,
    /// Reason why it is impossible.
    fault: Option<FieldFaultView>,
}

/// Reason why a field cannot say something.
#[derive(Serialize, JsonSchema)]
struct FieldFaultView {
    /// Stable code: `untyped`, `silent`, `unknown_placeholder`, `not_listed`, `empty`, `too_long`,
    /// `control_character`, `forbidden_character`, `invalid_format` or `altered`.
    code: &'static str,
    /// Most characters, where their number is the fault.
    limit: Option<usize>,
}

impl From<FieldFault> for FieldFaultView {
    fn from(fault: FieldFault) -> FieldFaultView {
        FieldFaultView { code: fault.code(), limit: fault.limit() }
    }
}

/// Card of one kind of notice.
#[derive(Serialize, JsonSchema)]
struct MappedCardView {
    /// Kind of notice, like `near`.
    notice: &'static str,
    /// Lines of the card.
    lines: Vec<MappedLineView>,
}

/// Line of a card.
#[derive(Serialize, JsonSchema)]
struct MappedLineView {
    /// Words before the field, or its key.
    label: String,
    /// Text of the field.
    text: String,
}

/// Names that may stand in the notices of an account.
pub(super) fn names(state: &AppState, account: &str) -> Names {
    let documents = state.live_settings.now();
    Names::of_sites(documents.sites_of(account))
}

async fn check(
    State(state): State<AppState>,
    Path(account): Path<String>,
    _: Owner,
    body: Body,
) -> Result<Json<MappingView>, Problem> {
    require_known_account(&state, &account)?;
    let request: MappingRequest = body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let channel = request.kind.channel();
    let template = match state.templates.recent(&account, channel, &request.template_id) {
        Some(template) => template,
        None => find_template(&state, &account, request.kind, &request.template_id).await?,
    };
    let names = names(&state, &account);
    Ok(Json(view(&template, request.notice.name(), request.fields, &names)))
}

fn view(
    template: &Template,
    notice: &str,
    given: Option<BTreeMap<String, String>>,
    names: &Names,
) -> MappingView {
    let fields = template.fields();
    let wordings: BTreeMap<String, String> = match given {
        Some(given) => given.into_iter().filter(|(_, wording)| !wording.is_empty()).collect(),
        None => {
            let proposed = mapping::propose(notice, &fields, names).into_iter();
            proposed.filter_map(|(key, wording)| Some((key, wording?))).collect()
        }
    };
    let views: Vec<MappedFieldView> =
        fields.iter().map(|field| field_view(notice, field, &wordings, names)).collect();
    let complete = !views.is_empty()
        && views.iter().all(|field| field.wording.is_some() && field.fault.is_none());
    let cards = mapping::cards(notice, &fields, &wordings, names).into_iter();
    let line = |line: mapping::CardLine| MappedLineView { label: line.label, text: line.text };
    MappingView {
        title: template.title.clone(),
        complete,
        missing: mapping::missing(notice, wordings.values().map(String::as_str)),
        cards: cards
            .map(|(notice, lines)| MappedCardView {
                notice,
                lines: lines.into_iter().map(line).collect(),
            })
            .collect(),
        fields: views,
    }
}

fn field_view(
    notice: &str,
    field: &TemplateField,
    wordings: &BTreeMap<String, String>,
    names: &Names,
) -> MappedFieldView {
    let wording = wordings.get(&field.key);
    let check = |wording: &String| mapping::check_field(notice, field, wording, names);
    let options = mapping::options(notice, field, names).into_iter();
    MappedFieldView {
        key: field.key.clone(),
        label: field.label.clone(),
        fault: wording.and_then(|wording| check(wording).err()).map(FieldFaultView::from),
        wording: wording.cloned(),
        options: options
            .map(|option| FieldOptionView {
                wording: option.wording,
                fault: option.shown.as_ref().err().copied().map(FieldFaultView::from),
                shown: option.shown.ok(),
            })
            .collect(),
    }
}

/// Refused unless each field of the template says something that WeChat accepts; `at` is the key of
/// the notice's settings.
pub(super) fn require_possible(
    at: &str,
    template: &Template,
    notice: NoticeKind,
    chosen: &ChosenTemplate,
    names: &Names,
) -> Result<(), Problem> {
    let mut problems = ConfigProblems::new();
    let fields = template.fields();
    for field in &fields {
        let at = format!("{at}.{}", field.key);
        let Some(wording) = chosen.fields.get(&field.key) else {
            problems.add(&at, "nothing is said in this field", "choose what it says");
            continue;
        };
        if let Err(fault) = mapping::check_field(notice.name(), field, wording, names) {
            let code = fault.code();
            problems.add(&at, format!("it cannot say {wording:?}: {code}"), "choose another");
        }
    }
    for key in chosen.fields.keys().filter(|key| fields.iter().all(|field| field.key != **key)) {
        problems.add(&format!("{at}.{key}"), "the template has no such field", "take it out");
    }
    if fields.is_empty() {
        problems.add(at, "the template has no fields", "choose another template");
    }
    problems.into_result().map_err(|error| refusals::invalid_settings(&error))
}
