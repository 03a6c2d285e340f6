//! Test of the pushes that people who run WeChat back ends have reported, each kept as a file.
//!
//! A file has a line `report:`, and one push or several, divided by a line `====`. A push has a
//! line `kind:`, as the parser names it (`none` if it is no message), a line `answer:`, and behind
//! an empty line the body. Answers are `success`, `ignored CODE`, and `reply TEXT` with a part of
//! the reply. `{account}`, `{person}`, `{now}` and `{scene}` are filled in.

use std::path::Path;

use paihao_wechat::callback;
use wechat_sim::{PushOverrides, ReplyOutcome, Routing};

use crate::support::gateway::{ModesDeployment, TEST_ACCOUNTS, console_account};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/reported/pushes");

/// One push of a file.
struct ReportedPush {
    kind: String,
    answer: String,
    person: Option<String>,
    body: String,
}

fn read_pushes(file: &Path) -> Vec<ReportedPush> {
    let text = std::fs::read_to_string(file).unwrap();
    let (report, pushes) = text.split_once('\n').unwrap();
    assert!(report.strip_prefix("report: ").is_some_and(|report| report.len() > 20), "{file:?}");
    let pushes = pushes.strip_suffix('\n').unwrap().split("\n====\n");
    let read = |push: &str| {
        let (head, body) = push.split_once("\n\n").unwrap();
        let value =
            |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        ReportedPush {
            kind: value("kind: ").unwrap(),
            answer: value("answer: ").unwrap(),
            person: value("person: "),
            body: body.to_owned(),
        }
    };
    pushes.map(read).collect()
}

#[tokio::test]
async fn every_reported_push_is_read_and_answered_in_every_mode() {
    let deployment = ModesDeployment::start().await;
    let mut files: Vec<_> =
        std::fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 30, "{} files", files.len());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    for file in &files {
        let name = file.file_stem().unwrap().to_str().unwrap();
        for (n, push) in read_pushes(file).into_iter().enumerate() {
            for (i, (account, _, mode)) in TEST_ACCOUNTS.iter().enumerate() {
                let at = format!("{name}, push {n}, {mode:?}");
                let person = push.person.clone().unwrap_or_else(|| format!("o_{name}"));
                let console = console_account(i);
                let body = push
                    .body
                    .replace("{account}", &console.original_id)
                    .replace("{person}", &person)
                    .replace("{now}", &now.to_string())
                    .replace("{scene}", &format!("q_{account}-one_a"));

                let parsed = callback::parse(body.as_bytes(), 64 * 1024);
                let kind = parsed.as_ref().map_or("none", |message| message.kind.name());
                assert_eq!(kind, push.kind, "{at}");

                let appid = Some(&*console.appid);
                let (routing, truly) = (Routing::default(), PushOverrides::default());
                let pushed =
                    deployment.wechat.push_raw(appid, &person, &body, routing, truly).await;
                let (delivery, answer) = (&pushed[0].deliveries[0], &pushed[0].answer);
                assert_eq!(delivery.status, Some(200), "{at}");
                let (word, rest) = push.answer.split_once(' ').unwrap_or((&*push.answer, ""));
                let ignored = delivery.ignored.as_deref();
                match (word, answer) {
                    ("success", ReplyOutcome::Success) => assert_eq!(ignored, None, "{at}"),
                    ("ignored", ReplyOutcome::Success) => assert_eq!(ignored, Some(rest), "{at}"),
                    ("reply", ReplyOutcome::Text { content }) => {
                        assert!(content.contains(rest), "{at}: {content}");
                    }
                    _ => panic!("{at}: {answer:?} instead of {}", push.answer),
                }
            }
        }
    }
    assert_eq!(deployment.wechat.stats().pushes_failed, 0, "no push counts against the account");
}
