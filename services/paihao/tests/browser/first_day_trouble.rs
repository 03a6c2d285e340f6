//! Tests of what an owner meets on the first day when a step fails. Each sentence that is shown
//! stands in the guide, with its picture.

use crate::browser::{Browser, PAGE_TIMEOUT};
use crate::first_day::{
    APPID, PROGRAM, SECRET, connect_account, environment, manage_an_empty_folder, wechat_account,
};
use crate::guide_pictures::{NARROW, guides, take_guide_picture};
use crate::pictures::switch_language;
use crate::window::Window;
use harness::{Program, free_port, wait_until};
use paihao_chassis::clock::{Clock, SystemClock};
use wechat_sim::{Fault, PushMode, PushOverrides, Routing, SimAccount, SimConfig, Simulator};

/// Guide with the table of these failures.
const GUIDE: &str = "first-day-trouble";

const STAFF_KEY: &str = "a-key-of-the-first-day-alone";

/// Checks that an element shows a sentence in each language, that both stand in the guide beside
/// the picture of this name, and takes the picture.
async fn meets(page: &Window, name: &str, css: &str, sentences: [&str; 2]) {
    for (sentence, guide) in sentences.iter().zip(guides(GUIDE)) {
        page.wait_for_text(css, sentence).await;
        let row = guide.lines().find(|line| line.contains(&format!("/first-day/{name}.")));
        let row = row.unwrap_or_else(|| panic!("{GUIDE} has no row of {name}"));
        assert!(row.contains(sentence), "{name}: the guide lacks {sentence:?} in\n{row}");
        assert!(switch_language(page).await, "the page has one language");
    }
    take_guide_picture(page, name, css, NARROW).await;
}

fn account(n: usize) -> SimAccount {
    SimAccount {
        appid: format!("wx000000007r0b1e{n:02}"),
        secret: format!("7r0b1e007r0b1e007r0b1e007r0b1e{n:02}"),
        original_id: format!("gh_trouble_{n}"),
        callback_token: "mistypedInTheConsole".to_owned(),
        mode: PushMode::Secure,
        ..SimAccount::default()
    }
}

/// Status of the account that was connected last.
const STATUS: &str = "#console-values [role=status]";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_while_an_account_is_connected_is_said_with_what_to_do() {
    let [port, wechat_port] = [(); 2].map(|()| free_port());
    let pages = format!("http://127.0.0.1:{port}");
    let listen = format!("127.0.0.1:{wechat_port}").parse().expect("an address");
    let accounts = (1..=5).map(account).collect();
    let config = SimConfig { accounts, listen, ..SimConfig::default() };
    let wechat = Simulator::start(config).await.expect("the simulator listens");
    let environment = environment(&pages, port, wechat_port);
    let (_program, browser, page) = manage_an_empty_folder(&environment).await;

    // AppID and AppSecret are tried at once.
    connect_account(&page, "secret", &account(1).appid, "anotherSecretAltogether000000000").await;
    meets(
        &page,
        "wrong-secret",
        STATUS,
        [
            "AppSecret 不对：在微信后台核对或重置，再更换一次",
            "The AppSecret is wrong: compare or reset it in WeChat’s console, and replace it here",
        ],
    )
    .await;
    connect_account(&page, "appid", "wx0000000000000bad", &account(1).secret).await;
    meets(
        &page,
        "wrong-appid",
        STATUS,
        [
            "AppID 不对：停用后用正确的 AppID 重新添加",
            "The AppID is wrong: retire the account and add it with the right one",
        ],
    )
    .await;
    wechat.change_behaviour(|behaviour| behaviour.address_listed = false);
    connect_account(&page, "list", &account(2).appid, &account(2).secret).await;
    page.wait_for_text(STATUS, "invalid ip 203.0.113.7").await;
    meets(
        &page,
        "address-not-listed",
        STATUS,
        [
            "本机地址不在 IP 白名单：把下面的地址加到微信后台的「IP 白名单」",
            "This address is not on the IP allow list: add the address below in WeChat’s console",
        ],
    )
    .await;
    wechat.change_behaviour(|behaviour| behaviour.address_listed = true);
    wechat.add_fault(Fault::errcode("/cgi-bin/stable_token", 40243).containing(&account(3).appid));
    connect_account(&page, "frozen", &account(3).appid, &account(3).secret).await;
    meets(
        &page,
        "secret-frozen",
        STATUS,
        [
            "AppSecret 被冻结：在微信后台解冻，会自动再试",
            "The AppSecret is frozen: unfreeze it in WeChat’s console; it is tried again by itself",
        ],
    )
    .await;
    wechat.clear_faults();
    wechat.refuse_connections(true);
    connect_account(&page, "away", &account(4).appid, &account(4).secret).await;
    meets(
        &page,
        "wechat-unreachable",
        STATUS,
        [
            "这台服务器连不上微信：检查出站网络和 DNS，会自动再试",
            "This machine cannot reach WeChat: look at its network and DNS; it is tried again by itself",
        ],
    )
    .await;
    wechat.refuse_connections(false);

    // Nothing verifies the address, which is one that WeChat could not reach either.
    let shop = connect_account(&page, "shop", &account(5).appid, &account(5).secret).await;
    page.wait_for_text(STATUS, "AppID 和 AppSecret 正确").await;
    meets(
        &page,
        "never-verified",
        STATUS,
        [
            "等微信验证：在后台填好后按「提交」；提交了还是这样，就看下面没有处理的推送，没有就是微信到不了这个地址",
            "Waiting for WeChat: enter this in its console, and submit it. If you did, look at the pushes below; without any, WeChat cannot reach this address",
        ],
    )
    .await;
    for (name, hint, sentences) in [
        (
            "address-private",
            "private",
            [
                "这是内网地址，微信到不了：需要一个解析到这台服务器的公网域名",
                "This address is a private one, which WeChat cannot reach: use a domain name that leads to this machine",
            ],
        ),
        (
            "address-port",
            "port",
            [
                "微信只推送到 80 和 443 端口：让服务监听 443，或在前面放反向代理",
                "WeChat pushes to the ports 80 and 443 only: listen on 443, or put a reverse proxy in front",
            ],
        ),
        (
            "address-http",
            "http",
            [
                "不是 https：页面和推送会被人看到，手机上有的功能不能用；用 paihao --domain 启动会自动取得证书",
                "Not https: others can read pages and pushes, and some functions of phones do not work. Started with paihao --domain it gets a certificate by itself",
            ],
        ),
    ] {
        meets(&page, name, &format!("#console-values [data-hint={hint}]"), sentences).await;
    }

    // The Token was mistyped in the console.
    let appid = account(5).appid;
    wechat.verify_server(Some(&appid), &shop.url).await.expect_err("another Token");
    sees_fault(
        &page,
        "wrong_signature",
        "token-mistyped",
        [
            "把 Token 再复制一次，找不到了就在「公众号连接」里换一个",
            "copy the Token once more, or make another under “Accounts” if it is lost",
        ],
    )
    .await;

    // From here on the Token is right, and something else in the console is not.
    let right = SimAccount { appid, ..wechat_account(&shop) };
    let other_key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned();
    let sealed_otherwise = SimAccount { aes_key: other_key, ..right.clone() };
    push(&sealed_otherwise, None).await;
    sees_fault(
        &page,
        "undecipherable_callback",
        "key-mistyped",
        [
            "把 EncodingAESKey 的 43 个字符再复制一次，找不到了就在「公众号连接」里换一个",
            "copy the 43 characters of the EncodingAESKey once more, or make another under “Accounts” if it is lost",
        ],
    )
    .await;
    push(&SimAccount { mode: PushMode::Plain, ..right.clone() }, None).await;
    sees_fault(
        &page,
        "plain_callback",
        "mode-plain",
        [
            "公众号后台选的是明文模式：在后台改为安全模式",
            "WeChat's console is in plain mode: choose secure mode there",
        ],
    )
    .await;
    let an_hour_ago = (SystemClock.now_ms() / 1000 - 3600).to_string();
    push(&right, Some(an_hour_ago)).await;
    sees_fault(
        &page,
        "stale_callback",
        "clock-off",
        [
            "这台服务器的时钟不准（用 NTP 校时）",
            "the clock of this machine is wrong (set it by NTP)",
        ],
    )
    .await;
    browser.quit(&["status of 401", "status of 404", "status of 409"]).await;
    wechat.stop().await;
}

/// Has WeChat push to an account whose console says this, now or with another timestamp.
async fn push(account: &SimAccount, timestamp: Option<String>) {
    const BODY: &str = "<xml><ToUserName>gh_x</ToUserName><FromUserName>oNobody</FromUserName>\
        <CreateTime>1</CreateTime><MsgType>event</MsgType><Event>VIEW</Event></xml>";
    let config = SimConfig { accounts: vec![account.clone()], ..SimConfig::default() };
    let wechat = Simulator::start(config).await.expect("the simulator listens");
    let stamp = PushOverrides { timestamp, ..PushOverrides::default() };
    let appid = Some(&*account.appid);
    wechat.push_raw(appid, "oNobody", BODY, Routing::default(), stamp).await;
    wechat.stop().await;
}

/// Loads the pushes that were not acted on, until one of this code is there.
async fn sees_fault(page: &Window, code: &str, name: &str, sentences: [&str; 2]) {
    let row = format!("#callback-faults [data-code={code}]");
    page.wait_until(&format!("{code} is told"), async || {
        page.click("#callback-faults button").await;
        !page.texts(&row).await.is_empty()
    })
    .await;
    meets(page, name, &row, sentences).await;
}

/// Configuration of a shop with a template, whose pages are at this address.
fn configuration(public: &str, port: u16, admin: u16, wechat: &str) -> String {
    format!(
        "
        gateway.listen = '127.0.0.1:{port}'
        gateway.public = '{public}'
        gateway.phones = '{wechat}'
        admin.listen = '127.0.0.1:{admin}'
        ledger.file = '{{dir}}/paihao.sqlite'
        wechat.api = '{wechat}'
        wechat.mp = '{wechat}'
        [accounts.shop]
        appid = '{APPID}'
        secret = '{SECRET}'
        callback_token = 'aTokenOfTheFirstDay'
        mode = 'plain'
        [accounts.shop.called]
        template_id = 'aTemplateOfTheFirstDay'
        fields = {{ thing1 = '{{site}}' }}
        [sites.hall]
        account = 'shop'
        name = '老街面馆'
        [sites.hall.queues.a]
        name = '小桌'
        prefix = 'A'
        [sites.hall.counters.1]
        name = '迎宾台'
        queues = ['a']
        [staff.owner]
        key = '{STAFF_KEY}'
        sites = ['*']
        "
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_doctor_finds_on_the_first_day_is_said_with_what_to_do() {
    let account = SimAccount {
        appid: APPID.to_owned(),
        secret: SECRET.to_owned(),
        callback_token: "aTokenOfTheFirstDay".to_owned(),
        ..SimAccount::default()
    };
    let config = SimConfig { accounts: vec![account], ..SimConfig::default() };
    let wechat = Simulator::start(config).await.expect("the simulator listens");
    let [port, admin] = [(); 2].map(|()| free_port());
    let pages = format!("http://127.0.0.1:{port}");
    let text = |public: &str| configuration(public, port, admin, &wechat.base_url());
    let arguments = ["--config", "{dir}/paihao.toml", "all"];
    let program = Program::start(PROGRAM, &arguments, &[("paihao.toml", &text(&pages))]);
    let browser = Browser::start().await;
    wait_until("the program runs", PAGE_TIMEOUT, async || {
        crate::demo::http_client().get(format!("{pages}/login")).send().await.is_ok()
    })
    .await;
    // What this account may not do, and a clock that is off.
    for path in ["/cgi-bin/qrcode/create", "/cgi-bin/template/get_all_private_template"] {
        wechat.add_fault(Fault::errcode(path, 48001));
    }
    wechat.change_behaviour(|behaviour| behaviour.date_off_s = -400);
    let page = browser.open(&format!("{pages}/manage/hall")).await;
    page.click("#with-key summary").await;
    page.type_into("#key", STAFF_KEY).await;
    page.click("#sign-in .primary").await;
    page.click("#sections [data-section=doctor]").await;
    for (code, name, sentences) in [
        (
            "codes_not_permitted",
            "no-codes",
            [
                "设 codes = \"page\"：用页面码、菜单扫码和「取号」一词取号",
                "set codes = \"page\": numbers are taken by codes of pages, by scanning from the menu and by the word 取号",
            ],
        ),
        (
            "call_not_permitted",
            "no-templates",
            [
                "这个公众号没有所示接口的权限，其他功能照常",
                "The account may not make the call named here; everything else works",
            ],
        ),
        (
            "clock_wrong",
            "clock-wrong",
            [
                "用 NTP 校时：在这台机器上 paihao 的进程不会就绪",
                "set the clock by NTP: processes of paihao on this machine are not ready",
            ],
        ),
    ] {
        let row = format!("#findings [data-code={code}]");
        page.wait_for_text(&row, sentences[0]).await;
        meets(&page, name, &row, sentences).await;
    }

    // Nothing answers at the public address, as where the port is closed.
    let closed = text("http://127.0.0.1:1");
    let file = program.folder().join("paihao.toml");
    let dir = program.folder().display().to_string();
    std::fs::write(file, closed.replace("{dir}", &dir)).expect("it can be written");
    page.click("#place .name button").await;
    let row = "#findings [data-code=callback_silent]";
    let sentences = [
        "启动 gateway，检查域名、证书和反向代理",
        "start the gateway; look at the name, the certificate and the proxy",
    ];
    page.wait_for_text(row, sentences[0]).await;
    meets(&page, "port-closed", row, sentences).await;
    browser.quit(&["status of 401", "status of 404", "status of 409", "status of 5"]).await;
    wechat.stop().await;
}

#[tokio::test]
async fn a_key_of_another_length_is_refused_before_the_start() {
    let text = configuration("https://queue.example.com", 1, 2, "https://api.weixin.qq.com/")
        .replace("mode = 'plain'", "mode = 'secure'\naes_key = 'fortyTwoCharacters'");
    let arguments = ["--config", "{dir}/paihao.toml", "config", "check"];
    let mut program = Program::start(PROGRAM, &arguments, &[("paihao.toml", &text)]);
    assert_eq!(program.wait(), Some(2));
    let told = program.output();
    let told = told.lines().find(|line| line.contains("aes_key")).expect("it names the key");
    for guide in guides(GUIDE) {
        let quoted = guide.split('`').find(|part| part.contains("aes_key: "));
        let quoted = quoted.unwrap_or_else(|| panic!("{GUIDE} does not quote it: {told}"));
        assert!(told.contains(quoted), "{told}\nis not what {GUIDE} quotes: {quoted}");
    }
}
