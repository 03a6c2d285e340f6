//! Link that makes the first manager: `paihao first-manager`.
//!
//! The link works for whoever opens it first, so it reaches nobody but the operator: a start prints
//! it on a terminal alone, since what a service prints is kept in logs. The command reads the
//! ledger that the configuration names, also while processes use it.

use crate::config::Config;
use crate::ports;
use anyhow::{Context, bail};
use futures::TryStreamExt;
use paihao_chassis::Exit;
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_contracts::envelope;
use paihao_contracts::staff::StaffEntry;
use paihao_contracts::streams::STAFF;
use paihao_gateway::identity::login::first_manager::{FIRST_MANAGER_CODE_TTL, make_code_from};
use paihao_ledger::Position;
use std::io::IsTerminal;

/// Runs the command and prints the link.
pub async fn run(config: Config) -> Exit {
    match link(&config).await {
        Ok(Some(notice)) => {
            println!("{notice}");
            Exit::Clean
        }
        Ok(None) => {
            println!(
                "已有过管理员，请由管理员邀请 / there has been a manager: ask one to invite you"
            );
            Exit::Clean
        }
        Err(error) => {
            eprintln!("{error:#}");
            Exit::FailedToStart
        }
    }
}

async fn link(config: &Config) -> anyhow::Result<Option<String>> {
    let source = ports::backup_source(&config.ledger).await.context("cannot read the ledger")?;
    let head = source.head(&STAFF).await?;
    let stored: Vec<_> = source.entries(&STAFF, Position::START, head).await?.try_collect().await?;
    let decoded = stored.iter().map(|stored| envelope::decode(&stored.entry.payload));
    let entries: Vec<StaffEntry> =
        decoded.collect::<Result<_, _>>().context("cannot read the log of staff")?;
    if entries.is_empty() {
        bail!("no gateway has used this ledger yet: start one first");
    }
    let code = make_code_from(&entries, SystemClock.now_ms());
    Ok(code.map(|code| notice(&config.gateway.public, &code)))
}

/// Tells the operator of a gateway that nobody manages yet how to become the first manager.
pub(crate) fn announce(public: &str, code: &str) {
    if std::io::stdout().is_terminal() {
        println!("{}", notice(public, code));
    } else {
        tracing::info!("nobody manages this yet: `paihao first-manager` prints the link");
    }
}

fn notice(public: &str, code: &str) -> String {
    let public = public.trim_end_matches('/');
    let minutes = FIRST_MANAGER_CODE_TTL.as_secs() / 60;
    format!(
        "\n  还没有管理员：{minutes} 分钟内打开下面的链接，用微信扫码，成为第一位管理员（只能用一次）\n  Nobody manages this yet: open this within {minutes} minutes and scan to become the first manager (once)\n  {public}/login#first={code}\n"
    )
}
