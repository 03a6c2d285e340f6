//! The book on the command line: out of one installation, into a fresh one, with what is wrong told by
//! its line.

use crate::cluster::KEY;
use crate::http::{ask, client};
use harness::{Program, free_port, wait_until};
use reqwest::{Client, StatusCode};
use serde_json::json;
use std::process::{Command, Output};
use std::time::Duration;

const BASE: &str = "
    [accounts.shop]
    appid = 'wx0123456789abcdef'
    secret = '0123456789abcdef0123456789abcdef'
    callback_token = 'token1'
";

const HALL: &str = "
    [sites.hall]
    account = 'shop'
    name = '大厅'
    [sites.hall.queues.cash]
    name = '存取款'
    prefix = 'A'
    [sites.hall.counters.1]
    name = '1号窗口'
    queues = ['cash']
";

/// An installation with an owner's key; WeChat is not there, and not needed.
struct Shop {
    program: Program,
    url: String,
    http: Client,
}

impl Shop {
    async fn start(sites: &str) -> Shop {
        let (port, admin, nobody) = (free_port(), free_port(), free_port());
        let text = format!(
            "
            [gateway]
            listen = '127.0.0.1:{port}'
            [gateway.pool]
            size = 0
            [admin]
            listen = '127.0.0.1:{admin}'
            [ledger]
            file = '{{dir}}/ledger.sqlite'
            [wechat]
            api = 'http://127.0.0.1:{nobody}'
            mp = 'http://127.0.0.1:{nobody}'
            [staff.owner]
            key = '{KEY}'
            sites = ['*']
            {BASE}{sites}"
        );
        let program = Program::start(
            env!("CARGO_BIN_EXE_paihao"),
            &["--config", "{dir}/paihao.toml", "all"],
            &[("paihao.toml", &text)],
        );
        let (http, url) = (client(), format!("http://127.0.0.1:{port}"));
        let shop = Shop { program, url, http };
        wait_until("the gateway answers", Duration::from_secs(60), async || {
            let asked = shop.http.get(format!("{}/api/v1/book", shop.url)).bearer_auth(KEY);
            asked.send().await.is_ok_and(|answer| answer.status() == StatusCode::OK)
        })
        .await;
        shop
    }

    /// `paihao book …` with the owner's key.
    fn book(&self, typed: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paihao"));
        command.args(["book", "--gateway", &self.url]).args(typed).env("PAIHAO_KEY", KEY);
        command.output().expect("the program runs")
    }

    fn exported(&self, format: &str) -> String {
        let output = self.book(&["export", "--format", format]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_book_comes_out_of_one_installation_and_into_a_fresh_one() {
    let shop = Shop::start(HALL).await;
    let queue = json!({"name": "贷款", "prefix": "L", "open": false}).to_string();
    let url = format!("{}/api/v1/book/sites/hall/queues/loan", shop.url);
    let put = shop.http.put(url).bearer_auth(KEY).header("if-match", "\"0\"").body(queue);
    assert_eq!(ask(put).await.0, StatusCode::OK);
    let (toml, json) = (shop.exported("toml"), shop.exported("json"));
    assert!(toml.contains("贷款") && !toml.contains("0123456789abcdef"), "{toml}");

    let fresh = Shop::start("").await;
    let file = |name: &str, text: &str| {
        let path = fresh.program.folder().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let import = |typed: &[&str]| {
        let output = fresh.book(&[&["import"], typed].concat());
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).expect("UTF-8"))
    };
    let book = file("book.toml", &toml);
    let (code, would) = import(&[&book, "--dry-run"]);
    assert!(code == Some(0) && would.contains("site hall") && would.contains("would"), "{would}");
    assert!(!fresh.exported("toml").contains("hall"), "nothing was written");
    let (code, did) = import(&[&book]);
    assert!(code == Some(0) && did.contains("in force"), "{did}");
    assert_eq!(fresh.exported("toml"), toml);
    let (code, same) = import(&[&file("book.json", &json)]);
    assert!(code == Some(0) && same.contains("so already"), "{same}");

    // What is wrong is told by its line, or by its key with what to do.
    let (code, told) = import(&[&file("broken.toml", "[sites.hall]\nname = \n")]);
    assert!(code == Some(2) && told.contains("line 2"), "{told}");
    let (code, told) = import(&[&file("broken.json", "{\n  \"sites\": [}")]);
    assert!(code == Some(2) && told.contains("line 2"), "{told}");
    let (code, told) =
        import(&[&file("odd.toml", &toml.replace("prefix = \"L\"", "prefix = \"A\""))]);
    assert!(code == Some(2) && told.contains("sites.hall.queues.loan.prefix"), "{told}");
    assert_eq!(fresh.exported("toml"), toml);
}
