//! Running `paihao demo`, driven by the addresses that it prints, and helpers that take numbers
//! there.

use crate::browser::{Browser, PAGE_TIMEOUT};
use crate::window::Window;
use harness::{Program, free_port, wait_until};
use serde_json::{Value, json};

/// Running demo.
pub struct Demo {
    program: Program,
    starts: usize,
}

impl Demo {
    /// Starts a demo with its own data, and waits until it is ready.
    pub async fn start() -> Demo {
        let port = two_free_ports().to_string();
        let arguments = ["demo", "--port", &port, "--data", "{dir}/data"];
        let program = Program::start(env!("CARGO_BIN_EXE_paihao"), &arguments, &[]);
        let demo = Demo { program, starts: 1 };
        demo.wait_until_ready().await;
        demo
    }

    /// Kills the process.
    pub fn kill(&mut self) {
        self.program.kill();
    }

    /// Starts it again with the same port and data.
    pub async fn restart(&mut self) {
        self.starts += 1;
        self.program.restart();
        self.wait_until_ready().await;
    }

    async fn wait_until_ready(&self) {
        let greeted =
            async || self.program.output().matches("Ctrl-C to stop").count() >= self.starts;
        wait_until("the demo prints its greeting", PAGE_TIMEOUT, greeted).await;
    }

    /// Last printed address on a line with this word.
    pub fn printed_address(&self, word: &str) -> String {
        let output = self.program.output();
        let line = output.lines().rfind(|line| line.contains(word) && line.contains("http://"));
        let line = line.unwrap_or_else(|| panic!("no address of {word} in:\n{output}"));
        line[line.find("http://").expect("looked for")..].trim().to_owned()
    }

    /// Base URL of the pages.
    pub fn pages_url(&self) -> String {
        let kiosk = self.printed_address("/kiosk/");
        kiosk.split("/kiosk").next().expect("looked for").to_owned()
    }

    /// Address of the kiosk for one queue.
    pub fn kiosk_url(&self, queue: &str) -> String {
        format!("{}?queue={queue}", self.printed_address("/kiosk/"))
    }

    /// Opens a kiosk and lets so many people scan its first code, one after the other. Returns the
    /// phones' page.
    pub async fn add_people_in_line(&self, browser: &Browser, people: usize) -> Window {
        let kiosk = browser.open(&self.kiosk_url("general")).await;
        let phones = browser.open(&kiosk_code_link(&kiosk).await).await;
        // A browser limits its connections to one server, and a kiosk needs two.
        kiosk.close().await;
        for _ in 3..people {
            phones.click("#add").await;
        }
        for person in 1..=people {
            scan(&phones, person).await;
            phones.wait_for_text(&chat_selector(person), &format!("A{person:03}")).await;
        }
        phones
    }

    /// Printed key of a manager.
    pub fn key(&self) -> String {
        let address = self.printed_address("#key=");
        address.split("#key=").nth(1).expect("looked for").to_owned()
    }

    /// Logs in with the printed key, on a page that shows the login.
    pub async fn log_in_with_key(&self, page: &Window) {
        page.click("#with-key summary").await;
        let key = self.printed_address("#key=");
        page.type_into("#key", key.split("#key=").nth(1).unwrap()).await;
        page.click("#sign-in .primary").await;
    }

    /// Posts to an address of the API with the printed key. The path begins behind `/api/v1/`.
    pub async fn post_as_manager(&self, path: &str) {
        let address = self.printed_address("#key=");
        let key = address.split("#key=").nth(1).unwrap();
        let pages = address.split("/console").next().unwrap();
        let posted = http_client()
            .post(format!("{pages}/api/v1/{path}"))
            .bearer_auth(key)
            .header("idempotency-key", path.replace('/', "-"))
            .send()
            .await
            .expect("an answer");
        assert!(posted.status().is_success(), "{path}: {}", posted.status());
    }

    /// Posts an act on something of the hall, such as `queues/general`, with the printed key.
    pub async fn act(&self, target: &str, act: &str) {
        let (pages, key) = self.pages_and_key();
        let posted = http_client()
            .post(format!("{pages}/api/v1/sites/hall/{target}/{act}"))
            .bearer_auth(key)
            .send()
            .await
            .expect("an answer");
        assert!(posted.status().is_success(), "{target}/{act}: {}", posted.status());
    }

    /// Changes the settings of the hall, as a manager does.
    pub async fn change_site(&self, change: impl FnOnce(&mut Value)) {
        let (pages, key) = self.pages_and_key();
        let url = format!("{pages}/api/v1/book/sites/hall");
        let client = http_client();
        let read = client.get(&url).bearer_auth(&key).send().await.expect("an answer");
        let revision = read.headers()["etag"].clone();
        let mut site: Value = read.json().await.expect("settings");
        change(&mut site);
        let put = client.put(&url).bearer_auth(&key).header("if-match", revision).json(&site);
        let put = put.send().await.expect("an answer");
        assert!(put.status().is_success(), "{}", put.text().await.expect("a body"));
    }

    fn pages_and_key(&self) -> (String, String) {
        let address = self.printed_address("#key=");
        let (pages, _) = address.split_once("/console").expect("the console");
        let (_, key) = address.split_once("#key=").expect("the key");
        (pages.to_owned(), key.to_owned())
    }

    /// Opens the console at the first counter.
    pub async fn staff_at_first_counter(&self, browser: &Browser) -> Window {
        self.staff_at(browser, 1).await
    }

    /// Opens the console at a counter, by its position in the list, counted from 1.
    pub async fn staff_at(&self, browser: &Browser, position: usize) -> Window {
        let staff = browser.open(&self.printed_address("#key=")).await;
        let choices = "#choose button, #desk #change";
        staff.wait_until("it has begun", async || !staff.texts(choices).await.is_empty()).await;
        // The browser remembers the counter of its last console.
        if staff.texts("#choose button").await.is_empty() {
            staff.click("#change").await;
        }
        staff.click(&format!("#counters button:nth-child({position})")).await;
        staff.wait_for_text("#counter", &format!("{position}号窗口")).await;
        staff
    }
}

/// Client for requests beside those of the browser.
pub fn http_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

/// Reserves two consecutive ports and returns the first. The demo's phones take the next port,
/// which no other demo may get meanwhile.
fn two_free_ports() -> u16 {
    loop {
        let first = free_port();
        let second = free_port();
        if second == first + 1 {
            return first;
        }
    }
}

/// Waits for a kiosk's code. Returns the link below it.
pub async fn kiosk_code_link(kiosk: &Window) -> String {
    kiosk.wait_for_picture("#code").await;
    let link = kiosk.run_script("return document.getElementById('phone').href", json!([])).await;
    link.as_str().expect("a link").to_owned()
}

/// Lets a person, counted from 1, scan the code that the phones' page was opened with.
pub async fn scan(phones: &Window, person: usize) {
    // Once the image is there, the page is complete, and the button does not move during the click.
    phones.wait_for_picture(&format!(".phone:nth-child({person}) .pick img")).await;
    phones.click(&format!(".phone:nth-child({person}):not(.busy) .pick .go")).await;
}

/// CSS selector of a person's chat.
pub fn chat_selector(person: usize) -> String {
    format!(".phone:nth-child({person}) .chat")
}
