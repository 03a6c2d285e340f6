//! Menu of an account at WeChat: `paihao menu`.
//!
//! It uses the API in every deployment. So the menu that is pushed is the one in force, and the
//! call is made with the account's token and within its limits.

use crate::gateway_client::{GatewayOptions, print_problem, send_request};
use anyhow::Context;
use clap::{Args, Subcommand};
use paihao_chassis::Exit;
use reqwest::Method;
use serde_json::Value;
use std::fmt::Write;

/// Pushes an account's menu to WeChat, shows or deletes the one that is there. See
/// docs/guide/menu.md.
#[derive(Args)]
pub struct MenuOptions {
    #[command(flatten)]
    gateway: GatewayOptions,
    #[command(subcommand)]
    command: MenuCommand,
}

#[derive(Subcommand)]
enum MenuCommand {
    /// Pushes the menu that is set. It replaces the one that WeChat has.
    Push {
        /// Name of the account.
        account: String,
    },
    /// Shows the menu that WeChat has, and whether it is the one that is set.
    Show {
        /// Name of the account.
        account: String,
    },
    /// Deletes the menu that WeChat has.
    Delete {
        /// Name of the account.
        account: String,
    },
}

/// Runs the command and prints its result.
pub async fn run(options: MenuOptions) -> Exit {
    let (method, account) = match &options.command {
        MenuCommand::Push { account } => (Method::PUT, account),
        MenuCommand::Show { account } => (Method::GET, account),
        MenuCommand::Delete { account } => (Method::DELETE, account),
    };
    match call(&options.gateway, method, account).await {
        Ok(exit) => exit,
        Err(error) => {
            eprintln!("{error:#}");
            Exit::FailedToStart
        }
    }
}

async fn call(gateway: &GatewayOptions, method: Method, account: &str) -> anyhow::Result<Exit> {
    let path = format!("api/v1/accounts/{account}/menu");
    match send_request(gateway.request(method, &path, "")?).await? {
        Ok(menu) => {
            print!("{}", format_menu(&serde_json::from_str(&menu).context("no JSON")?));
            Ok(Exit::Clean)
        }
        Err(problem) => Ok(print_problem(&problem)),
    }
}

/// Pushes the menu that is set. Returns false if that may succeed in a moment.
pub(crate) async fn push(gateway: &GatewayOptions, account: &str) -> bool {
    let path = format!("api/v1/accounts/{account}/menu");
    let Ok(request) = gateway.request(Method::PUT, &path, "") else { return true };
    match send_request(request).await {
        Ok(Ok(_)) => true,
        Ok(Err(problem)) => problem["code"] != "wechat_unavailable",
        Err(_) => false,
    }
}

/// Text with a line for each button, and the comparison with the menu that is set.
fn format_menu(menu: &Value) -> String {
    let mut text = String::new();
    push_buttons(&mut text, &menu["buttons"], "");
    let shown = &menu["shown"];
    if menu["state"] == "absent" && shown["open"] == true {
        text += "公众号后台的菜单，顾客看到的是它：  Of WeChat's console, and shown to people:\n";
        push_buttons(&mut text, &shown["buttons"], "");
    }
    text += match menu["state"].as_str().unwrap_or_default() {
        "current" => "微信上的菜单与设置一致  WeChat has the menu that is set\n",
        "outdated" => {
            "微信上的菜单与设置不同：paihao menu push  WeChat has another menu than the one that is set\n"
        }
        "foreign" => "微信上的菜单是别的系统做的  WeChat has a menu of another system\n",
        _ => "微信上没有菜单  WeChat has no menu\n",
    };
    text
}

fn push_buttons(text: &mut String, buttons: &Value, indent: &str) {
    for button in buttons.as_array().into_iter().flatten() {
        let field = |name: &str| button[name].as_str().unwrap_or_default();
        let kind = field("kind");
        let line = format!("{indent}{}  {kind}  {}", field("name"), field("value"));
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
        push_buttons(text, &button["entries"], "    ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_menu_is_shown_as_it_hangs_together() {
        let entry = json!({"name": "我的号", "kind": "click", "value": "paihao.my_ticket",
            "ours": true, "entries": []});
        let heading = json!({"name": "我的", "kind": null, "value": null, "entries": [entry]});
        let menu = json!({"state": "current", "buttons": [heading], "shown": null});
        let expected = "我的\n    我的号  click  paihao.my_ticket\n";
        let text = format_menu(&menu);
        assert!(text.starts_with(expected) && text.contains("一致"), "{text}");
        let console = json!({"state": "absent", "buttons": [],
            "shown": {"open": true, "buttons": [menu["buttons"][0]]}});
        let text = format_menu(&console);
        assert!(text.contains("后台") && text.contains(expected), "{text}");
        assert!(text.ends_with("WeChat has no menu\n"), "{text}");
    }
}
