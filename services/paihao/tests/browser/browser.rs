//! Headless Chromium, with checks of its requests and console at the end.

use crate::window::Window;
use fantoccini::wd::{WebDriverCompatibleCommand, WindowHandle};
use fantoccini::{Client, ClientBuilder};
use harness::{ChromeDriver, wait_until};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Timeout of every wait, with room for a busy machine.
pub const PAGE_TIMEOUT: Duration = Duration::from_secs(40);

/// Timeout of a script, such as one that fills a hall on a machine where others run: longer than a
/// test may take, so that the test's own timeout tells what hangs.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(900);

/// Running browser with its windows.
pub struct Browser {
    client: Client,
    opened: AtomicUsize,
    // Declared after the client, so that it is dropped later: dropping it ends the client's server.
    _driver: ChromeDriver,
}

impl Browser {
    /// Starts a browser that prefers Chinese.
    pub async fn start() -> Browser {
        let driver = ChromeDriver::start();
        let capabilities = json!({
            "goog:chromeOptions": { "binary": driver.chromium(), "args": driver.arguments(),
                "prefs": { "intl.accept_languages": "zh-CN,zh" } },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "timeouts": { "script": SCRIPT_TIMEOUT.as_millis() as u64 },
        });
        let Value::Object(capabilities) = capabilities else { unreachable!("written above") };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(driver.url()).await;
        let client = client.unwrap_or_else(|error| panic!("no browser: {error}"));
        Browser { client, opened: AtomicUsize::new(0), _driver: driver }
    }

    /// Number of pages that were opened in windows of their own.
    pub fn opened_pages(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }

    /// Opens a page in a window of its own.
    pub async fn open(&self, url: &str) -> Window {
        self.opened.fetch_add(1, Ordering::Relaxed);
        // A new window is opened from the current one, which may have been closed.
        let some = self.windows().await.remove(0);
        self.client.switch_to_window(some).await.expect("a window is left");
        let opened = self.client.new_window(false).await.expect("a new window");
        let window = Window::new(&self.client, opened.handle);
        window.navigate(url).await;
        window
    }

    /// Handles of all windows.
    pub async fn windows(&self) -> Vec<WindowHandle> {
        self.client.windows().await.expect("the windows' handles")
    }

    /// Waits for a window that is not among `before`.
    pub async fn window_opened_since(&self, before: &[WindowHandle]) -> Window {
        let mut fresh = None;
        let opened = async || {
            fresh = self.windows().await.into_iter().find(|handle| !before.contains(handle));
            fresh.is_some()
        };
        wait_until("a window opens", PAGE_TIMEOUT, opened).await;
        Window::new(&self.client, fresh.expect("waited for"))
    }

    /// Quits the browser. Fails if a page has requested anything from another machine, or has
    /// logged an error that contains none of `expected`.
    pub async fn quit(self, expected: &[&str]) {
        let requested: Vec<Url> =
            self.log("performance").await.iter().filter_map(requested_url).collect();
        assert!(requested.len() > 5, "the requests were not logged: {requested:?}");
        for url in requested {
            let is_internal = matches!(url.scheme(), "data" | "about" | "blob" | "chrome");
            let is_local = matches!(url.host_str(), Some("127.0.0.1" | "localhost"));
            assert!(is_internal || is_local, "{url} was requested");
        }
        for line in self.log("browser").await {
            let line = line["message"].as_str().unwrap_or_default();
            let is_expected = expected.iter().any(|expected| line.contains(expected));
            assert!(is_expected, "the console has: {line}");
        }
        self.client.close().await.expect("the browser ends");
    }

    async fn log(&self, kind: &'static str) -> Vec<Value> {
        let command = ChromedriverCommand("se/log", json!({ "type": kind }));
        let log = self.client.issue_cmd(command).await.expect("the log");
        log.as_array().expect("a list").clone()
    }
}

/// URL of the request in a line of the performance log.
fn requested_url(line: &Value) -> Option<Url> {
    let entry: Value = serde_json::from_str(line["message"].as_str()?).ok()?;
    let message = &entry["message"];
    let event = &message["params"];
    let url = match message["method"].as_str()? {
        "Network.requestWillBeSent" => &event["request"]["url"],
        "Network.webSocketCreated" => &event["url"],
        _ => return None,
    };
    Url::parse(url.as_str()?).ok()
}

/// Command of chromedriver outside the WebDriver standard.
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
