//! A headless Chromium, and what it has to say for itself at the end.

use crate::window::Window;
use fantoccini::wd::{WebDriverCompatibleCommand, WindowHandle};
use fantoccini::{Client, ClientBuilder};
use harness::{ChromeDriver, wait_until};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use std::time::Duration;

/// How long anything may take on a machine that is busy with other things.
pub const PAGE_TIMEOUT: Duration = Duration::from_secs(40);

/// One browser with windows.
pub struct Browser {
    client: Client,
    // After the client: it ends what the client speaks to.
    _driver: ChromeDriver,
}

impl Browser {
    /// Starts one.
    pub async fn start() -> Browser {
        let driver = ChromeDriver::start();
        let capabilities = json!({
            "goog:chromeOptions": { "binary": driver.chromium(), "args": driver.arguments(),
                "prefs": { "intl.accept_languages": "zh-CN,zh" } },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let Value::Object(capabilities) = capabilities else { unreachable!("written above") };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(driver.url()).await;
        let client = client.unwrap_or_else(|error| panic!("no browser: {error}"));
        Browser { client, _driver: driver }
    }

    /// Opens a page in a window of its own.
    pub async fn open(&self, url: &str) -> Window {
        // It is opened from the current one, which may have been closed.
        let some = self.windows().await.remove(0);
        self.client.switch_to_window(some).await.expect("a window is left");
        let opened = self.client.new_window(false).await.expect("a new window");
        let window = Window::new(&self.client, opened.handle);
        window.navigate(url).await;
        window
    }

    /// All windows there are.
    pub async fn windows(&self) -> Vec<WindowHandle> {
        self.client.windows().await.expect("the windows' handles")
    }

    /// The window that a page opens, when it was none of `before`.
    pub async fn window_opened_since(&self, before: &[WindowHandle]) -> Window {
        let mut fresh = None;
        let opened = async || {
            fresh = self.windows().await.into_iter().find(|handle| !before.contains(handle));
            fresh.is_some()
        };
        wait_until("a window opens", PAGE_TIMEOUT, opened).await;
        Window::new(&self.client, fresh.expect("waited for"))
    }

    /// Ends it. Nothing may have been asked of another machine, and no page may have complained of
    /// anything but what holds one of `expected`.
    pub async fn quit(self, expected: &[&str]) {
        let asked: Vec<Url> =
            self.log("performance").await.iter().filter_map(requested_url).collect();
        assert!(asked.len() > 5, "the requests were not seen: {asked:?}");
        for url in asked {
            let inside = matches!(url.scheme(), "data" | "about" | "blob" | "chrome");
            let here = matches!(url.host_str(), Some("127.0.0.1" | "localhost"));
            assert!(inside || here, "{url} was asked for");
        }
        for line in self.log("browser").await {
            let line = line["message"].as_str().unwrap_or_default();
            let known = expected.iter().any(|expected| line.contains(expected));
            assert!(known, "the console says: {line}");
        }
        self.client.close().await.expect("the browser ends");
    }

    async fn log(&self, kind: &'static str) -> Vec<Value> {
        let told =
            self.client.issue_cmd(ChromedriverCommand("se/log", json!({ "type": kind }))).await;
        told.expect("the log").as_array().expect("a list").clone()
    }
}

/// The address that a line of the performance log tells of as asked for.
fn requested_url(line: &Value) -> Option<Url> {
    let told: Value = serde_json::from_str(line["message"].as_str()?).ok()?;
    let message = &told["message"];
    let (method, event) = (message["method"].as_str()?, &message["params"]);
    let url = match method {
        "Network.requestWillBeSent" => &event["request"]["url"],
        "Network.webSocketCreated" => &event["url"],
        _ => return None,
    };
    Url::parse(url.as_str()?).ok()
}

/// A command of chromedriver that is not in the WebDriver standard.
#[derive(Debug)]
pub struct ChromedriverCommand(pub &'static str, pub Value);

impl WebDriverCompatibleCommand for ChromedriverCommand {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/{}", self.0))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.1.to_string()))
    }
}
