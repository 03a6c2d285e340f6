//! Tests of links that strangers make: to the login with an address elsewhere, and with a key; and
//! of a login that is not one's own.

use crate::browser::Browser;
use crate::demo::{Demo, http_client};
use crate::window::Window;
use serde_json::{Value, json};

const BEGINNINGS: [&str; 30] = [
    "",
    "/",
    "//",
    "///",
    "////",
    "\\",
    "\\\\",
    "/\\",
    "\\/",
    "/./",
    "/.//",
    "/..//",
    "/../..//",
    "/%2e//",
    "/.\\/",
    "\t//",
    "/\t/",
    "/\n/",
    " //",
    "http:",
    "https:",
    "http:/",
    "https:///",
    "http:\\\\",
    "hTTps://",
    "javascript:",
    "data:text/html,",
    "blob:",
    "?//",
    "#//",
];

const HOSTS: [&str; 7] = [
    "evil.example",
    "evil.example:80/x?y#z",
    "user:pass@evil.example/",
    "[::1]/x",
    "manage/hall#numbers",
    "",
    "evil.example\\@x",
];

/// Goes to where each address leads, as the login does, in the browser's own reading.
const FOLLOW_SCRIPT: &str = "
return import(new URL('../../shared/http.js', document.querySelector('script[type=module]').src)).then(({ ownAddress }) => arguments[0].map(text => {
    const there = ownAddress(text);
    const link = document.createElement('a');
    link.href = there;
    return [text, there, link.origin === location.origin && new URL(there).href === link.href];
}));";

#[tokio::test]
async fn a_login_leads_to_a_page_of_this_server_whatever_its_link_says() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let pages = demo.pages_url();
    let page = browser.open(&format!("{pages}/login")).await;
    let forms: Vec<_> = BEGINNINGS
        .iter()
        .flat_map(|beginning| HOSTS.iter().map(move |host| format!("{beginning}{host}")))
        .collect();
    let followed = page.run_script(FOLLOW_SCRIPT, json!([forms])).await;
    let followed = followed.as_array().expect("a list");
    assert_eq!(followed.len(), forms.len());
    for one in followed {
        assert_eq!(one[2], json!(true), "{one}");
        assert!(one[1].as_str().unwrap().starts_with(&format!("{pages}/")), "{one}");
    }

    // The login itself goes there.
    let key = demo.printed_address("#key=").split_once("#key=").unwrap().1.to_owned();
    for (to, expected) in [("/.//evil.example", "/.//evil.example"), ("/me?a=1", "/me?a=1")] {
        let to: String = url::form_urlencoded::byte_serialize(to.as_bytes()).collect();
        page.navigate(&format!("{pages}/login?to={to}")).await;
        page.click("#with-key summary").await;
        page.type_into("#key", &key).await;
        page.click("#sign-in .primary").await;
        page.wait_until("the browser is sent on", async || !page.url().await.contains("/login"))
            .await;
        let reached = page.url().await;
        assert!(reached.starts_with(&format!("{pages}/")), "{expected}: {reached}");
    }
    browser.quit(&["status of 404", "status of 401"]).await;
}

/// Makes a key for a program of the hall. Returns it.
async fn make_key(demo: &Demo, manager_key: &str) -> String {
    let request = http_client().post(format!("{}/api/v1/keys", demo.pages_url()));
    let request = request.bearer_auth(manager_key);
    let wish = json!({"name": "CRM", "sites": ["hall"], "counters": ["1"]});
    let made: Value = request.json(&wish).send().await.unwrap().json().await.unwrap();
    made["key"].as_str().expect("a key").to_owned()
}

async fn stored_key(page: &Window) -> Value {
    page.run_script("return sessionStorage.getItem('paihao-staff-key/hall')", json!([])).await
}

#[tokio::test]
async fn a_link_with_a_key_asks_before_it_changes_who_one_acts_as() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let link = demo.printed_address("#key=");
    let (console, key) = link.split_once("#key=").unwrap();
    let other = make_key(&demo, key).await;
    // Nobody is anybody here yet, so the first link is not asked about; nor is it a second time.
    let page = browser.open(&link).await;
    page.wait_for_text("#choose, #desk", "号窗口").await;
    assert_eq!(stored_key(&page).await, json!(key));
    for (answer, expected) in [(false, key), (true, &*other)] {
        let script =
            format!("window.confirm = text => {{ window.asked = text; return {answer}; }};");
        page.before_each_page(&script).await;
        page.navigate("about:blank").await;
        page.navigate(&link).await;
        page.wait_for_text("#choose, #desk", "号窗口").await;
        let asked = page.run_script("return window.asked || null", json!([])).await;
        assert_eq!(asked, Value::Null, "the same key");
        page.navigate("about:blank").await;
        page.navigate(&format!("{console}#key={other}")).await;
        page.wait_for_text("#choose, #desk", "号窗口").await;
        let asked = page.run_script("return window.asked || ''", json!([])).await;
        let asked = asked.as_str().unwrap();
        assert!(asked.contains("demo") && asked.contains("CRM"), "{asked}");
        assert_eq!(stored_key(&page).await, json!(expected));
        assert!(!page.url().await.contains("key="), "the key does not stay in the address");
    }
    browser.quit(&[]).await;
}

#[tokio::test]
async fn a_page_tells_of_a_login_elsewhere_and_ends_it() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let link = demo.printed_address("#key=");
    let key = link.split_once("#key=").unwrap().1;
    let pages = demo.pages_url();
    let page = browser.open(&format!("{pages}/login?to=%2Fme")).await;
    page.click("#with-key summary").await;
    page.type_into("#key", key).await;
    page.click("#sign-in .primary").await;
    page.wait_for_text("#sessions li", "就是这个浏览器").await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let sessions = format!("{pages}/api/v1/me/sessions");
    let begun = http_client().post(&sessions).bearer_auth(key).send().await.unwrap();
    assert_eq!(begun.status(), 201);
    // It looks once a minute, and whenever the page is shown.
    let look = "document.dispatchEvent(new Event('visibilitychange'))";
    page.run_script(look, json!([])).await;
    page.wait_for_text(".new-login", "以您的身份登录").await;
    page.click(".new-login button:last-child").await;
    page.wait_until_hidden(".new-login").await;
    let listed = http_client().get(&sessions).bearer_auth(key).send().await.unwrap();
    let listed: Value = listed.json().await.unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    browser.quit(&["status of 401"]).await;
}
