//! Repair of a site of a running gateway: `paihao site`.
//!
//! It uses the API in every deployment. So the repair is an entry of the ledger with a name, and
//! reaches every replica.

use crate::gateway_client::{GatewayOptions, print_problem, send_request};
use clap::{Args, Subcommand};
use paihao_chassis::Exit;
use reqwest::Method;
use serde_json::json;

/// Repairs a site of a running gateway. See docs/guide/operate.md.
#[derive(Args)]
pub struct SiteOptions {
    #[command(flatten)]
    gateway: GatewayOptions,
    #[command(subcommand)]
    command: SiteCommand,
}

#[derive(Subcommand)]
enum SiteCommand {
    /// Leads a site back to today whose business day lies in the future, because of a wrong clock.
    ///
    /// Every ticket stays as it is. A site that stands right is left alone, so the command can be
    /// repeated.
    ResetDay {
        /// Id of the site.
        site: String,
        /// Vouches for the gateway's clock although no other clock confirms it. Then a business day
        /// that is over ends as well, however many days have passed.
        #[arg(long)]
        force: bool,
    },
}

/// Runs the command and prints its result.
pub async fn run(options: SiteOptions) -> Exit {
    let SiteCommand::ResetDay { site, force } = &options.command;
    match reset_day(&options.gateway, site, *force).await {
        Ok(exit) => exit,
        Err(error) => {
            eprintln!("{error:#}");
            Exit::FailedToStart
        }
    }
}

async fn reset_day(gateway: &GatewayOptions, site: &str, force: bool) -> anyhow::Result<Exit> {
    let path = format!("api/v1/sites/{site}/reset-day");
    let request = gateway.request(Method::POST, &path, "")?.json(&json!({ "force": force }));
    match send_request(request).await? {
        Ok(_) => {
            println!("{site} stands in the present business day again");
            Ok(Exit::Clean)
        }
        Err(problem) if problem["code"] == "not_due" => {
            println!("{site} stands right, nothing was changed");
            Ok(Exit::Clean)
        }
        Err(problem) => Ok(print_problem(&problem)),
    }
}
