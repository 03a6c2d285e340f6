//! Walk over every operation of the OpenAPI document by those who have no right to the hall:
//! nothing of it is read, and nothing of it changes. What is new in the document is walked too.

use super::everywhere::{sample_body, sample_query, sample_request};
use super::fixture::{Fixture, key_of};
use super::script::run_script;
use super::walk::{Coverage, OPERATIONS, Operation};
use paihao_contracts::staff::StaffRole;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Holders of keys of the other site, and somebody without any.
const STRANGERS: [Option<&str>; 5] =
    [Some("stranger"), Some("far_staff"), Some("far_api"), Some("far_api_manager"), None];

/// What is in the hall and on its board, which everybody sees.
const SHOWN: [&str; 3] = ["一号标记队列", "一号标记窗口", "Q001"];

/// What is in the hall, and nobody else's.
const KEPT: [&str; 8] = [
    "the-marked-reason",
    "the-marked-key",
    "the-marked-guest",
    "the-marked-kiosk",
    "the-marked-words",
    "m_marked",
    "template_unknown",
    "crm",
];

/// Things of the hall.
const SCRIPT: &str = r#"
    manager put_queue queue=marked seen=SEEN {"name": "一号标记队列", "prefix": "Q", "open": false}
    manager put_counter counter=marked seen=SEEN {"name": "一号标记窗口", "queues": ["a", "marked"]}
    manager put_wording seen=SEEN {"news": "the-marked-words"}
    manager open_queue queue=marked
    manager take_ticket queue=marked
    manager hold number=Q001 {"reason": "the-marked-reason"}
"#;

/// Person with a phone, whose openid nobody reads at all.
const OPENID: &str = "oAnn";

/// The hall with its marks.
struct Marked {
    fixture: Fixture,
    /// Values of the parameters of paths, by name.
    ids: BTreeMap<&'static str, String>,
}

impl Marked {
    async fn new() -> Marked {
        let fixture = Fixture::new(&Coverage::default()).await;
        run_script(&fixture, "", SCRIPT).await;
        fixture.take_ticket_link().await;
        fixture.add_member("m_marked", StaffRole::Staff, Some(&["hall"])).await;
        let as_manager = async |id: &str, body: Value| {
            let request = fixture.client.request(id).with_key_of("manager").json(&body);
            let answer = request.send().await;
            assert_eq!(answer.problem_code(), "ok", "{id}: {answer:?}");
            answer.body
        };
        let of_hall = |name: &str| json!({"name": name, "sites": ["hall"], "counters": ["1"]});
        let key = as_manager("make_key", of_hall("the-marked-key")).await;
        let mut guest = of_hall("the-marked-guest");
        guest["role"] = "staff".into();
        let guest = as_manager("invite", guest).await;
        let shown = fixture.client.request("request_pairing").send().await.body;
        let pairing = json!({"code": shown["code"], "name": "the-marked-kiosk"});
        let kiosk = as_manager("pair_kiosk", pairing).await;
        let letter = fixture.add_dead_letter("notices", "hall").await;
        let id = |answer: &Value, name: &str| answer[name].as_str().unwrap().to_owned();
        let ids = BTreeMap::from([
            ("key", id(&key, "id")),
            ("uuid", id(&guest, "uuid")),
            ("kiosk", id(&kiosk, "id")),
            ("letter", letter),
            ("member", "m_marked".to_owned()),
            ("number", "Q001".to_owned()),
            ("queue", "marked".to_owned()),
        ]);
        Marked { fixture, ids }
    }

    /// Returns what an operation answers at a site to the holder of a key, and its status.
    async fn read(
        &self,
        operation: &Operation,
        site: &str,
        query: &str,
        holder: Option<&str>,
    ) -> (u16, String) {
        let client = &self.fixture.client;
        let mut request = client.request(&operation.id);
        for (name, id) in &self.ids {
            request = request.path_parameter(name, id);
        }
        let url = request.path_parameter("site", site).query(query).url();
        let request = client.http.get(url);
        let request = match holder {
            Some(holder) => request.bearer_auth(key_of(holder)),
            None => request,
        };
        let mut response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let kind = response.headers().get("content-type").cloned();
        if kind.is_none_or(|kind| kind != "text/event-stream") {
            return (status, response.text().await.unwrap());
        }
        // A stream never ends: what comes at once is read.
        let mut text = Vec::new();
        let pause = Duration::from_millis(300);
        while let Ok(Ok(Some(chunk))) = tokio::time::timeout(pause, response.chunk()).await {
            text.extend_from_slice(&chunk);
        }
        (status, String::from_utf8_lossy(&text).into_owned())
    }

    /// Returns what the owner reads of the hall, by operation. What streams and logs of everybody
    /// have is not in it.
    async fn read_all(&self) -> BTreeMap<&'static str, String> {
        let mut all = BTreeMap::new();
        for operation in readings().filter(|operation| operation.roles().is_some()) {
            let is_of_everybody =
                ["me", "my_sessions", "audit", "examination"].contains(&&*operation.id);
            if is_of_everybody || operation.is_stream() {
                continue;
            }
            let (_, text) =
                self.read(operation, "hall", sample_query(&operation.id), Some("owner")).await;
            all.insert(&*operation.id, text);
        }
        all
    }
}

/// Operations that read.
fn readings() -> impl Iterator<Item = &'static Operation> {
    OPERATIONS.values().filter(|operation| !operation.is_write())
}

/// Queries of an operation: none, and the one that asks for the hall where it takes a site.
fn queries(operation: &Operation) -> Vec<String> {
    let own = sample_query(&operation.id);
    let takes_site = operation.parameters().any(|parameter| parameter["name"] == "site")
        && !operation.has_path_parameter("site");
    let of_hall = takes_site.then(|| format!("{own}&site=hall"));
    [own.to_owned()].into_iter().chain(of_hall).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_of_another_site_reads_what_is_in_the_hall() {
    let marked = Marked::new().await;
    let mut unread: BTreeSet<&str> = SHOWN.into_iter().chain(KEPT).collect();
    for operation in readings() {
        let id = &operation.id;
        for query in queries(operation) {
            let (_, own) = marked.read(operation, "hall", &query, Some("owner")).await;
            unread.retain(|mark| !own.contains(mark));
            assert!(!own.contains(OPENID), "{id} tells its owner an openid: {own}");
            for (site, holder) in ["hall", "other"]
                .into_iter()
                .flat_map(|site| STRANGERS.map(|holder| (site, holder)))
            {
                let (status, text) = marked.read(operation, site, &query, holder).await;
                let asked = format!("{id}?{query} of {site} by {holder:?}: {status} {text}");
                let kept = KEPT.iter().chain(&[OPENID]);
                match operation.roles() {
                    // The board, and everything that is printed beside it.
                    None if id == "openapi" => {}
                    None => kept.for_each(|mark| assert!(!text.contains(mark), "{mark}: {asked}")),
                    Some(_) => {
                        let all = kept.chain(&SHOWN);
                        all.for_each(|mark| assert!(!text.contains(mark), "{mark}: {asked}"));
                        assert!(holder.is_some() || status == 401, "{asked}");
                    }
                }
            }
        }
    }
    assert!(unread.is_empty(), "marks that the owner reads nowhere: {unread:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_of_another_site_changes_what_is_in_the_hall() {
    let marked = Marked::new().await;
    let before = marked.read_all().await;
    let site = marked.fixture.client.request("read_site").with_key_of("owner").send().await;
    let revision = site.etag.unwrap();
    let mut written = 0;
    for operation in OPERATIONS.values().filter(|operation| operation.is_write()) {
        // Everybody may take a number and ask for a code, and a link is its holder's.
        if operation.roles().is_none() {
            continue;
        }
        for holder in STRANGERS {
            let mut request = sample_request(&marked.fixture, operation);
            for (name, id) in &marked.ids {
                request = request.path_parameter(name, id);
            }
            if operation.is_for_settings() {
                request = request.header("if-match", &revision);
            }
            request = match holder {
                Some(holder) => request.with_key_of(holder),
                None => request,
            };
            let answer = request.send().await;
            assert!(holder.is_some() || answer.status == 401, "{}: {answer:?}", operation.id);
            if operation.has_path_parameter("site") {
                assert!((401..=403).contains(&answer.status), "{}: {answer:?}", operation.id);
            }
            written += 1;
        }
    }
    assert!(written > 200, "{written}");
    let after = marked.read_all().await;
    for (id, text) in &before {
        assert_eq!(text, &after[id], "{id}");
    }
    // What they were refused is possible: the same walk by who may would change it.
    let request = marked.fixture.client.request("remove").with_key_of("manager");
    let request = request.path_parameter("number", "Q001").json(&sample_body("remove").unwrap());
    assert_eq!(request.send().await.problem_code(), "ok");
    assert_ne!(marked.read_all().await["tickets"], before["tickets"]);
}
