//! Tests of the look of a site: its logo and its colour at every gateway, on every page, in files.

use super::client::{MANAGER_KEY, OWNER_KEY, STAFF_KEY, SettingsClient, send};
use crate::support::cluster::Cluster;
use crate::support::wait_until;
use reqwest::{Method, Response};
use serde_json::{Value, json};

const LOGO: &str = "/book/sites/hall/logo";

/// Picture with a comment that nobody should be served.
fn logo_png(blue: u8) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 6, 2);
    encoder.set_color(png::ColorType::Rgb);
    encoder
        .add_text_chunk("Comment".to_owned(), "<script>the-comment</script>".to_owned())
        .unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[blue; 36]).unwrap();
    writer.finish().unwrap();
    file.extend(b"<script>the-tail</script>");
    file
}

impl SettingsClient {
    /// Puts a logo in the place of the newest one.
    async fn put_logo(&self, key: &str, png: Vec<u8>) -> super::client::ApiResponse {
        let etag = self.get(LOGO).await.etag;
        let request = self.request(Method::PUT, LOGO, key).body(png);
        send(match etag {
            Some(etag) => request.header("If-Match", etag),
            None => request,
        })
        .await
    }

    /// Gets a page or a file of one, without a key.
    async fn page(&self, path: &str) -> Response {
        self.http.get(self.url.replace("/api/v1", "") + path).send().await.unwrap()
    }

    /// Look of the hall as its board tells it.
    async fn board_brand(&self) -> Value {
        self.page("/api/v1/sites/hall").await.json::<Value>().await.unwrap()["brand"].clone()
    }
}

#[tokio::test]
async fn a_logo_is_on_every_page_at_every_gateway_until_it_is_removed() {
    let cluster = Cluster::new();
    let one = SettingsClient::start(&cluster).await;
    let other = SettingsClient::start(&cluster).await;
    assert_eq!(one.get(LOGO).await.problem_code(), "no_logo");
    assert_eq!(one.board_brand().await, Value::Null);
    let made = one.put_logo(MANAGER_KEY, logo_png(0x60)).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let shown = one.get(LOGO).await.body;
    assert_eq!((&shown["width"], &shown["height"]), (&json!(6), &json!(2)));
    let url = shown["url"].as_str().unwrap().to_owned();
    wait_until("the other has read it", async || {
        other.board_brand().await["logo"]["url"] == url.as_str()
    })
    .await;

    for page in ["kiosk/hall", "board/hall", "console/hall", "manage/hall", "slip/hall/A001"] {
        let text = other.page(&format!("/{page}")).await.text().await.unwrap();
        assert!(text.contains(&format!("src=\"{url}\"")), "{page}: {text}");
    }
    let file = other.page(&url).await;
    let header = |name: &str| file.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "image/png");
    assert_eq!(header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert!(header("content-security-policy").starts_with("default-src 'self'"));
    let bytes = file.bytes().await.unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(!text.contains("the-comment") && !text.contains("the-tail"), "pixels alone are kept");

    // Another picture has another address; the former one leads to it.
    let changed = one.put_logo(OWNER_KEY, logo_png(0x61)).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let second = one.get(LOGO).await.body["url"].as_str().unwrap().to_owned();
    assert_ne!(second, url);
    let former = one.page(&url).await;
    assert_eq!(former.headers()["cache-control"], "no-cache");
    assert_eq!(one.page("/brand/nowhere/x.png").await.status(), 404);

    let etag = one.get(LOGO).await.etag.unwrap();
    let remove = one.request(Method::DELETE, LOGO, MANAGER_KEY).header("If-Match", etag);
    assert_eq!(send(remove).await.status, 200);
    assert_eq!(one.page(&second).await.status(), 404);
    let text = one.page("/board/hall").await.text().await.unwrap();
    assert!(!text.contains("/brand/"), "{text}");
    let changes = one.get("/book/changes?site=hall").await.body["changes"].clone();
    let did: Vec<_> =
        changes.as_array().unwrap().iter().map(|c| (&c["of"], &c["did"], &c["by"])).collect();
    let row = |did: &'static str, by: &'static str| (json!("logo"), json!(did), json!(by));
    let expected = [row("retired", "boss"), row("changed", "owner"), row("created", "boss")];
    assert_eq!(did, expected.iter().map(|(a, b, c)| (a, b, c)).collect::<Vec<_>>());
    assert!(!changes.to_string().contains("iVBOR"), "a change does not carry the picture");
    cluster.tasks.abort();
}

#[tokio::test]
async fn what_is_no_logo_is_refused_and_staff_set_none() {
    let cluster = Cluster::new();
    let client = SettingsClient::start(&cluster).await;
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".to_vec();
    for bad in [svg, b"GIF89a".to_vec(), logo_png(1)[..40].to_vec(), Vec::new()] {
        let refused = client.put_logo(MANAGER_KEY, bad).await;
        assert_eq!((refused.status, refused.problem_code()), (422, "bad_logo"), "{}", refused.text);
    }
    assert_eq!(client.put_logo(STAFF_KEY, logo_png(1)).await.problem_code(), "not_allowed");
    let large = client.put_logo(MANAGER_KEY, vec![0; 300_000]).await;
    assert_eq!(large.problem_code(), "body_too_large");
    assert_eq!(client.get(LOGO).await.problem_code(), "no_logo");
    cluster.tasks.abort();
}

#[tokio::test]
async fn a_logo_and_a_colour_wait_for_their_generation() {
    let cluster = Cluster::new();
    let client = SettingsClient::start_writing(&cluster, 1).await;
    let held_back = client.put_logo(MANAGER_KEY, logo_png(1)).await;
    assert_eq!((held_back.status, held_back.problem_code()), (409, "forms_held_back"));
    let mut site = client.get("/book/sites/hall").await.body;
    site["accent"] = json!("#123456");
    let held_back = client.put("/book/sites/hall", site).await;
    assert_eq!(held_back.problem_code(), "forms_held_back");
    cluster.tasks.abort();
}

#[tokio::test]
async fn a_colour_has_a_style_sheet_with_shades_that_can_be_read() {
    let cluster = Cluster::new();
    let one = SettingsClient::start(&cluster).await;
    let mut site = one.get("/book/sites/hall").await.body;
    for bad in ["yellow", "#fff", "#ffcc00;}body{display:none", "url(//evil)"] {
        site["accent"] = json!(bad);
        let refused = one.put("/book/sites/hall", site.clone()).await;
        assert_eq!(refused.problem_code(), "unsound_setup", "{bad}");
        assert_eq!(refused.body["problems"][0]["key"], "sites.hall.accent");
    }
    site["accent"] = json!("#ffcc00");
    assert_eq!(one.put("/book/sites/hall", site.clone()).await.status, 200);
    let style = one.board_brand().await["style"].as_str().unwrap().to_owned();
    let page = one.page("/kiosk/hall").await.text().await.unwrap();
    assert!(
        page.contains(&format!("<link id=\"brand\" rel=\"stylesheet\" href=\"{style}\">")),
        "{page}"
    );
    let file = one.page(&style).await;
    assert_eq!(file.headers()["content-type"], "text/css; charset=utf-8");
    assert_eq!(file.headers()["cache-control"], "public, max-age=31536000, immutable");
    let text = file.text().await.unwrap();
    assert!(text.contains("--accent:#ffcc00") && !text.contains("--accent-ink:#ffcc00"), "{text}");
    let shades = one.get("/book/accents/ffcc00").await.body;
    assert_eq!(
        (&shades["light_corrected"], &shades["dark_corrected"]),
        (&json!(true), &json!(false))
    );
    site["accent"] = Value::Null;
    assert_eq!(one.put("/book/sites/hall", site).await.status, 200);
    assert_eq!(one.page(&style).await.status(), 404);
    cluster.tasks.abort();
}

#[tokio::test]
async fn a_file_takes_logos_along_and_a_retired_site_loses_its_own() {
    let cluster = Cluster::new();
    let client = SettingsClient::start(&cluster).await;
    assert_eq!(client.put_logo(OWNER_KEY, logo_png(0x33)).await.status, 200);
    let exported = client.get("/book?format=toml").await.text;
    assert!(exported.contains("[logos.hall]"), "{exported}");

    let elsewhere = Cluster::new();
    let target = SettingsClient::start(&elsewhere).await;
    let import = |dry_run: &str| {
        let request = target.request(Method::PUT, &format!("/book{dry_run}"), OWNER_KEY);
        send(request.header("content-type", "application/toml").body(exported.clone()))
    };
    let tried = import("?dry_run=true").await;
    assert_eq!(tried.body["written"][0]["of"], "logo", "{}", tried.text);
    assert_eq!(target.get(LOGO).await.problem_code(), "no_logo");
    let imported = import("").await;
    assert_eq!(imported.status, 200, "{}", imported.text);
    assert_eq!(target.get(LOGO).await.body, client.get(LOGO).await.body);
    assert_eq!(import("").await.body["written"], json!([]), "it is so already");

    let retired = target.delete("/book/sites/hall").await;
    assert_eq!(retired.status, 200, "{}", retired.text);
    let exported = target.get("/book").await.body;
    assert_eq!(exported.get("logos"), None, "{exported}");
    let site = json!({"account": "shop", "name": "新厅", "queues": {}, "counters": {}});
    let etag = retired.etag.unwrap();
    let again = target.request(Method::PUT, "/book/sites/hall", OWNER_KEY);
    assert_eq!(send(again.header("If-Match", etag).json(&site)).await.status, 200);
    assert_eq!(target.board_brand().await, Value::Null, "it begins without one");
    for cluster in [cluster, elsewhere] {
        cluster.tasks.abort();
    }
}
