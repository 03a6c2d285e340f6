//! Search of all that a first day leaves behind for the secrets of its account.

use crate::window::Window;
use serde_json::json;
use std::path::Path;

/// Addresses of what the pages read and export.
const READ_PATHS: [&str; 6] =
    ["/accounts", "/book", "/book?format=toml", "/book/changes", "/audit", "/examination"];

/// Secrets, each with the name under which a leak is told.
pub struct Secrets(pub Vec<(&'static str, String)>);

impl Secrets {
    /// Checks that none of them is in these bytes.
    pub fn assert_not_in(&self, place: &str, bytes: &[u8]) {
        for (name, secret) in &self.0 {
            assert!(secret.len() >= 16, "{name} is too short to be searched for");
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "the {name} is in {place}");
        }
    }

    /// Checks every file below a folder. Returns their size together.
    pub fn assert_not_below(&self, folder: &Path) -> usize {
        let entries = std::fs::read_dir(folder).expect("the folder is there");
        let sizes = entries.map(|entry| {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                return self.assert_not_below(&path);
            }
            // A store may have thrown a file away meanwhile.
            let bytes = std::fs::read(&path).unwrap_or_default();
            self.assert_not_in(&path.display().to_string(), &bytes);
            bytes.len()
        });
        sizes.sum()
    }

    /// Checks the page that a window shows.
    pub async fn assert_not_on(&self, page: &Window) {
        let shown = page.run_script("return document.documentElement.outerHTML", json!([])).await;
        let shown = shown.as_str().expect("a page").to_owned();
        self.assert_not_in(&page.url().await, shown.as_bytes());
        let fields = page.run_script(FIELDS_SCRIPT, json!([])).await.to_string();
        self.assert_not_in("a field of the page", fields.as_bytes());
    }

    /// Checks what the API tells and exports to whoever is logged in in a window.
    pub async fn assert_not_told_to(&self, page: &Window) {
        for path in READ_PATHS {
            let answer = page.run_script(READ_SCRIPT, json!([path])).await;
            assert_eq!(answer["status"], 200, "{path}: {answer}");
            self.assert_not_in(path, answer["text"].as_str().expect("a text").as_bytes());
        }
    }
}

const FIELDS_SCRIPT: &str =
    "return [...document.querySelectorAll('input, textarea')].map(field => field.value)";

const READ_SCRIPT: &str = "
return fetch(`/api/v1${arguments[0]}`)
  .then(async answer => ({ status: answer.status, text: await answer.text() }));";
