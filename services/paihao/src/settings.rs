//! Export and import of the settings of a running gateway as one file: `paihao settings`.
//!
//! It uses the API in every deployment. So a change is checked against the tickets that wait, is
//! logged with a name, and reaches every replica. It needs a running gateway.

use crate::gateway_client::{GatewayOptions, print_problem, send_request};
use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use paihao_chassis::Exit;
use paihao_gateway::settings::export;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Exports the settings of a running gateway to one file, or imports a file. See
/// docs/guide/settings.md.
#[derive(Args)]
pub struct SettingsOptions {
    #[command(flatten)]
    gateway: GatewayOptions,
    #[command(subcommand)]
    command: SettingsCommand,
}

#[derive(Subcommand)]
enum SettingsCommand {
    /// Writes the settings of every site to the standard output.
    Export {
        /// Format of the file.
        #[arg(long, default_value = "toml")]
        format: FileFormat,
    },
    /// Imports a file. Values that it names are replaced; the others stay.
    Import {
        /// Path of the file: JSON if its name ends in .json, TOML otherwise.
        file: PathBuf,
        /// Prints the changes without writing them.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum FileFormat {
    Toml,
    Json,
}

/// Runs the command and prints its result.
pub async fn run(options: SettingsOptions) -> Exit {
    let result = match &options.command {
        SettingsCommand::Export { format } => export(&options, *format).await,
        SettingsCommand::Import { file, dry_run } => import(&options, file, *dry_run).await,
    };
    match result {
        Ok(exit) => exit,
        Err(error) => {
            eprintln!("{error:#}");
            Exit::FailedToStart
        }
    }
}

impl SettingsOptions {
    fn request(&self, method: Method, query: &str) -> anyhow::Result<RequestBuilder> {
        self.gateway.request(method, "api/v1/book", query)
    }
}

async fn export(options: &SettingsOptions, format: FileFormat) -> anyhow::Result<Exit> {
    let query = match format {
        FileFormat::Toml => "format=toml",
        FileFormat::Json => "format=json",
    };
    match send_request(options.request(Method::GET, query)?).await? {
        Ok(file) => {
            println!("{}", file.trim_end());
            Ok(Exit::Clean)
        }
        Err(problem) => Ok(print_problem(&problem)),
    }
}

async fn import(options: &SettingsOptions, path: &Path, dry_run: bool) -> anyhow::Result<Exit> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    let is_toml = path.extension().is_none_or(|ending| ending != "json");
    // A file that cannot be parsed is reported here, where line numbers are known.
    if let Err(problem) = export::parse(&text, is_toml) {
        eprintln!("{}: {problem}", path.display());
        return Ok(Exit::BadConfiguration);
    }
    let kind = if is_toml { "application/toml" } else { "application/json" };
    let query = if dry_run { "dry_run=true" } else { "" };
    let request = options.request(Method::PUT, query)?.header("content-type", kind).body(text);
    match send_request(request).await? {
        Ok(result) => {
            print!(
                "{}",
                format_changes(&serde_json::from_str(&result).context("no JSON")?, dry_run)
            );
            Ok(Exit::Clean)
        }
        Err(problem) => Ok(print_problem(&problem)),
    }
}

/// Text with one line for each value that changed.
fn format_changes(result: &Value, dry_run: bool) -> String {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines = String::new();
    let mut count = 0;
    for document in list(&result["written"]) {
        for changed in list(&document["changed"]) {
            let kind = text(&document["of"]);
            let id = text(&document["id"]);
            let key = text(&changed["key"]);
            let value = |side: &str| match &changed[side] {
                Value::Null => "—".to_owned(),
                value => value.to_string(),
            };
            lines += &format!("{kind} {id} {key}: {} → {}\n", value("before"), value("after"));
            count += 1;
        }
    }
    let summary = match (count, dry_run) {
        (0, _) => "nothing changes",
        (_, true) => "this would change; nothing was written",
        (_, false) => "changed, and in force",
    };
    format!("{lines}{summary}\n")
}
