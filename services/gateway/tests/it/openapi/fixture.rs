//! Gateway with keys of every role, and a fake WeChat that creates codes.

use super::walk::{ApiClient, Coverage};
use crate::support::cluster::{Cluster, GatewaySetup};
pub use crate::support::engine::MORNING_MS;
use crate::support::rehearsal::InstantRehearsals;
use crate::support::wechat::FixedToken;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{any, get, post};
use axum::{Json, Router};
use paihao_cache::{MemoryCache, MemoryOptions};
use paihao_chassis::Tasks;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_chassis::config::{ConfigProblems, Layers};
use paihao_contracts::settings::{AccountSetup, CodeKind, SiteSetup};
use paihao_contracts::staff::{KeyScope, Member, StaffEntry, StaffEvent, StaffRole};
use paihao_contracts::streams::{
    DEAD_LETTERS, HISTORY, LEDGER, OUTCOMES, SETTINGS, STAFF, STAFF_SESSIONS,
};
use paihao_contracts::ticket_link;
use paihao_domain::{
    Act, Actor, Command, CommandId, CounterId, Outcome, Person, QueueId, TicketKey,
};
use paihao_gateway::engine::Engine;
use paihao_gateway::identity::login::settings::{
    Confirmation, LoginSettings, OAuthClient as LoginClient,
};
use paihao_gateway::settings::documents::ConfiguredDocuments;
use paihao_gateway::settings::{
    AccountLimits, AccountSettings, DeploymentSettings, KeyRole, StaffKey, validate,
};
use paihao_ledger::dead_letter::Cause;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use paihao_wechat::callback::Protection;
use paihao_wechat::{AccountClient, AppId, CallbackToken, Client, ClientOptions, Endpoints};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use tokio::net::TcpListener;

/// Callback token of the account.
pub const CALLBACK_TOKEN: &str = "the-callback-token";

/// Holders of keys of the hall: staff at the counters 1 and 2, staff at the counters 1 to 3, a
/// manager, and programs, one limited to counter 1 and one with a manager's scope.
pub const KEY_HOLDERS: [&str; 5] = ["staff", "mate", "manager", "api", "api_manager"];

/// Clock that does not announce its adjustments, so that no worker wakes and does by itself what
/// the script is about to request.
struct SilentClock(ManualClock);

impl Clock for SilentClock {
    fn now_ms(&self) -> i64 {
        self.0.now_ms()
    }
}

/// Gateway with its stores.
pub struct Fixture {
    pub client: ApiClient,
    pub clock: ManualClock,
    /// Set while WeChat refuses to create codes.
    pub refuses_qr: Arc<AtomicBool>,
    /// WeChat's answer to calls about the menu and about a migration; 0 while they work.
    pub account_errcode: Arc<AtomicI64>,
    /// Code with which it refuses.
    pub qr_errcode: Arc<AtomicI64>,
    pub cache: Arc<MemoryCache>,
    pub engine: Engine,
    cluster: Cluster,
}

impl Fixture {
    /// Starts the hall in the morning; the answers are recorded in `coverage`.
    pub async fn new(coverage: &Coverage) -> Fixture {
        let cluster = Cluster::new();
        let refuses_qr = Arc::new(AtomicBool::new(false));
        let account_errcode = Arc::new(AtomicI64::new(0));
        let qr_errcode = Arc::new(AtomicI64::new(-1));
        let wechat = start_wechat(
            refuses_qr.clone(),
            qr_errcode.clone(),
            account_errcode.clone(),
            &cluster.tasks,
        )
        .await;
        let cache = Arc::new(MemoryCache::new(MemoryOptions::default()));
        let clock = cluster.clock.clone();
        let mut setup = GatewaySetup {
            cache: cache.clone(),
            wechat: AccountClient::new(wechat, Arc::new(FixedToken)),
            clock: Arc::new(SilentClock(clock.clone())),
            rehearsals: Some(Arc::new(InstantRehearsals::default())),
            ..cluster.setup(deployment_settings())
        };
        setup.settings.max_callback_body_bytes = 4096;
        setup.settings.login = login_settings();
        let gateway = cluster.start(setup).await;
        let client = ApiClient::new(gateway.url, coverage);
        let engine = gateway.engine;
        Fixture { client, clock, refuses_qr, account_errcode, qr_errcode, cache, engine, cluster }
    }
}

impl Fixture {
    /// Takes a number for a person with a phone, and returns the last part of their link.
    pub async fn take_ticket_link(&self) -> String {
        let key = [7; 16];
        let person = Person::new("oAnn");
        let act = Act::Take {
            queue: QueueId::new("a"),
            person: Some(person.clone()),
            scan_session: None,
            class: None,
            key: Some(TicketKey(key)),
        };
        let actor = Actor::Customer(person);
        let command = Command { id: CommandId([7; 16]), fingerprint: 0, actor, act, day: None };
        let Outcome::Holding { ticket, .. } =
            self.engine.submit("hall", command).await.unwrap().outcome
        else {
            panic!("no ticket")
        };
        let day = self.engine.snapshot("hall").unwrap().site.day().unwrap().0;
        ticket_link::TicketLink { day, ticket: ticket.0, key: ticket_link::TicketKey(key) }.id()
    }

    /// Adds a member of staff, as an invitation does: staff at counter 1, or a manager of these
    /// sites.
    pub async fn add_member(&self, id: &str, role: StaffRole, sites: Option<&[&str]>) {
        let sites = sites.map(|sites| sites.iter().map(ToString::to_string).collect());
        let member = Member {
            id: id.to_owned(),
            name: id.to_owned(),
            role,
            sites,
            counters: ["1".to_owned()].into(),
        };
        let event = StaffEvent::Joined { member, person: id.to_owned(), invitation: id.to_owned() };
        let staff_entry = StaffEntry::new(MORNING_MS, "first", event);
        let subject = Subject::new(&["staff"]).unwrap();
        let entry = Entry::new(staff_entry.encode());
        self.cluster.ledger.append(&STAFF, &subject, ExpectedPosition::Any, entry).await.unwrap();
        let is_unknown = async || {
            let request = self
                .client
                .request("change_member")
                .path_parameter("member", id)
                .with_key_of("manager");
            request.bytes("{}").send().await.problem_code() == "unknown_member"
        };
        while is_unknown().await {}
    }

    /// Adds a dead letter of this origin and returns its id. It is about a notice of the site.
    pub async fn add_dead_letter(&self, origin: &str, site: &str) -> String {
        let notice = json!({
            "v": 1, "key": format!("{site}/20777/1/called#1"), "account": "shop",
            "site_name": "大厅", "zone": "Asia/Shanghai", "person": "oAnn",
            "number": {"prefix": "A", "serial": 1}, "queue_name": "存取款",
            "saying": {"saying": "queue_closed"}, "order": 1, "at": MORNING_MS, "valid_until": MORNING_MS,
        });
        let reason = "template: WeChat refused: 40037 template_unknown: x".to_owned();
        let key = notice["key"].as_str().unwrap().to_owned();
        let cause = Cause { reason, origin: origin.to_owned(), key };
        let letter = cause.to_dead_letter(&Entry::new(notice.to_string()));
        let subject = Subject::new(&[origin]).unwrap();
        let appended = self
            .cluster
            .ledger
            .append(&DEAD_LETTERS, &subject, ExpectedPosition::Any, letter)
            .await;
        let id = appended.unwrap().0;
        let is_listed = async || {
            let listed = self.client.request("dead_letters").with_key_of("owner").send().await.body;
            listed["letters"].as_array().unwrap().iter().any(|letter| letter["id"] == id)
        };
        while !is_listed().await {}
        id.to_string()
    }

    /// Appends entries of a newer version to the ledger, the roster and the settings, and waits
    /// until the gateway has read them.
    pub async fn write_newer_versions(&self) {
        for (log, names) in [
            (&LEDGER, &["shop", "hall"][..]),
            (&STAFF, &["staff"]),
            (&SETTINGS, &["site", "hall"]),
            (&SETTINGS, &["account", "shop"]),
            (&SETTINGS, &["credentials", "shop"]),
            (&SETTINGS, &["logo", "hall"]),
            (&OUTCOMES, &["shop", "newer"]),
            (&DEAD_LETTERS, &["handled", "1"]),
            (&HISTORY, &["shop", "hall"]),
        ] {
            let newer = Entry::new(&br#"{"v":99,"wonders":[]}"#[..]);
            let subject = Subject::new(names).unwrap();
            self.cluster.ledger.append(log, &subject, ExpectedPosition::Any, newer).await.unwrap();
        }
        let readers =
            ["open_counter", "remove_member", "ticket_notices", "dead_letters", "numbers"];
        for id in readers {
            while self.client.request(id).with_key_of("manager").send().await.problem_code()
                != "newer_ledger"
            {}
        }
    }
}

impl Fixture {
    /// Appends an entry of a newer version to the session of a cookie, and waits until the gateway
    /// has read it.
    pub async fn write_newer_session(&self, cookie: &str) {
        let value = cookie.split_once('=').unwrap().1;
        let subject = Subject::new(&[&hex::encode(&Sha256::digest(value)[..16])]).unwrap();
        let newer = Entry::new(&br#"{"v":99,"wonders":[]}"#[..]);
        let ledger = &self.cluster.ledger;
        ledger.append(&STAFF_SESSIONS, &subject, ExpectedPosition::Any, newer).await.unwrap();
        let me = || self.client.request("me").header("cookie", cookie);
        while me().send().await.problem_code() != "newer_ledger" {}
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.cluster.tasks.stop().cancel();
    }
}

/// Settings of the login by scanning the shop's codes, for this server and one other client.
fn login_settings() -> LoginSettings {
    let intranet = LoginClient {
        name: "内网".to_owned(),
        redirect_uris: vec!["https://intranet.example/in".to_owned()],
        account: "shop".to_owned(),
        confirm: Confirmation::Digits,
        roles: Vec::new(),
        sites: [].into(),
        logout_url: None,
        staff_only: true,
        unionid: false,
    };
    let clients = [("intranet".to_owned(), intranet)].into();
    LoginSettings { account: Some("shop".to_owned()), clients, ..LoginSettings::default() }
}

async fn start_wechat(
    refuses_qr: Arc<AtomicBool>,
    qr_errcode: Arc<AtomicI64>,
    account_errcode: Arc<AtomicI64>,
    tasks: &Tasks,
) -> Client {
    let refuses_pictures = refuses_qr.clone();
    let create_qr = async move || {
        if refuses_qr.load(Ordering::SeqCst) {
            let errcode = qr_errcode.load(Ordering::SeqCst);
            Json(json!({"errcode": errcode, "errmsg": "refused"}))
        } else {
            let url = "http://weixin.qq.com/q/one";
            Json(json!({"ticket": "T1", "expire_seconds": 600, "url": url}))
        }
    };
    let show_qr = async move || {
        if refuses_pictures.load(Ordering::SeqCst) {
            StatusCode::NOT_FOUND.into_response()
        } else {
            ([("content-type", "image/jpeg")], &b"\xff\xd8\xff\xe0JFIF"[..]).into_response()
        }
    };
    let account_answer = move |answer: Value| match account_errcode.load(Ordering::SeqCst) {
        0 => Json(answer),
        code => Json(json!({"errcode": code, "errmsg": "no"})),
    };
    let account_route = |answer: Value| {
        let account_answer = account_answer.clone();
        any(async move || account_answer(answer))
    };
    let menu = json!({"button": [{"type": "click", "name": "a", "key": "V1", "sub_button": []}]});
    let shown = json!({"is_menu_open": 1, "selfmenu_info": menu});
    let changed = json!({"ori_openid": "oAnn", "new_openid": "oNewAnn", "err_msg": "ok"});
    let changed = json!({"errcode": 0, "result_list": [changed]});
    let content = "号码：{{character_string1.DATA}}\n说明：{{thing2.DATA}}";
    let template = json!({"template_id": "T1", "title": "过号提醒", "content": content});
    let subscription = json!({"priTmplId": "S1", "title": "过号提醒", "content": content});
    let keyword =
        |kid: u32, name: &str, rule: &str| json!({"kid": kid, "name": name, "rule": rule});
    let keywords = [keyword(1, "号码", "character_string"), keyword(2, "备注", "thing")];
    let title = json!({"tid": 7, "title": "过号提醒"});
    let listed = |data: Value| account_route(json!({"errcode": 0, "data": data}));
    let routes = Router::new()
        .route(
            "/cgi-bin/template/get_all_private_template",
            account_route(json!({"template_list": [template]})),
        )
        .route("/cgi-bin/template/api_add_template", account_route(json!({"template_id": "T2"})))
        .route("/wxaapi/newtmpl/gettemplate", listed(json!([subscription])))
        .route("/wxaapi/newtmpl/getcategory", listed(json!([{"id": 3}])))
        .route("/wxaapi/newtmpl/getpubtemplatetitles", listed(json!([title])))
        .route("/wxaapi/newtmpl/getpubtemplatekeywords", listed(json!(keywords)))
        .route("/wxaapi/newtmpl/addtemplate", account_route(json!({"priTmplId": "S2"})))
        .route("/cgi-bin/menu/create", account_route(json!({"errcode": 0})))
        .route("/cgi-bin/menu/get", account_route(json!({"menu": menu})))
        .route("/cgi-bin/menu/delete", account_route(json!({"errcode": 0})))
        .route("/cgi-bin/get_current_selfmenu_info", account_route(shown))
        .route("/cgi-bin/user/get", account_route(json!({"total": 0, "count": 0})))
        .route("/cgi-bin/changeopenid", account_route(changed))
        .route("/cgi-bin/qrcode/create", post(create_qr))
        .route("/cgi-bin/showqrcode", get(show_qr))
        .fallback(async || StatusCode::NOT_FOUND.into_response());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}/", listener.local_addr().unwrap()).parse::<url::Url>().unwrap();
    paihao_chassis::http::serve(tasks, "wechat", listener, routes, Default::default());
    let endpoints = Endpoints { api: at.clone(), mp: at };
    Client::new(ClientOptions { endpoints, ..ClientOptions::default() }).unwrap()
}

/// Picture that can be a logo.
pub fn logo_png() -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 4, 3);
    encoder.set_color(png::ColorType::Rgb);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&[0x0b; 36])?;
        writer.finish()
    });
    written.unwrap();
    file
}

/// Settings of the hall. Its queue `b` has room for one, the hours of `shut` are over, those of
/// `late` end soon, and only counter 3 serves `idle`.
const SITE_TOML: &str = r#"
    account = "shop"
    name = "大厅"
    kiosk_slips = 10
    queues.a = { name = "存取款", prefix = "A" }
    queues.b = { name = "开户", prefix = "B", capacity = 1, near = 1 }
    queues.shut = { name = "对公", prefix = "S", hours = ["02:00-03:00"] }
    queues.idle = { name = "咨询", prefix = "D" }
    queues.late = { name = "挂失", prefix = "L", hours = ["09:00-10:03"] }
    counters.1 = { name = "1号", queues = ["a", "b", "shut", "late"] }
    counters.2 = { name = "2号", queues = ["a", "b", "shut", "late"] }
    counters.3 = { name = "3号", queues = ["idle"] }
"#;

/// Settings with the sites `hall` and `other` and the keys of all holders.
pub fn deployment_settings() -> DeploymentSettings {
    let setup: SiteSetup = Layers::default().text("the hall", SITE_TOML).read().unwrap();
    let site = |id: &str| {
        let accounts = ["shop".to_owned()];
        let mut problems = ConfigProblems::new();
        let checked = validate::validate_site(id, id, &setup, &accounts, &mut problems);
        problems.into_result().unwrap();
        (id.to_owned(), Arc::new(checked.unwrap()))
    };
    let protection = Protection::plain(
        AppId("wx0123456789abcdef".to_owned()),
        CallbackToken::new(CALLBACK_TOKEN),
    );
    // Without a public address the codes are those of WeChat all the same.
    let setup_of_account = AccountSetup { codes: CodeKind::Page, ..AccountSetup::default() };
    let account = AccountSettings::new(protection, &setup_of_account);
    let site_key = |name: &str| StaffKey::new(name, &key_of(name), ["hall".to_owned()].into());
    let far_key = |name: &str| StaffKey::new(name, &key_of(name), ["other".to_owned()].into());
    let at = |counters: &[&str]| counters.iter().map(|counter| CounterId::new(counter)).collect();
    DeploymentSettings {
        configured: ConfiguredDocuments::new(
            ["hall", "other"].map(|id| (id.to_owned(), setup.clone())).into(),
            [("shop".to_owned(), setup_of_account)].into(),
        ),
        accounts: [("shop".to_owned(), Arc::new(account))].into(),
        sites: ["hall", "other"].map(site).into(),
        staff_keys: vec![
            site_key("staff").with_role(KeyRole::Staff, at(&["1", "2"])),
            site_key("mate").with_role(KeyRole::Staff, at(&["1", "2", "3"])),
            site_key("manager"),
            site_key("api").with_role(KeyRole::Api, at(&["1"])),
            site_key("api_manager").with_role(KeyRole::Api, at(&[])),
            site_key("reader")
                .with_role(KeyRole::Api, at(&[]))
                .with_scopes([KeyScope::Read].into()),
            site_key("follower")
                .with_role(KeyRole::Api, at(&[]))
                .with_scopes([KeyScope::Feed].into()),
            StaffKey::new("owner", &key_of("owner"), ["*".to_owned()].into()),
            StaffKey::new("stranger", &key_of("stranger"), ["other".to_owned()].into()),
            far_key("far_staff").with_role(KeyRole::Staff, at(&["1"])),
            far_key("far_api").with_role(KeyRole::Api, at(&["1"])),
            far_key("far_api_manager").with_role(KeyRole::Api, at(&[])),
        ],
        webhooks: [(
            "hall".to_owned(),
            [("crm".to_owned(), ["ticket_taken".to_owned()].into())].into(),
        )]
        .into(),
        account_limits: AccountLimits { has_public_address: true, ..Default::default() },
        ..DeploymentSettings::default()
    }
}

/// Key of a holder.
pub fn key_of(holder: &str) -> String {
    format!("the-key-of-{holder}-in-these-tests")
}
