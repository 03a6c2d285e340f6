//! Test of a template: a code, whose first scan is answered with a message of the template.

use super::list::{ChosenTemplate, WECHAT_REFUSALS, find_template, require_known_account};
use super::mapping::{MAX_BODY_BYTES, MappingRequest, names, require_possible};
use crate::http::access::Owner;
use crate::http::openapi::{Created, Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::scan::qr;
use crate::scan::scene::Scene;
use crate::scan::sessions::SessionError;
use crate::scan::template_tests::CODE_TTL;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use paihao_chassis::entropy;
use paihao_contracts::template_test::{TemplateTest, TestProgress};
use paihao_http_api::body;
use paihao_wechat::{CallPriority, QrRequest};
use schemars::JsonSchema;
use serde::Serialize;

const TESTS_PATH: &str = "/api/v1/accounts/{account}/template-tests";

pub(super) fn routes() -> Routes {
    Routes::new()
        .post(
            TESTS_PATH,
            open,
            endpoint("test_template", "Makes a code that sends a test to whoever scans it first")
                .json_body::<MappingRequest>()
                .without_idempotency_key("each time it is one code more, which ends by itself")
                .refuses(WECHAT_REFUSALS)
                .refuses(&[&refusals::UNKNOWN_TEMPLATE, &refusals::UNSOUND_SETUP])
                .refuses(&[&refusals::CODES_NOT_PERMITTED, &refusals::CACHE_UNAVAILABLE]),
        )
        .get(
            "/api/v1/accounts/{account}/template-tests/{uuid}",
            show,
            endpoint("template_test", "Shows how far the test of a template has come").refuses(&[
                &refusals::UNKNOWN_ACCOUNT,
                &refusals::UNKNOWN_SESSION,
                &refusals::CACHE_UNAVAILABLE,
            ]),
        )
}

/// Code of a test.
#[derive(Serialize, JsonSchema)]
struct TemplateTestCodeView {
    uuid: String,
    /// Unix milliseconds from which on the code no longer works.
    expires_at: i64,
    /// The code as SVG.
    code: String,
    /// Address at which a simulated phone scans the code; in a demo only.
    #[serde(skip_serializing_if = "Option::is_none")]
    scan_link: Option<String>,
}

/// Progress of a test.
#[derive(Serialize, JsonSchema)]
struct TemplateTestView {
    /// `waiting`, `sending`, `accepted`, `delivered`, `undelivered`, `refused` or `expired`.
    progress: &'static str,
    /// WeChat's code, if it refused the message.
    code: Option<i64>,
    /// WeChat's own words, or what happened to the call.
    words: Option<String>,
    /// Advice.
    advice: Option<String>,
}

async fn open(
    State(state): State<AppState>,
    Path(account): Path<String>,
    Owner { principal }: Owner,
    body: Body,
) -> Result<Created<TemplateTestCodeView>, Problem> {
    require_known_account(&state, &account)?;
    let request: MappingRequest = body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let MappingRequest { notice, kind, template_id, fields } = request;
    let template = find_template(&state, &account, kind, &template_id).await?;
    let chosen = ChosenTemplate { template_id, fields: fields.unwrap_or_default() };
    require_possible("fields", &template, notice, &chosen, &names(&state, &account))?;
    let scene = Scene::new_session();
    let request = QrRequest::temporary_str(scene.clone(), CODE_TTL);
    let created = state.code_source.create(&account, &request, CallPriority::Normal).await;
    let code = created.map_err(SessionError::WeChat)?;
    let test = TemplateTest {
        v: 1,
        account: account.clone(),
        channel: kind.channel(),
        notice: notice.name().to_owned(),
        template_id: chosen.template_id,
        fields: chosen.fields,
        expires_at: state.clock.now_ms() + CODE_TTL.as_millis() as i64,
        progress: TestProgress::Waiting,
        person: None,
        early: Vec::new(),
    };
    let uuid = entropy::uuid().to_string();
    state.template_tests.open(&uuid, &scene, &test).await.map_err(SessionError::Cache)?;
    tracing::info!(account, by = %principal.name, notice = notice.name(), "template test opened");
    let scan_link = state.settings.simulator_url.as_ref();
    Ok(Created(TemplateTestCodeView {
        uuid,
        expires_at: test.expires_at,
        code: qr::poster_svg(&code.url).unwrap_or_default(),
        scan_link: scan_link.map(|link| format!("{link}?scan={}", code.url)),
    }))
}

async fn show(
    State(state): State<AppState>,
    Path((account, uuid)): Path<(String, String)>,
    _: Owner,
) -> Result<Json<TemplateTestView>, Problem> {
    let test = state.template_tests.find(&uuid).await.map_err(SessionError::Cache)?;
    let test = test.filter(|test| test.account == account);
    let test = test.ok_or_else(|| Problem::new(&refusals::UNKNOWN_SESSION))?;
    let is_over = test.expires_at <= state.clock.now_ms();
    let mut view = TemplateTestView { progress: "", code: None, words: None, advice: None };
    view.progress = match test.progress {
        TestProgress::Waiting if is_over => "expired",
        TestProgress::Waiting => "waiting",
        TestProgress::Sending => "sending",
        TestProgress::Accepted { .. } => "accepted",
        TestProgress::Delivered => "delivered",
        TestProgress::Undelivered { words } => {
            view.words = Some(words);
            "undelivered"
        }
        TestProgress::Refused { code, words, advice } => {
            view.code = Some(code).filter(|code| *code != 0);
            view.words = Some(words);
            view.advice = Some(advice).filter(|advice| !advice.is_empty());
            "refused"
        }
    };
    Ok(Json(view))
}
