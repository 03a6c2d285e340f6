//! Window of the browser: reading of its page, and input.

use crate::browser::{ChromedriverCommand, PAGE_TIMEOUT};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::error::CmdError;
use fantoccini::wd::WindowHandle;
use fantoccini::{Client, Locator};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Profile of a phone and its network.
pub struct SlowPhone {
    pub round_trip_ms: u32,
    pub down_kbps: u32,
    pub up_kbps: u32,
    /// How many times longer a script takes.
    pub processor_slowdown: u32,
}

/// Page in a window. Elements are named by CSS selectors, and only visible ones count.
pub struct Window {
    client: Client,
    handle: WindowHandle,
}

impl Window {
    pub fn new(client: &Client, handle: WindowHandle) -> Window {
        Window { client: client.clone(), handle }
    }

    /// Loads a page.
    pub async fn navigate(&self, url: &str) {
        self.focus().await.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Current address.
    pub async fn url(&self) -> String {
        self.focus().await.current_url().await.expect("an address").to_string()
    }

    /// Closes the window.
    pub async fn close(self) {
        self.focus().await.close_window().await.expect("the window closes");
    }

    /// Waits until a matching element shows the text.
    pub async fn wait_for_text(&self, css: &str, text: &str) {
        let description = format!("{css} shows {text:?}");
        self.wait_until(&description, async || {
            self.texts(css).await.iter().any(|shown| shown.contains(text))
        })
        .await;
    }

    /// Waits until no matching element is visible.
    pub async fn wait_until_hidden(&self, css: &str) {
        let description = format!("{css} is no longer shown");
        self.wait_until(&description, async || self.texts(css).await.is_empty()).await;
    }

    /// Texts of all visible matching elements.
    pub async fn texts(&self, css: &str) -> Vec<String> {
        let texts = self.run_script(SHOWN_TEXTS_SCRIPT, json!([css])).await;
        let texts = texts.as_array().expect("a list").iter();
        texts.map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits until an image is visible and loaded. Returns its address.
    pub async fn wait_for_picture(&self, css: &str) -> String {
        let mut address = Value::Null;
        let drawn = async || {
            address = self.run_script(PICTURE_DRAWN_SCRIPT, json!([css])).await;
            address.is_string()
        };
        self.wait_until(&format!("{css} is drawn"), drawn).await;
        address.as_str().expect("waited for").to_owned()
    }

    /// Waits until an element can be clicked, and clicks it.
    pub async fn click(&self, css: &str) {
        let description = format!("{css} can be clicked");
        self.wait_until(&description, async || {
            self.try_click(css).await.is_ok_and(|clicked| clicked)
        })
        .await;
    }

    /// Tries to click once. It fails if the page has replaced the element meanwhile; then nothing
    /// was clicked.
    async fn try_click(&self, css: &str) -> Result<bool, CmdError> {
        let element = self.focus().await.find(Locator::Css(css)).await?;
        if !element.is_enabled().await? {
            return Ok(false);
        }
        element.click().await.map(|()| true)
    }

    /// Waits for a field, and types into it.
    pub async fn type_into(&self, css: &str, text: &str) {
        let written = async || {
            let Ok(field) = self.focus().await.find(Locator::Css(css)).await else { return false };
            field.send_keys(text).await.is_ok()
        };
        self.wait_until(&format!("{css} can be written to"), written).await;
    }

    /// Presses keys one after the other, without pauses.
    pub async fn press_keys(&self, keys: &str) {
        let mut actions = KeyActions::new("keyboard".into());
        for key in keys.chars() {
            actions = actions.then(KeyAction::Down { value: key });
            actions = actions.then(KeyAction::Up { value: key });
        }
        self.focus().await.perform_actions(actions).await.expect("keys can be pressed");
    }

    /// Runs the statements of a script with `arguments`, a list. Returns the value that they
    /// return.
    pub async fn run_script(&self, script: &str, arguments: Value) -> Value {
        let Value::Array(arguments) = arguments else { panic!("arguments are a list") };
        let answer = self.focus().await.execute(script, arguments).await;
        answer.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until a matching element in the page's only frame shows the text.
    pub async fn wait_for_framed_text(&self, css: &str, text: &str) {
        let framed = async || {
            let focused = self.focus().await;
            if focused.enter_frame(0).await.is_err() {
                return false;
            }
            let texts =
                focused.execute(SHOWN_TEXTS_SCRIPT, vec![json!(css)]).await.unwrap_or_default();
            texts.as_array().is_some_and(|texts| {
                texts.iter().any(|shown| shown.as_str().is_some_and(|shown| shown.contains(text)))
            })
        };
        self.wait_until(&format!("in the frame, {css} shows {text:?}"), framed).await;
    }

    /// Waits until a condition holds; the failure includes the page's address and text.
    pub async fn wait_until(&self, description: &str, mut condition: impl AsyncFnMut() -> bool) {
        let started = Instant::now();
        while !condition().await {
            if started.elapsed() > PAGE_TIMEOUT {
                let shown = self.run_script("return document.body.innerText", json!([])).await;
                panic!("still not: {description}\nat {}\nshown: {shown}", self.url().await);
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }

    /// Sets the size of the screen, and the color scheme: `light` or `dark`. A width below 600 is a
    /// touch screen.
    pub async fn set_screen(&self, width: u32, height: u32, color_scheme: &str) {
        let touch = width < 600;
        let screen = json!({"width": width, "height": height, "screenWidth": width,
            "screenHeight": height, "deviceScaleFactor": 1, "mobile": touch});
        self.devtools("Emulation.setDeviceMetricsOverride", screen).await;
        self.devtools("Emulation.setTouchEmulationEnabled", json!({"enabled": touch})).await;
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": color_scheme}]});
        self.devtools("Emulation.setEmulatedMedia", media).await;
        let width = f64::from(width);
        let sized = async || {
            self.run_script("return screen.width", json!([])).await.as_f64() == Some(width)
        };
        self.wait_until("the screen has its size", sized).await;
    }

    /// Lays the page out as for paper.
    pub async fn set_paper(&self) {
        self.devtools("Emulation.setEmulatedMedia", json!({"media": "print"})).await;
    }

    /// Prints the page. Returns the PDF.
    pub async fn print(&self) -> Vec<u8> {
        let options = json!({"printBackground": true, "preferCSSPageSize": true});
        let printed = self.devtools("Page.printToPDF", options).await;
        STANDARD.decode(printed["data"].as_str().expect("a document")).expect("base64")
    }

    /// Runs a script before the page's own ones, from the next page on.
    pub async fn before_each_page(&self, script: &str) {
        let script = json!({ "source": script });
        self.devtools("Page.addScriptToEvaluateOnNewDocument", script).await;
    }

    /// Sets the browser's preferred languages, from the next page on.
    pub async fn set_languages(&self, languages: &str) {
        let agent = self.run_script("return navigator.userAgent", json!([])).await;
        let agent = json!({ "userAgent": agent, "acceptLanguage": languages });
        self.devtools("Emulation.setUserAgentOverride", agent).await;
    }

    /// Sets the time zone of the machine.
    pub async fn set_time_zone(&self, zone: &str) {
        self.devtools("Emulation.setTimezoneOverride", json!({ "timezoneId": zone })).await;
    }

    /// Makes the network and the processor those of a slow phone, and forgets what the browser has
    /// kept.
    pub async fn set_slow_phone(&self, slow: &SlowPhone) {
        let bytes_per_second = |kbps: u32| f64::from(kbps) * 1000.0 / 8.0;
        let network = json!({"offline": false, "latency": slow.round_trip_ms,
            "downloadThroughput": bytes_per_second(slow.down_kbps),
            "uploadThroughput": bytes_per_second(slow.up_kbps)});
        self.devtools("Network.enable", json!({})).await;
        self.devtools("Network.clearBrowserCache", json!({})).await;
        self.devtools("Network.emulateNetworkConditions", network).await;
        let rate = json!({"rate": slow.processor_slowdown});
        self.devtools("Emulation.setCPUThrottlingRate", rate).await;
    }

    /// Takes a screenshot as PNG.
    pub async fn screenshot(&self) -> Vec<u8> {
        let quickly = json!({"format": "png", "optimizeForSpeed": true});
        let screenshot = self.devtools("Page.captureScreenshot", quickly).await;
        STANDARD.decode(screenshot["data"].as_str().expect("a picture")).expect("base64")
    }

    /// Takes a screenshot of a part of the page, also beyond the screen, as PNG.
    pub async fn screenshot_of(&self, clip: Value) -> Vec<u8> {
        let wanted = json!({"format": "png", "clip": clip, "captureBeyondViewport": true});
        let screenshot = self.devtools("Page.captureScreenshot", wanted).await;
        STANDARD.decode(screenshot["data"].as_str().expect("a picture")).expect("base64")
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        let result =
            self.focus().await.issue_cmd(ChromedriverCommand("goog/cdp/execute", body)).await;
        result.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    async fn focus(&self) -> &Client {
        self.client.switch_to_window(self.handle.clone()).await.expect("the window is open");
        &self.client
    }
}

const SHOWN_TEXTS_SCRIPT: &str = "
return [...document.querySelectorAll(arguments[0])]
  .filter(element => element.checkVisibility({ visibilityProperty: true }))
  .map(element => element.innerText);";

const PICTURE_DRAWN_SCRIPT: &str = "
const picture = document.querySelector(arguments[0]);
const drawn = picture && picture.checkVisibility() && picture.complete && picture.naturalWidth > 0;
return drawn ? picture.src : null;";
