//! Client of a running gateway's API, for the operator's commands.

use anyhow::{Context, bail};
use clap::Args;
use paihao_chassis::Exit;
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};
use serde_json::Value;
use std::time::Duration;

/// Timeout of a request; an import checks the settings of every site.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Gateway that a command calls.
#[derive(Args)]
pub struct GatewayOptions {
    /// Address of a gateway.
    #[arg(long, env = "PAIHAO_GATEWAY", default_value = "http://127.0.0.1:8080")]
    gateway: Url,
    /// A manager's key for every site that is concerned.
    #[arg(long, env = "PAIHAO_KEY", hide_env_values = true)]
    key: String,
}

impl GatewayOptions {
    /// Creates the options for a gateway of this process.
    pub(crate) fn new(gateway: Url, key: String) -> GatewayOptions {
        GatewayOptions { gateway, key }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "asks a gateway of the owner's, and must not share a client with WeChat's tokens"
    )]
    pub(crate) fn request(
        &self,
        method: Method,
        path: &str,
        query: &str,
    ) -> anyhow::Result<RequestBuilder> {
        // reqwest uses the process's provider. It does not matter if another crate has installed
        // one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client =
            Client::builder().timeout(REQUEST_TIMEOUT).build().context("no HTTP client")?;
        let mut url = self.gateway.join(path).context("--gateway is no address")?;
        url.set_query((!query.is_empty()).then_some(query));
        Ok(client.request(method, url).bearer_auth(&self.key))
    }
}

/// Sends a request. The inner error is the problem document of a refusal.
pub(crate) async fn send_request(request: RequestBuilder) -> anyhow::Result<Result<String, Value>> {
    let response = request
        .send()
        .await
        .map_err(reqwest::Error::without_url)
        .context("the gateway cannot be reached: is it running, and --gateway right?")?;
    let status = response.status();
    let text = response.text().await.context("the response broke off")?;
    if status == StatusCode::OK {
        return Ok(Ok(text));
    }
    match serde_json::from_str(&text) {
        Ok(problem) => Ok(Err(problem)),
        Err(_) => bail!("the gateway answered {status}: is this a gateway of paihao?"),
    }
}

/// Prints a refusal with each problem, its key and advice.
pub(crate) fn print_problem(problem: &Value) -> Exit {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    eprintln!(
        "{} / {} ({})",
        text(&problem["title"]),
        text(&problem["title_en"]),
        text(&problem["code"])
    );
    match problem["problems"].as_array().filter(|problems| !problems.is_empty()) {
        Some(problems) => {
            for problem in problems {
                eprintln!("  {}: {}", text(&problem["key"]), text(&problem["what"]));
                if let Some(advice) = problem["advice"].as_str().filter(|advice| !advice.is_empty())
                {
                    eprintln!("    → {advice}");
                }
            }
        }
        None if !text(&problem["detail"]).is_empty() => eprintln!("  {}", text(&problem["detail"])),
        None => {}
    }
    Exit::BadConfiguration
}
