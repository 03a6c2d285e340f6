//! `paihao book`: the book as a file, out of a running gateway and into one.
//!
//! Through the API, in every shape: so a change is checked against who is in the line, has a name in
//! the log, and is followed by every replica. With nothing running there is nothing to ask.

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use paihao_chassis::Exit;
use paihao_gateway::settings::export;
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest wait for an answer: a whole book is checked.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Takes the book out of a running gateway as one file, or a file in. See docs/guide/settings.md.
#[derive(Args)]
pub struct SettingsOptions {
    /// Where a gateway is.
    #[arg(long, env = "PAIHAO_GATEWAY", default_value = "http://127.0.0.1:8080")]
    gateway: Url,
    /// A manager's key that opens every site.
    #[arg(long, env = "PAIHAO_KEY", hide_env_values = true)]
    key: String,
    #[command(subcommand)]
    command: SettingsCommand,
}

#[derive(Subcommand)]
enum SettingsCommand {
    /// Writes the whole book to the standard output.
    Export {
        /// In which form.
        #[arg(long, default_value = "toml")]
        format: FileFormat,
    },
    /// Takes a file in: what it names becomes what it says, what it does not name stays.
    Import {
        /// TOML, or JSON if its name ends so.
        file: PathBuf,
        /// Only says what would change.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum FileFormat {
    Toml,
    Json,
}

/// Does what was asked, and says how it went.
pub async fn run(options: SettingsOptions) -> Exit {
    let done = match &options.command {
        SettingsCommand::Export { format } => export(&options, *format).await,
        SettingsCommand::Import { file, dry_run } => import(&options, file, *dry_run).await,
    };
    match done {
        Ok(exit) => exit,
        Err(error) => {
            eprintln!("{error:#}");
            Exit::FailedToStart
        }
    }
}

impl SettingsOptions {
    #[expect(
        clippy::disallowed_methods,
        reason = "asks a gateway of the owner's, and must not share a client with WeChat's tokens"
    )]
    fn request(&self, method: Method, query: &str) -> anyhow::Result<RequestBuilder> {
        // reqwest takes the process's provider. Another crate may have installed one: also fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client =
            Client::builder().timeout(REQUEST_TIMEOUT).build().context("no HTTP client")?;
        let mut url = self.gateway.join("api/v1/book").context("--gateway is no address")?;
        url.set_query(Some(query));
        Ok(client.request(method, url).bearer_auth(&self.key))
    }
}

/// The answer's text if it is one.
async fn send_request(request: RequestBuilder) -> anyhow::Result<Result<String, Value>> {
    let answer = request.send().await.map_err(reqwest::Error::without_url);
    let answer =
        answer.context("the gateway cannot be reached: is it running, and --gateway right?")?;
    let (status, text) = (answer.status(), answer.text().await.context("the answer broke off")?);
    if status == StatusCode::OK {
        return Ok(Ok(text));
    }
    match serde_json::from_str(&text) {
        Ok(problem) => Ok(Err(problem)),
        Err(_) => bail!("the gateway answered {status}: is this a gateway of paihao?"),
    }
}

async fn export(options: &SettingsOptions, format: FileFormat) -> anyhow::Result<Exit> {
    let form = match format {
        FileFormat::Toml => "format=toml",
        FileFormat::Json => "format=json",
    };
    match send_request(options.request(Method::GET, form)?).await? {
        Ok(book) => {
            println!("{}", book.trim_end());
            Ok(Exit::Clean)
        }
        Err(problem) => Ok(print_problem(&problem)),
    }
}

async fn import(options: &SettingsOptions, path: &Path, dry_run: bool) -> anyhow::Result<Exit> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    let is_toml = path.extension().is_none_or(|ending| ending != "json");
    // What is no such file at all is told here, with its lines.
    if let Err(wrong) = export::parse(&text, is_toml) {
        eprintln!("{}: {wrong}", path.display());
        return Ok(Exit::BadConfiguration);
    }
    let kind = if is_toml { "application/toml" } else { "application/json" };
    let query = if dry_run { "dry_run=true" } else { "" };
    let request = options.request(Method::PUT, query)?.header("content-type", kind).body(text);
    match send_request(request).await? {
        Ok(done) => {
            print!("{}", format_changes(&serde_json::from_str(&done).context("no JSON")?, dry_run));
            Ok(Exit::Clean)
        }
        Err(problem) => Ok(print_problem(&problem)),
    }
}

/// Every value that changed, a line each.
fn format_changes(done: &Value, dry_run: bool) -> String {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines = String::new();
    let mut count = 0;
    for document in list(&done["written"]) {
        for changed in list(&document["changed"]) {
            let (of, id, key) =
                (text(&document["of"]), text(&document["id"]), text(&changed["key"]));
            let value = |side: &str| match &changed[side] {
                Value::Null => "—".to_owned(),
                value => value.to_string(),
            };
            lines += &format!("{of} {id} {key}: {} → {}\n", value("before"), value("after"));
            count += 1;
        }
    }
    let said = match (count, dry_run) {
        (0, _) => "it is so already: nothing changes",
        (_, true) => "this would change; nothing was written",
        (_, false) => "changed, and in force",
    };
    format!("{lines}{said}\n")
}

/// Says a refusal, with everything that is wrong and where.
fn print_problem(problem: &Value) -> Exit {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    eprintln!(
        "{} / {} ({})",
        text(&problem["title"]),
        text(&problem["title_en"]),
        text(&problem["code"])
    );
    match problem["problems"].as_array().filter(|problems| !problems.is_empty()) {
        Some(problems) => {
            for wrong in problems {
                eprintln!("  {}: {}", text(&wrong["key"]), text(&wrong["what"]));
                if let Some(advice) = wrong["advice"].as_str().filter(|advice| !advice.is_empty()) {
                    eprintln!("    → {advice}");
                }
            }
        }
        None if !text(&problem["detail"]).is_empty() => eprintln!("  {}", text(&problem["detail"])),
        None => {}
    }
    Exit::BadConfiguration
}
