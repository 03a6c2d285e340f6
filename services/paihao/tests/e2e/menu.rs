//! Tests of `paihao menu`: the menu of the configuration is pushed, pressed, shown and deleted.

use crate::support::cluster::STAFF_KEY;
use crate::support::gateway::{HALL, process_configuration, start_program, wait_until_ready};
use crate::support::http::client;
use harness::free_port;
use std::process::{Command, Output};
use wechat_sim::{Fault, Routing, SimAccount, SimConfig, Simulator};

const PERSON: &str = "oPaihaoTest0000000000000001";

/// Runs `paihao menu` against a gateway.
async fn run_menu_command(gateway: &str, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paihao"));
    command.args(["menu", "--gateway", gateway]).args(arguments).env("PAIHAO_KEY", STAFF_KEY);
    let run = tokio::task::spawn_blocking(move || command.output().expect("the program runs"));
    let Output { status, stdout, stderr } = run.await.unwrap();
    (status.success(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_menu_is_pushed_pressed_shown_and_deleted() {
    let wechat = Simulator::start(SimConfig::default()).await.unwrap();
    let SimAccount { appid, secret, callback_token, .. } = SimAccount::default();
    let (port, admin) = (free_port(), free_port());
    let _program = start_program(&format!(
        "
        {process}
        [staff.owner]
        key = '{STAFF_KEY}'
        sites = ['*']
        [accounts.shop]
        appid = '{appid}'
        secret = '{secret}'
        callback_token = '{callback_token}'
        mode = 'plain'
        [[accounts.shop.buttons]]
        name = '取号'
        action = {{ take = {{ site = 'hall', queue = 'a' }} }}
        [[accounts.shop.buttons]]
        name = '更多'
        entries = [
            {{ name = '我的号', action = 'my_ticket' }},
            {{ name = '官网', action = {{ page = 'https://example.com/' }} }},
        ]
        {HALL}",
        process = process_configuration(port, admin, &wechat.base_url()),
    ));
    wait_until_ready(&client(), &format!("http://127.0.0.1:{admin}")).await;
    let gateway = format!("http://127.0.0.1:{port}");
    let menu = async |command: &str| run_menu_command(&gateway, &[command, "shop"]).await;

    let (shown, text) = menu("show").await;
    assert!(shown && text.contains("WeChat has no menu"), "{text}");
    let (pushed, text) = menu("push").await;
    assert!(pushed && text.contains("WeChat has the menu that is set"), "{text}");
    assert_eq!(wechat.menu(None)["button"][0]["key"], "paihao.take.hall.a");

    wechat.set_callback_urls(None, [format!("{gateway}/wechat/shop")]);
    wechat.follow(None, PERSON).await;
    let press = async |place| {
        let pressed = wechat.press(None, PERSON, place, Routing::default()).await;
        pressed.unwrap().reply.unwrap_or_default()
    };
    let taken = press((0, None)).await;
    assert!(taken.contains("取号成功 A001"), "{taken}");
    let shown = press((1, Some(0))).await;
    assert!(shown.contains("您已取号 A001"), "{shown}");
    assert_eq!(press((1, Some(1))).await, "", "a page is WeChat's own");

    // WeChat's refusal comes with its code and advice.
    wechat.add_fault(Fault::errcode("/cgi-bin/menu/create", 40018).times(1));
    let (pushed, text) = menu("push").await;
    assert!(!pushed && text.contains("menu_refused") && text.contains("40018"), "{text}");
    // An account without verification is told so, and how people take numbers without a menu.
    wechat.change_behaviour(|behaviour| behaviour.menu_permitted = false);
    for command in ["push", "show", "delete"] {
        let (done, text) = menu(command).await;
        assert!(!done && text.contains("menu_not_permitted"), "{command}: {text}");
        for part in ["48001", "不能用接口做菜单", "扫码", "people scan a code"] {
            assert!(text.contains(part), "{command}, {part}: {text}");
        }
    }
    wechat.change_behaviour(|behaviour| behaviour.menu_permitted = true);
    let (deleted, text) = menu("delete").await;
    assert!(deleted && text.contains("WeChat has no menu"), "{text}");
    assert!(wechat.menu(None).is_null());
    let (shown, text) = run_menu_command(&gateway, &["show", "nobody"]).await;
    assert!(!shown && text.contains("unknown_account"), "{text}");
}
