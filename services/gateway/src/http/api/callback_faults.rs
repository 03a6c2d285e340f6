//! Callbacks of an account that were not acted on lately, for its owner.

use crate::http::access::Owner;
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::http::wechat::fault::{CallbackFault, NO_ACCOUNT};
use crate::http::wechat::shared_faults;
use axum::Json;
use axum::extract::{Path, State};
use paihao_contracts::callback_faults::{CallbackFaultCounts, FaultCount};
use schemars::JsonSchema;
use serde::Serialize;

pub(super) fn routes() -> Routes {
    Routes::new().get(
        "/api/v1/accounts/{account}/callback-faults",
        show,
        endpoint(
            "callback_faults",
            "Lists the causes for which callbacks of an account were not acted on within a day",
        )
        .refuses(&[&refusals::UNKNOWN_ACCOUNT]),
    )
}

/// Callbacks of an account that were not acted on within a day.
#[derive(Serialize, JsonSchema)]
struct CallbackFaultsView {
    /// The account's name.
    account: String,
    /// True if the faults of all gateways are counted; false while the cache does not answer, and
    /// only the latest of the gateway that answers are.
    complete: bool,
    /// A row for each cause, the one that was met last first.
    faults: Vec<CallbackFaultView>,
}

/// Cause for which callbacks were not acted on.
#[derive(Serialize, JsonSchema)]
struct CallbackFaultView {
    /// Code of the cause; docs/reference/callbacks.md lists them.
    code: &'static str,
    /// Number of callbacks since `since`.
    count: u64,
    /// Time of the first, in Unix milliseconds; a day without one begins anew.
    since: i64,
    /// Time of the newest, in Unix milliseconds.
    last_at: i64,
    /// The cause, in Chinese.
    title: &'static str,
    title_en: &'static str,
    /// Advice in Chinese.
    advice: &'static str,
    advice_en: &'static str,
}

impl CallbackFaultView {
    /// View of the faults of a code; `None` for one of a newer gateway.
    fn new((code, counted): (&String, &FaultCount)) -> Option<CallbackFaultView> {
        let fault = CallbackFault::of_code(code)?;
        let texts = fault.texts();
        let ([title, title_en], [advice, advice_en]) = (texts.title, texts.advice);
        let FaultCount { count, since, last_at } = *counted;
        let code = fault.code();
        Some(CallbackFaultView { code, count, since, last_at, title, title_en, advice, advice_en })
    }
}

async fn show(
    State(state): State<AppState>,
    Path(account): Path<String>,
    _: Owner,
) -> Result<Json<CallbackFaultsView>, Problem> {
    if state.deployment.account(&account).is_none() {
        return Err(Problem::new(&refusals::UNKNOWN_ACCOUNT));
    }
    let (own, unaddressed) = futures::join!(
        shared_faults::counts(&state, &account),
        // An address that names no account may have been meant for this one.
        shared_faults::counts(&state, NO_ACCOUNT),
    );
    let complete = own.is_ok() && unaddressed.is_ok();
    let read = [own, unaddressed].map(|counts| counts.unwrap_or_else(|own| own));
    let views = |counts: &CallbackFaultCounts| {
        counts.faults.iter().filter_map(CallbackFaultView::new).collect::<Vec<_>>()
    };
    let mut faults: Vec<_> = read.iter().flat_map(views).collect();
    faults.sort_by_key(|fault| std::cmp::Reverse(fault.last_at));
    Ok(Json(CallbackFaultsView { account, complete, faults }))
}
