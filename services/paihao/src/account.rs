//! Migration of an account (账号迁移): `paihao account`.
//!
//! It uses the API in every deployment. So WeChat is asked with the account's token and within its
//! limits, and every ticket is handed over by an entry of the ledger with a name.

use crate::gateway_client::{GatewayOptions, print_problem, send_request};
use anyhow::Context;
use clap::{Args, Subcommand};
use paihao_chassis::Exit;
use reqwest::Method;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Hands tickets and staff over to the account to which theirs has migrated. See
/// docs/guide/operate.md.
#[derive(Args)]
pub struct AccountOptions {
    #[command(flatten)]
    gateway: GatewayOptions,
    #[command(subcommand)]
    command: AccountCommand,
}

#[derive(Subcommand)]
enum AccountCommand {
    /// Writes the openids of the members of staff to a file, encrypted, before the account
    /// migrates.
    ///
    /// Only the same deployment can read the file. Afterwards WeChat no longer tells who follows
    /// the former account.
    Prepare {
        /// Name of the account.
        account: String,
        /// File to write; it must not exist.
        #[arg(long)]
        out: PathBuf,
    },
    /// Hands the tickets of people, and the members of staff, over to the account to which theirs
    /// has migrated.
    ///
    /// It can be repeated: what is done stays done, and one that broke off goes on.
    Migrate {
        /// AppID of the former account, or its original id.
        #[arg(long)]
        from_appid: String,
        /// Name of the account, which has the new one's AppID in the configuration.
        #[arg(long)]
        to: String,
        /// File that `prepare` wrote; without it, members of staff have to be invited again.
        #[arg(long)]
        staff: Option<PathBuf>,
        /// Counts, and changes nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Runs the command and prints its result.
pub async fn run(options: AccountOptions) -> Exit {
    let AccountOptions { gateway, command } = &options;
    let done = match command {
        AccountCommand::Prepare { account, out } => prepare(gateway, account, out).await,
        AccountCommand::Migrate { from_appid, to, staff, dry_run } => {
            migrate(gateway, from_appid, to, staff.as_deref(), *dry_run).await
        }
    };
    match done {
        Ok(exit) => exit,
        Err(error) => {
            eprintln!("{error:#}");
            Exit::FailedToStart
        }
    }
}

/// Sends a request about a migration. The inner error is the problem document of a refusal.
async fn post(
    gateway: &GatewayOptions,
    account: &str,
    part: &str,
    body: &Value,
) -> anyhow::Result<Result<Value, Value>> {
    let path = format!("api/v1/accounts/{account}/migration/{part}");
    let sent = send_request(gateway.request(Method::POST, &path, "")?.json(body)).await?;
    sent.map_or_else(
        |problem| Ok(Err(problem)),
        |text| serde_json::from_str(&text).context("no JSON").map(Ok),
    )
}

async fn prepare(gateway: &GatewayOptions, account: &str, out: &Path) -> anyhow::Result<Exit> {
    if out.exists() {
        anyhow::bail!("{} is there already", out.display());
    }
    match post(gateway, account, "preparation", &json!({})).await? {
        Ok(prepared) => {
            let sealed = prepared["sealed"].as_str().context("no sealed list")?;
            std::fs::write(out, format!("{sealed}\n"))
                .with_context(|| format!("cannot write {}", out.display()))?;
            let (members, others) = (count(&prepared, "members"), count(&prepared, "others"));
            println!("工作人员：{members} 人已写入文件，{others} 人不是这个公众号的关注者");
            println!("staff: {members} written to the file, {others} do not follow the account");
            Ok(Exit::Clean)
        }
        Err(problem) => Ok(print_problem(&problem)),
    }
}

async fn migrate(
    gateway: &GatewayOptions,
    from: &str,
    account: &str,
    staff: Option<&Path>,
    dry_run: bool,
) -> anyhow::Result<Exit> {
    if let Some(file) = staff {
        let sealed = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let body = json!({ "from": from, "sealed": sealed.trim(), "dry_run": dry_run });
        match post(gateway, account, "staff", &body).await? {
            Ok(counts) => print!("{}", format_staff(&counts, dry_run)),
            Err(problem) => return Ok(print_problem(&problem)),
        }
    }
    let mut total = PeopleCounts::default();
    let mut body = json!({ "from": from, "dry_run": dry_run });
    loop {
        match post(gateway, account, "people", &body).await {
            Ok(Ok(counts)) => {
                total.add(&counts);
                match counts["next"].as_str() {
                    Some(next) => body["after"] = next.into(),
                    None => break,
                }
            }
            broken_off => {
                print!("{}", total.format(dry_run));
                println!("没有全部完成：请再运行一次  Not all of it is done: run it again");
                return Ok(print_problem(&broken_off?.unwrap_or_else(|problem| problem)));
            }
        }
    }
    print!("{}", total.format(dry_run));
    Ok(Exit::Clean)
}

fn count(counts: &Value, name: &str) -> u64 {
    counts[name].as_u64().unwrap_or_default()
}

fn dry_run_note(dry_run: bool) -> &'static str {
    if dry_run {
        "（试运行，什么都没有改  dry run, nothing was changed）\n"
    } else {
        ""
    }
}

fn format_staff(counts: &Value, dry_run: bool) -> String {
    let of = |name| count(counts, name);
    let (migrated, current, unreachable, removed) =
        (of("migrated"), of("current"), of("unreachable"), of("removed"));
    format!(
        "{note}工作人员：{migrated} 人已转到新公众号，{current} 人之前已转，{unreachable} 人微信没有给出新 openid（请重新邀请），{removed} 人已被移除\n\
         staff: {migrated} handed over, {current} before, {unreachable} without a new openid (invite them again), {removed} removed since\n",
        note = dry_run_note(dry_run)
    )
}

/// Sums of the answers about people.
#[derive(Debug, Default, PartialEq, Eq)]
struct PeopleCounts {
    sites: u64,
    migrated: u64,
    live: u64,
    current: u64,
    unreachable: u64,
}

impl PeopleCounts {
    fn add(&mut self, counts: &Value) {
        self.sites = count(counts, "sites");
        self.migrated += count(counts, "migrated");
        self.live += count(counts, "live");
        self.current += count(counts, "current");
        self.unreachable += count(counts, "unreachable");
    }

    fn format(&self, dry_run: bool) -> String {
        let PeopleCounts { sites, migrated, live, current, unreachable } = self;
        let mut text = dry_run_note(dry_run).to_owned();
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "顾客（{sites} 个网点）：{migrated} 人已转到新公众号（{live} 人正在排队），{current} 人已是新公众号的"
        );
        let _ = writeln!(
            text,
            "people (sites: {sites}): {migrated} handed over ({live} hold a live ticket), {current} are the new account's already"
        );
        if *unreachable > 0 {
            let _ = writeln!(
                text,
                "{unreachable} 人微信没有给出新 openid：号仍有效，但收不到消息，请在现场叫号"
            );
            let _ = writeln!(
                text,
                "{unreachable} without a new openid: their tickets stay, but no message reaches them; call them in the room"
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_added_up() {
        let mut total = PeopleCounts::default();
        let part = json!({"sites": 2, "migrated": 100, "live": 60, "current": 3, "unreachable": 0});
        total.add(&part);
        let text = total.format(true);
        assert!(text.contains("dry run") && !text.contains("no message"), "{text}");
        total.add(&json!({"sites": 2, "migrated": 7, "live": 1, "current": 0, "unreachable": 4}));
        let sum = PeopleCounts { sites: 2, migrated: 107, live: 61, current: 3, unreachable: 4 };
        assert_eq!(total, sum);
        let text = total.format(false);
        assert!(text.contains("107 handed over (61 hold a live ticket)"), "{text}");
        assert!(text.contains("4 without a new openid") && !text.contains("dry run"), "{text}");
    }
}
