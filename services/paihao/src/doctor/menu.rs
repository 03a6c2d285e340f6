//! Check of the menu that WeChat has for an account.

use super::report::Finding;
use super::wechat_refusals::refusal_finding;
use super::{ProbeContext, finding, findings};
use crate::config::Account;
use paihao_contracts::menu::MenuButton;
use paihao_gateway::settings::menu::{self, MenuState};
use paihao_wechat::menu::Menu;
use paihao_wechat::{AccessToken, CallError};

/// WeChat's code for a call that the account may not make.
const UNAUTHORIZED: i64 = 48001;

pub(super) async fn check(
    name: &str,
    account: &Account,
    token: Option<&AccessToken>,
    context: &ProbeContext,
) -> Vec<Finding> {
    let Some(token) = token else { return Vec::new() };
    vec![match context.client.get_menu(token).await {
        Ok(menu) => menu_finding(name, &account.buttons, menu.as_ref()),
        Err(CallError::Refused(refusal)) if refusal.code == UNAUTHORIZED => {
            finding(name, findings::MENU_FORBIDDEN, format!("menu/get: {refusal}"))
        }
        Err(error) => refusal_finding(name, "menu/get", &error, findings::WECHAT_REFUSED),
    }]
}

/// Finding about the menu at WeChat and the buttons of the configuration. A menu that is set on the
/// manager's page is not known here.
fn menu_finding(name: &str, buttons: &[MenuButton], at_wechat: Option<&Menu>) -> Finding {
    let names = at_wechat.map(|menu| {
        let names = menu.buttons.iter().map(|button| button.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    });
    let kind = match menu::state(buttons, at_wechat) {
        MenuState::Absent => findings::MENU_ABSENT,
        MenuState::Current => findings::MENU_OK,
        _ if buttons.is_empty() => findings::MENU_PRESENT,
        MenuState::Outdated | MenuState::Foreign => findings::MENU_DIFFERS,
    };
    finding(name, kind, names.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_contracts::menu::MenuAction;
    use paihao_wechat::menu::Button;

    #[test]
    fn the_menu_is_compared_with_the_file() {
        let button = |name: &str| MenuButton {
            name: name.into(),
            action: Some(MenuAction::MyTicket),
            entries: Vec::new(),
        };
        let set = [button("我的号")];
        let ours = menu::to_wechat(&set);
        let former = menu::to_wechat(&[button("排队")]);
        let foreign = Menu { buttons: vec![Button { name: "商城".into(), ..Button::default() }] };
        for (set, at_wechat, expected) in [
            (&set[..], None, "menu_absent "),
            (&set, Some(&ours), "menu_ok 我的号"),
            (&set, Some(&former), "menu_differs 排队"),
            (&set, Some(&foreign), "menu_differs 商城"),
            (&[], None, "menu_absent "),
            (&[], Some(&ours), "menu_present 我的号"),
            (&[], Some(&foreign), "menu_present 商城"),
        ] {
            let finding = menu_finding("shop", set, at_wechat);
            assert_eq!(format!("{} {}", finding.kind.code, finding.detail), expected);
        }
    }
}
