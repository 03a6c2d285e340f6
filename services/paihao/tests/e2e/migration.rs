//! Story of an account that migrates: people wait at the former one, and are called and told at the
//! new one.

use crate::login::{digits_in, first_manager_code};
use crate::support::cluster::STAFF_KEY;
use crate::support::gateway::{HALL, process_configuration, wait_until_ready};
use crate::support::http::{client, send_json};
use harness::{Program, free_port, wait_until};
use paihao_wechat::migration::ChangedOpenId;
use paihao_wechat::{
    AppId, AppSecret, CallError, Client as WechatClient, ClientOptions, Endpoints, OpenId,
};
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::process::{Command, Output};
use std::time::Duration;
use wechat_sim::{Fault, Refusal, Routing, SimAccount, SimConfig, SimTemplate, Simulator};

const WAIT_TIMEOUT: Duration = Duration::from_secs(30);
const CHANGE_OPENIDS_PATH: &str = "/cgi-bin/changeopenid";
const FORMER: &str = "wx00000000000000f0";
const NEW: &str = "wx000000000000000e";

/// People who wait at the former account: more than two calls of WeChat take.
const WAITING: usize = 230;

const BOSS: &str = "oOldBoss";
/// Somebody who took a number and left the former account unheard.
const LOST: &str = "oOldLost";

fn waiting_person(n: usize) -> String {
    format!("oOld{n:03}")
}

fn sim_account(appid: &str, original_id: &str) -> SimAccount {
    SimAccount { appid: appid.into(), original_id: original_id.into(), ..SimAccount::default() }
}

async fn start_wechat() -> Simulator {
    let accounts = vec![sim_account(FORMER, "gh_former"), sim_account(NEW, "gh_new")];
    Simulator::start(SimConfig { accounts, ..SimConfig::default() }).await.unwrap()
}

/// Whether a command succeeded, and its output.
type Found = (bool, String);

/// One process of a hall whose account has one appid and then the other.
struct MigratingShop {
    wechat: Simulator,
    program: Program,
    http: Client,
    url: String,
    admin: String,
    ports: [u16; 2],
}

impl MigratingShop {
    async fn start() -> MigratingShop {
        let wechat = start_wechat().await;
        let ports = [free_port(), free_port()];
        let text = configuration(ports, &wechat, FORMER, 2);
        let program = Program::start(
            env!("CARGO_BIN_EXE_paihao"),
            &["--config", "{dir}/paihao.toml", "all"],
            &[("paihao.toml", &text)],
        );
        let [url, admin] = ports.map(|port| format!("http://127.0.0.1:{port}"));
        let shop = MigratingShop { wechat, program, http: client(), url, admin, ports };
        shop.listen(FORMER).await;
        shop
    }

    async fn listen(&self, appid: &str) {
        wait_until_ready(&self.http, &self.admin).await;
        self.wechat.set_callback_urls(Some(appid), [format!("{}/wechat/shop", self.url)]);
    }

    /// Starts again with another appid in the section of the account.
    async fn restart(&mut self, appid: &str, write_version: u32) {
        self.program.stop();
        let text = configuration(self.ports, &self.wechat, appid, write_version);
        let dir = self.program.folder().to_str().unwrap().to_owned();
        let file = self.program.folder().join("paihao.toml");
        std::fs::write(file, text.replace("{dir}", &dir)).unwrap();
        self.program.restart();
        self.listen(appid).await;
    }

    async fn say(&self, appid: &str, person: &str, text: &str) -> String {
        let said = self.wechat.send_text(Some(appid), person, text, Routing::default()).await;
        said.unwrap_or_else(|| panic!("{person} follows")).reply.unwrap_or_default()
    }

    /// Lets a person follow and take a number.
    async fn take(&self, appid: &str, person: &str) -> String {
        self.wechat.set_person(Some(appid), person, true, Refusal::No);
        self.say(appid, person, "取号").await
    }

    /// Runs `paihao account` with these arguments.
    async fn command(&self, arguments: &[&str]) -> Found {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paihao"));
        command.args(["account", "--gateway", &self.url]).args(arguments);
        command.env("PAIHAO_KEY", STAFF_KEY).current_dir(self.program.folder());
        let run = tokio::task::spawn_blocking(move || command.output().expect("the program runs"));
        let Output { status, stdout, stderr } = run.await.unwrap();
        let text = String::from_utf8([stdout, stderr].concat()).unwrap();
        assert!(!text.contains("oOld") && !text.contains("oM"), "nobody is named: {text}");
        (status.success(), text)
    }

    async fn migrate(&self, more: &[&str]) -> Found {
        let command = ["migrate", "--from-appid", FORMER, "--to", "shop"];
        self.command(&[&command[..], more].concat()).await
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.http.post(format!("{}/api/v1/{path}", self.url));
        send_json(request.bearer_auth(STAFF_KEY).json(body)).await
    }

    async fn counter(&self, act: &str) -> Value {
        let (status, answer) = self.post(&format!("sites/hall/counters/1/{act}"), &json!({})).await;
        assert_eq!(status, StatusCode::OK, "{act}: {answer}");
        answer
    }

    /// Number of people in the line.
    async fn waiting(&self) -> u64 {
        let request = self.http.get(format!("{}/api/v1/sites/hall/desk", self.url));
        let (status, desk) = send_json(request.bearer_auth(STAFF_KEY)).await;
        assert_eq!(status, StatusCode::OK, "{desk}");
        desk["queues"][0]["waiting_count"].as_u64().unwrap_or_else(|| panic!("{desk}"))
    }

    /// Accounts and numbers of the calls that a person was told of.
    fn received_calls(&self, person: &str) -> Vec<(String, String)> {
        let messages = self.wechat.messages(person);
        let call = |it: &std::sync::Arc<wechat_sim::AcceptedMessage>| {
            (it.appid.clone(), it.data["character_string2"].clone())
        };
        messages.iter().map(call).collect()
    }

    /// Opens a login, scans its code and enters the digits. Returns the reply to another scan.
    async fn log_in(&self, person: &str, request: Value) -> String {
        let opened = self.http.post(format!("{}/api/v1/logins", self.url));
        let opened = opened.header("x-paihao-page", "1").json(&request);
        let response = opened.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let opened: Value = response.json().await.unwrap();
        let code = opened["scan_link"].as_str().unwrap().split_once("?scan=").unwrap().1;
        let prompt = self.wechat.scan(person, code, Routing::default()).await.reply.unwrap();
        let path = format!("{}{}", self.url, opened["confirm_digits"].as_str().unwrap());
        let entered = self.http.post(path).header("x-paihao-page", "1").header(COOKIE, cookie);
        let entered = entered.json(&json!({ "digits": digits_in(&prompt) })).send().await.unwrap();
        assert_eq!(entered.status(), StatusCode::NO_CONTENT);
        self.wechat.scan(person, code, Routing::default()).await.reply.unwrap()
    }
}

fn configuration(
    [port, admin]: [u16; 2],
    wechat: &Simulator,
    appid: &str,
    write_version: u32,
) -> String {
    let SimAccount { secret, callback_token, .. } = SimAccount::default();
    format!(
        "
        {process}
        gateway.public = 'http://queue.example.com'
        gateway.phones = '{sim}'
        ledger.write_version = {write_version}
        [staff.owner]
        key = '{STAFF_KEY}'
        sites = ['*']
        [accounts.shop]
        appid = '{appid}'
        secret = '{secret}'
        callback_token = '{callback_token}'
        mode = 'plain'
        channels = ['template']
        keywords = {{ '取号' = {{ queue = 'hall/a' }} }}
        [accounts.shop.called]
        template_id = '{template}'
        fields = {{ thing1 = '{{site}}', character_string2 = '{{number}}', thing3 = '{{counter}}', time4 = '{{time}}' }}
        {HALL}
        ",
        process = process_configuration(port, admin, &wechat.base_url()),
        sim = wechat.base_url(),
        template = SimTemplate::DEMO_CALLED,
    )
}

/// The number in a reply.
fn number_in(reply: &str) -> &str {
    let at = reply.find("A0").or_else(|| reply.find("A1")).or_else(|| reply.find("A2"));
    &reply[at.unwrap_or_else(|| panic!("no number: {reply}"))..][..4]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_at_the_former_account_is_called_and_told_at_the_new_one() {
    let mut shop = MigratingShop::start().await;
    let code = first_manager_code(&shop.program).await;
    let reply = shop.log_in(BOSS, json!({ "first": code })).await;
    assert!(reply.contains("登录成功"), "{reply}");

    // People wait, and one of them has left the account unheard.
    for n in 1..=WAITING {
        let reply = shop.take(FORMER, &waiting_person(n)).await;
        assert!(reply.contains(&format!("A{n:03}")), "{reply}");
    }
    assert!(shop.take(FORMER, LOST).await.contains("A231"));
    shop.counter("open").await;
    shop.counter("call-next").await;
    shop.wechat.set_person(Some(FORMER), LOST, false, Refusal::No);

    // Before the migration the members of staff are sealed, and WeChat tells no openid.
    let (prepared, text) = shop.command(&["prepare", "shop", "--out", "staff"]).await;
    assert!(prepared && text.contains("staff: 1 written to the file, 0 do not"), "{text}");
    let (prepared, text) = shop.command(&["prepare", "shop", "--out", "staff"]).await;
    assert!(!prepared && text.contains("is there already"), "{text}");
    let (migrated, text) = shop.migrate(&[]).await;
    assert!(!migrated && text.contains("migration_refused") && text.contains("63183"), "{text}");
    let (migrated, text) =
        shop.command(&["migrate", "--from-appid", "gh_nobody", "--to", "shop"]).await;
    assert!(!migrated && text.contains("63178"), "{text}");
    let (migrated, text) = shop.command(&["migrate", "--from-appid", "?", "--to", "shop"]).await;
    assert!(!migrated && text.contains("malformed_request"), "{text}");
    let (migrated, text) = shop.command(&["migrate", "--from-appid", FORMER, "--to", "none"]).await;
    assert!(!migrated && text.contains("unknown_account"), "{text}");

    // The account migrates, and its section gets the new one's appid.
    let openids = shop.wechat.migrate(FORMER, NEW);
    let new = |former: &str| {
        let found = openids.iter().find(|(old, _)| old == former);
        found.unwrap_or_else(|| panic!("{former} followed")).1.clone()
    };
    shop.restart(NEW, 1).await;
    let (migrated, text) = shop.migrate(&[]).await;
    assert!(!migrated && text.contains("forms_held_back"), "{text}");
    shop.restart(NEW, 2).await;
    let line = shop.waiting().await;
    assert_eq!(line, WAITING as u64);
    // Two come before the command: one who waits already, and one whom nobody knows.
    let second = shop.take(NEW, &new(&waiting_person(7))).await;
    assert_eq!(number_in(&second), "A232");
    assert_eq!(number_in(&shop.take(NEW, "oFresh").await), "A233");

    // A dry run counts, and changes nothing.
    for _ in 0..2 {
        let (counted, text) = shop.migrate(&["--staff", "staff", "--dry-run"]).await;
        assert!(counted && text.contains("dry run"), "{text}");
        assert!(text.contains("staff: 1 handed over, 0 before"), "{text}");
        assert!(
            text.contains("people (sites: 1): 230 handed over (230 hold a live ticket), 2 are"),
            "{text}"
        );
        assert!(text.contains("1 without a new openid"), "{text}");
    }
    let (_, text) = shop
        .command(&["migrate", "--from-appid", FORMER, "--to", "shop", "--staff", "paihao.toml"])
        .await;
    assert!(text.contains("wrong_seal"), "{text}");

    for (errcode, code) in [(63178, "migration_refused"), (-1, "wechat_unavailable")] {
        shop.wechat.add_fault(Fault::errcode(CHANGE_OPENIDS_PATH, errcode).times(1));
        let (done, text) = shop.migrate(&["--staff", "staff"]).await;
        assert!(!done && text.contains(code) && !text.contains("people"), "{text}");
    }

    // It is broken off in the middle: the second call about people fails.
    shop.wechat.add_fault(Fault::errcode(CHANGE_OPENIDS_PATH, -1).skip(2).times(1));
    let (done, text) = shop.migrate(&["--staff", "staff"]).await;
    assert!(
        !done && text.contains("wechat_unavailable") && text.contains("run it again"),
        "{text}"
    );
    assert!(text.contains("100 handed over"), "{text}");
    let (done, text) = shop.migrate(&["--staff", "staff"]).await;
    assert!(done && text.contains("staff: 0 handed over, 1 before"), "{text}");
    assert!(text.contains("130 handed over (130 hold a live ticket)"), "{text}");
    let after_second = shop.waiting().await;
    let (done, text) = shop.migrate(&["--staff", "staff"]).await;
    assert!(done && text.contains(": 0 handed over (0 hold a live ticket)"), "{text}");
    assert!(text.contains("1 without a new openid"), "{text}");
    assert_eq!(shop.waiting().await, after_second, "nothing more is changed");

    // Whoever took a second number has the first, which is before the others.
    let reply = shop.say(NEW, &new(&waiting_person(7)), "进度").await;
    assert_eq!(number_in(&reply), "A007");
    assert_eq!(after_second, line + 1, "its second number is gone, and a stranger has come");

    // The person who was called before is called again, the next one is called and told.
    shop.counter("missed").await;
    let called = shop.counter("call-next").await;
    assert!(called.to_string().contains("A002"), "{called}");
    wait_until("the next one is told at the new account", WAIT_TIMEOUT, async || {
        shop.received_calls(&new(&waiting_person(2))) == [(NEW.to_owned(), "A002".to_owned())]
    })
    .await;
    assert!(shop.received_calls(&waiting_person(2)).is_empty());

    // They see and give up their tickets there, and whoever unfollows is forgotten.
    let leaving = new(&waiting_person(3));
    assert_eq!(number_in(&shop.say(NEW, &leaving, "进度").await), "A003");
    let reply = shop.say(NEW, &leaving, "取消").await;
    assert!(reply.contains("A003"), "{reply}");
    let before = shop.waiting().await;
    shop.wechat.unfollow(Some(NEW), &new(&waiting_person(4))).await;
    wait_until("whoever unfollows the new account is forgotten", WAIT_TIMEOUT, async || {
        shop.waiting().await == before - 1
    })
    .await;

    // The member logs in by the new openid, and by the former no more.
    let reply = shop.log_in(&new(BOSS), json!({})).await;
    assert!(reply.contains("登录成功"), "{reply}");

    // A restart reads the same from the ledger.
    shop.restart(NEW, 2).await;
    assert_eq!(shop.waiting().await, before - 1);
    shop.counter("missed").await;
    let called = shop.counter("call-next").await;
    assert!(called.to_string().contains("A005"), "{called}");
    wait_until("the next one is told after the restart", WAIT_TIMEOUT, async || {
        shop.received_calls(&new(&waiting_person(5))) == [(NEW.to_owned(), "A005".to_owned())]
    })
    .await;
    let log = shop.program.output();
    assert!(!log.contains("oOld") && !log.contains("oM"), "nobody is named in the logs");
}

#[tokio::test]
async fn wechat_tells_followers_before_a_migration_and_new_openids_for_fifteen_days_after_it() {
    let wechat = start_wechat().await;
    let base: reqwest::Url = wechat.base_url().parse().unwrap();
    let endpoints = Endpoints { api: base.clone(), mp: base };
    let client =
        WechatClient::new(ClientOptions { endpoints, ..ClientOptions::default() }).unwrap();
    let secret = AppSecret::new(SimAccount::default().secret);
    let mut tokens = Vec::new();
    for appid in [FORMER, NEW] {
        let issued = client.stable_token(&AppId(appid.into()), &secret, false).await.unwrap();
        tokens.push(issued.token);
    }
    let [former, new] = [&tokens[0], &tokens[1]];
    for person in ["oOldAnn", "oOldBen"] {
        wechat.follow(Some(FORMER), person).await;
    }
    let openids = ["oOldAnn", "oNobody"].map(OpenId::new);
    let page = client.followers(former, None).await.unwrap();
    assert_eq!(page.openids, ["oOldAnn", "oOldBen"].map(OpenId::new));
    let end = client.followers(former, page.next.as_ref()).await.unwrap();
    assert_eq!((end.openids, end.next), (vec![], None));

    let code = async |from: &str, openids: &[OpenId]| match client
        .change_openids(new, from, openids)
        .await
    {
        Err(CallError::Refused(refusal)) => refusal.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(FORMER, &openids).await, 63183);
    let told = wechat.migrate(FORMER, NEW);
    for from in [FORMER, "gh_former"] {
        let changed = client.change_openids(new, from, &openids).await.unwrap();
        let [ann, nobody] = openids.clone();
        let expected = [
            ChangedOpenId { former: ann, new: Some(OpenId::new(&told[0].1)) },
            ChangedOpenId { former: nobody, new: None },
        ];
        assert_eq!(changed, expected);
    }
    assert_eq!(code("gh_nobody", &openids).await, 63178);
    assert_eq!(code(FORMER, &[]).await, 63182);
    assert_eq!(code(FORMER, &vec![OpenId::new("oOldAnn"); 101]).await, 40032);
    assert_eq!(client.followers(former, None).await.unwrap().openids, []);
    wechat.advance_clock(Duration::from_secs(15 * 24 * 3600));
    let issued = client.stable_token(&AppId(NEW.into()), &secret, false).await.unwrap();
    let over = client.change_openids(&issued.token, FORMER, &openids).await.unwrap_err();
    let CallError::Refused(over) = over else { panic!("{over:?}") };
    assert_eq!(over.code, 63183);
}
