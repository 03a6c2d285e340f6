//! Test of the documented table of WeChat's calls, which is made from what the simulator does.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use crate::fake::TestClient;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/wechat-calls.md");
const LIBRARIES: [&str; 3] = ["wechatpy", "WxJava", "co-wechat-api"];

/// Paths of WeChat's calls, with the libraries that make them.
fn calls() -> Vec<(&'static str, Vec<&'static str>)> {
    let lines = include_str!("../../src/api/calls.txt").lines();
    let lines = lines.filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.split(' ');
            (words.next().unwrap(), words.collect())
        })
        .collect()
}

/// What the simulator does with a call: serves it by a method, or refuses it.
async fn treatment(caller: &TestClient, path: &str) -> String {
    let url = format!("{}{path}?access_token={}", caller.simulator.base_url(), caller.token);
    let mut codes = Vec::new();
    for request in [caller.http.get(&url), caller.http.post(&url).body("{}")] {
        let text = request.send().await.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        codes.push(answer["errcode"].as_i64().unwrap_or_default());
    }
    match codes[..] {
        [48001, 48001] => "48001".into(),
        [43002, post] if post != 43001 => "`POST`".into(),
        [get, 43001] if get != 43002 => "`GET`".into(),
        [get, post] => {
            assert!(![get, post].iter().any(|code| [43001, 43002, 48001, 40066].contains(code)));
            "`GET`, `POST`".into()
        }
        _ => unreachable!("two requests were made"),
    }
}

#[tokio::test]
async fn the_documentation_is_this_table() {
    let caller = TestClient::plain().await;
    let mut rows = String::new();
    for (path, libraries) in calls() {
        let marks = LIBRARIES.map(|library| if libraries.contains(&library) { "x" } else { "" });
        let treatment = treatment(&caller, path).await;
        writeln!(rows, "| `{path}` | {} | {treatment} |", marks.join(" | ")).unwrap();
    }
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let table_begin = "| --- | --- | --- | --- | --- |\n";
    let (before, written) = document.split_once(table_begin).expect("a table of five columns");
    if std::env::var_os("PAIHAO_WRITE").is_some() {
        std::fs::write(DOCUMENT, format!("{before}{table_begin}{rows}")).unwrap();
    } else {
        let differing = rows.lines().zip(written.lines()).find(|(now, written)| now != written);
        assert_eq!(differing, None, "PAIHAO_WRITE=1 writes the table anew");
        assert_eq!(written.lines().count(), rows.lines().count());
    }
}

#[test]
fn every_call_of_wechatpy_is_in_the_table() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wechatpy/calls.py");
    let output = harness::python().arg(script).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = String::from_utf8(output.stdout).unwrap();
    let made: BTreeSet<_> = output.split_whitespace().collect();
    assert!(made.len() > 280, "{} calls were found", made.len());
    let listed = calls().into_iter().filter(|(_, libraries)| libraries.contains(&"wechatpy"));
    let listed: BTreeSet<_> = listed.map(|(path, _)| path).collect();
    let missing: Vec<_> = made.difference(&listed).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn a_path_of_no_call_is_told_from_one_that_is_forbidden() {
    let caller = TestClient::plain().await;
    let code = async |path: &str| caller.with_token(path, Value::Null).await["errcode"].clone();
    for (path, errcode) in [
        ("/cgi-bin/menus/create", 40066),
        ("/cgi-bin/", 40066),
        ("/card/none", 40066),
        ("/card/create", 48001),
        ("/datacube/getusersummary", 48001),
        ("/cgi-bin/material/add_news", 48001),
    ] {
        assert_eq!(code(path).await, errcode, "{path}");
    }
    let refused = caller.get("/card/create?access_token=98_old").await;
    assert_eq!(refused["errcode"], 40001, "the token is looked at first");
    let elsewhere = format!("{}/favicon.ico", caller.simulator.base_url());
    assert_eq!(caller.http.get(elsewhere).send().await.unwrap().status(), 404);
}
