//! Abilities of an account, asked of WeChat at the moment: its rights depend on its kind and its
//! verification, and no call lists them.

use crate::http::access::Owner;
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use axum::Json;
use axum::extract::{Path, State};
use futures::join;
use paihao_wechat::{AccountClientError, CallError, OpenId, QrRequest};
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;

/// Person that no account has. A call that would message them is refused for that, or for want of
/// the right.
const NOBODY: &str = "oPaihaoAsksForNobody00000000";

/// WeChat's codes for what the account may not do, or is punished for.
const FORBIDDEN: [i64; 5] = [40200, 48001, 48004, 48008, 50002];

/// WeChat's code for a person who does not exist.
const INVALID_OPENID: i64 = 40003;

pub(super) fn routes() -> Routes {
    Routes::new().get(
        "/api/v1/accounts/{account}/abilities",
        show,
        endpoint("account_abilities", "Asks WeChat what an account may do")
            .refuses(&[&refusals::UNKNOWN_ACCOUNT]),
    )
}

/// Abilities of an account.
#[derive(Serialize, JsonSchema)]
struct AccountAbilitiesView {
    /// The account's name.
    account: String,
    /// The abilities, the most needed one first.
    abilities: Vec<AbilityView>,
}

/// One ability of an account.
#[derive(Serialize, JsonSchema)]
struct AbilityView {
    /// The ability.
    ability: Ability,
    /// True if the account has it; `null` if WeChat did not tell.
    may: Option<bool>,
    /// WeChat's words where it refused; empty otherwise.
    detail: String,
}

/// Abilities that the product uses.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Ability {
    /// QR codes with a scene.
    Codes,
    /// Template messages.
    Templates,
    /// A menu made by the API.
    Menu,
    /// Texts of customer service.
    CustomerService,
}

async fn show(
    State(state): State<AppState>,
    Path(account): Path<String>,
    _: Owner,
) -> Result<Json<AccountAbilitiesView>, Problem> {
    if state.deployment.account(&account).is_none() {
        return Err(Problem::new(&refusals::UNKNOWN_ACCOUNT));
    }
    let wechat = &state.wechat;
    // It expires within a minute, and nobody sees it.
    let code = QrRequest::temporary_str("ability_probe", Duration::from_secs(60));
    let nobody = OpenId::new(NOBODY);
    let (codes, templates, menu, text) = join!(
        wechat.create_qr(&account, &code),
        wechat.list_templates(&account),
        wechat.get_menu(&account),
        wechat.send_text(&account, &nobody, "paihao"),
    );
    let abilities = vec![
        ability(Ability::Codes, codes.map(drop)),
        ability(Ability::Templates, templates.map(drop)),
        ability(Ability::Menu, menu.map(drop)),
        ability(Ability::CustomerService, text.map(drop)),
    ];
    Ok(Json(AccountAbilitiesView { account, abilities }))
}

fn ability(ability: Ability, called: Result<(), AccountClientError>) -> AbilityView {
    let (may, detail) = match called {
        Ok(()) => (Some(true), String::new()),
        Err(AccountClientError::Call(CallError::Refused(refusal))) => match refusal.code {
            INVALID_OPENID => (Some(true), String::new()),
            code if FORBIDDEN.contains(&code) => (Some(false), refusal.to_string()),
            _ => (None, refusal.to_string()),
        },
        Err(error) => (None, error.to_string()),
    };
    AbilityView { ability, may, detail }
}
