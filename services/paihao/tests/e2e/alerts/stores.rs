//! Test of the alerts about the size of the stores, in one process with one file.

use super::prometheus::Prometheus;
use crate::support::cluster::STAFF_KEY;
use crate::support::gateway::{
    HALL, NO_WECHAT, process_configuration, start_program, wait_until_ready,
};
use crate::support::http::{client, send_json, staff_request};
use harness::{Program, free_port};
use serde_json::json;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};

/// A program that reads the file for as long as it runs, after it has written 140 MB to it.
const TOOL: &str = "
import sqlite3, sys, time
reader = sqlite3.connect(sys.argv[1], timeout=60)
reader.execute('begin')
reader.execute('select count(*) from sqlite_master').fetchall()
writer = sqlite3.connect(sys.argv[1], timeout=60)
writer.execute('create table tool (bytes)')
for _ in range(140):
    writer.execute('insert into tool values (zeroblob(1000000))')
    writer.commit()
time.sleep(600)
";

/// Alerts that fire all the time, since nothing plays WeChat here.
const WITHOUT_WECHAT: [&str; 2] = ["PaihaoWeChatAway", "PaihaoRequestsFail"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_that_fill_are_seen() {
    let (port, admin_port) = (free_port(), free_port());
    let configuration = |limit_mb: u32| {
        let process = process_configuration(port, admin_port, NO_WECHAT);
        format!(
            "
            {process}
            ledger.max_file_mb = {limit_mb}
            [staff.tests]
            key = '{STAFF_KEY}'
            sites = ['hall']
            [accounts.shop]
            appid = 'wx0000000000000000'
            secret = 'secret'
            callback_token = 'tokenOfTheseTests'
            mode = 'plain'
            {HALL}
            "
        )
    };
    let program = start_program(&configuration(1));
    let folder = program.folder().to_owned();
    let http = client();
    let admin = format!("http://127.0.0.1:{admin_port}");
    wait_until_ready(&http, &admin).await;
    let processes = [("paihao", admin.as_str())];
    let mut prometheus = Prometheus::start_beside(&http, &processes, "", &WITHOUT_WECHAT).await;

    let program = RefCell::new(program);
    let next = AtomicU32::new(0);
    let take_many = async || {
        let url = format!("http://127.0.0.1:{port}/api/v1/sites/hall/queues/a/tickets");
        let requests = (0..32).map(async |_| {
            let key = next.fetch_add(1, Ordering::Relaxed).to_string();
            let request = staff_request(&http, STAFF_KEY, &url, &key).json(&json!({}));
            send_json(request).await
        });
        futures::future::join_all(requests).await;
    };
    prometheus
        .see(
            "the file reaches its limit",
            &[("PaihaoStoreNearlyFull", "file"), ("PaihaoStoreFull", "file")],
            async |_| take_many().await,
            async |round| {
                if round == 0 {
                    let mut program = program.borrow_mut();
                    program.kill();
                    let text = configuration(4096).replace("{dir}", folder.to_str().unwrap());
                    std::fs::write(folder.join("paihao.toml"), text).unwrap();
                    program.restart();
                }
            },
        )
        .await;

    let tool = RefCell::new(None);
    let file = folder.join("ledger.sqlite");
    prometheus
        .see(
            "a tool holds the file open",
            &[("PaihaoWriteAheadLogLarge", "")],
            async |round| {
                if round == 0 {
                    let arguments = ["-c", TOOL, file.to_str().unwrap()];
                    *tool.borrow_mut() = Some(Program::start("python3", &arguments, &[]));
                }
            },
            async |_| {
                *tool.borrow_mut() = None;
                take_many().await;
            },
        )
        .await;
    println!("{}", prometheus.table());
}
