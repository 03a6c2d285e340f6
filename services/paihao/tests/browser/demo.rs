//! A demo, as its terminal tells of it, and people who take numbers there.

use crate::browser::{Browser, PAGE_TIMEOUT};
use crate::window::Window;
use harness::{Program, free_port, wait_until};
use serde_json::json;

/// A running `paihao demo`.
pub struct Demo {
    program: Program,
    starts: usize,
}

impl Demo {
    /// Starts one with data of its own.
    pub async fn start() -> Demo {
        let port = two_free_ports().to_string();
        let arguments = ["demo", "--port", &port, "--data", "{dir}/data"];
        let program = Program::start(env!("CARGO_BIN_EXE_paihao"), &arguments, &[]);
        let demo = Demo { program, starts: 1 };
        demo.wait_until_ready().await;
        demo
    }

    /// Ends it without a warning.
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
        let said = || self.program.output().matches("Ctrl-C to stop").count() >= self.starts;
        wait_until("the demo says that it is ready", PAGE_TIMEOUT, async || said()).await;
    }

    /// The printed address that holds this, or stands on a line with it.
    pub fn printed_address(&self, word: &str) -> String {
        let output = self.program.output();
        let line = output.lines().rfind(|line| line.contains(word) && line.contains("http://"));
        let line = line.unwrap_or_else(|| panic!("no address of {word} in:\n{output}"));
        line[line.find("http://").expect("looked for")..].trim().to_owned()
    }

    /// The kiosk's address, for one queue.
    pub fn kiosk_url(&self, queue: &str) -> String {
        format!("{}?queue={queue}", self.printed_address("/kiosk/"))
    }

    /// Opens a kiosk and has so many people scan its first code, one after the other; the phones.
    pub async fn add_people_in_line(&self, browser: &Browser, people: usize) -> Window {
        let kiosk = browser.open(&self.kiosk_url("general")).await;
        let phones = browser.open(&kiosk_code_link(&kiosk).await).await;
        // A browser has few connections to one server, and a kiosk needs two.
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

    /// Logs in with the key that the terminal names, on a page that asks who one is.
    pub async fn log_in_with_key(&self, page: &Window) {
        page.click("#with-key summary").await;
        let key = self.printed_address("#key=");
        page.type_into("#key", key.split("#key=").nth(1).unwrap()).await;
        page.click("#sign-in .primary").await;
    }

    /// Opens the console as the terminal says, at the first counter.
    pub async fn staff_at_first_counter(&self, browser: &Browser) -> Window {
        self.staff_at(browser, 1).await
    }

    /// The same at another one, by its place in the list.
    pub async fn staff_at(&self, browser: &Browser, place: usize) -> Window {
        let staff = browser.open(&self.printed_address("#key=")).await;
        let choices = "#choose button, #desk #change";
        staff.wait_until("it has begun", async || !staff.texts(choices).await.is_empty()).await;
        // The browser remembers where its last console was.
        if staff.texts("#choose button").await.is_empty() {
            staff.click("#change").await;
        }
        staff.click(&format!("#counters button:nth-child({place})")).await;
        staff.wait_for_text("#counter", &format!("{place}号窗口")).await;
        staff
    }
}

/// The first of two neighbours: the phones are beside the pages, and another demo that starts at
/// this moment must not be told to take that port.
fn two_free_ports() -> u16 {
    loop {
        let (one, other) = (free_port(), free_port());
        if other == one + 1 {
            return one;
        }
    }
}

/// The link under a kiosk's code, once there is one.
pub async fn kiosk_code_link(kiosk: &Window) -> String {
    kiosk.wait_for_picture("#code").await;
    let link = kiosk.run_script("return document.getElementById('phone').href", json!([])).await;
    link.as_str().expect("a link").to_owned()
}

/// A person, counted from one, scans the code that the phones page was opened with.
pub async fn scan(phones: &Window, person: usize) {
    // With its picture, the page has drawn all it knows: nothing moves under the finger.
    phones.wait_for_picture(&format!(".phone:nth-child({person}) .pick img")).await;
    phones.click(&format!(".phone:nth-child({person}):not(.busy) .pick .go")).await;
}

/// Where a person's phone shows what was said.
pub fn chat_selector(person: usize) -> String {
    format!(".phone:nth-child({person}) .chat")
}
