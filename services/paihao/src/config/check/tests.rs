//! Tests of the check of a configuration.

use super::*;

const SHOP: &str = "
    [accounts.shop]
    appid = 'wx1'
    secret = 'abcdefgh'
    callback_token = 'token1'
    mode = 'plain'
    [sites.hall]
    account = 'shop'
    name = '大厅'
    [sites.hall.queues.cash]
    name = '存取款'
    prefix = 'A'
    [sites.hall.counters.1]
    name = '1号窗口'
    queues = ['cash']
    [staff.desk]
    key = 'correct-horse-battery'
    sites = ['hall']
";

fn problems(change: impl Fn(String) -> String, role: Role) -> String {
    let text = change(SHOP.to_owned());
    match Config::from_text("in x.toml", &text).unwrap().resolve(role) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_shop_is_fine_in_one_process() {
    assert_eq!(problems(|text| text, Role::All), "");
}

#[test]
fn several_processes_need_stores_they_share() {
    let message = problems(|text| text, Role::Gateway);
    assert!(message.contains("ledger.kind") && message.contains("cache.kind"), "{message}");
    assert!(message.contains("paihao all"), "{message}");
}

#[test]
fn an_unknown_name_is_reported_with_the_known_ones() {
    let message = problems(|text| text.replace("['cash']", "['cahs']"), Role::All);
    assert!(message.contains("sites.hall.counters.1.queues"), "{message}");
    assert!(message.contains("cahs") && message.contains("cash"), "{message}");
}

#[test]
fn every_error_is_reported_at_once() {
    let message = problems(
        |text| {
            text.replace("'A'", "'I'")
                .replace("token1", "x")
                .replace("correct-horse-battery", "short")
                .replace("sites = ['hall']", "sites = ['hal']")
        },
        Role::All,
    );
    for key in ["queues.cash.prefix", "callback_token", "staff.desk.key", "staff.desk.sites"] {
        assert!(message.contains(key), "{key} is missing in:\n{message}");
    }
}

#[test]
fn the_proxy_of_an_https_address_has_to_be_named() {
    let https = "[gateway]\npublic = 'https://queue.example.com'\n";
    let http = https.replace("https", "http");
    let named = format!("{https}trusted_proxies = ['127.0.0.1']\n");
    let with = |gateway: &str, role| problems(|text| format!("{gateway}{text}"), role);
    assert!(with(https, Role::All).contains("gateway.trusted_proxies"));
    assert!(with(https, Role::Gateway).contains("gateway.trusted_proxies"));
    assert!(!with(https, Role::Notifier).contains("gateway.trusted_proxies"));
    assert_eq!(with(&named, Role::All), "");
    assert_eq!(with(&http, Role::All), "");
}

#[test]
fn a_pool_that_could_not_work_is_refused_and_one_that_is_off_is_not() {
    let all = "[gateway.pool]\nsize = 5000\nkeep_seconds = 2592000\nper_second = 0\n";
    let message = problems(|text| text + all, Role::All);
    for key in ["pool.size", "pool.keep_seconds", "pool.per_second"] {
        assert!(message.contains(key), "{key} is missing in:\n{message}");
    }
    assert!(problems(|t| t + "[gateway.pool]\nkeep_seconds = 9", Role::All).contains("keep_"));
    let off = all.replace("5000", "0");
    assert_eq!(problems(|text| text + &off, Role::All), "");
}

#[test]
fn a_menu_that_could_not_be_pushed_is_refused() {
    let with = |buttons: &str| {
        let menu = format!("callback_token = 'token1'\nbuttons = [{buttons}]");
        problems(|text| text.replace("callback_token = 'token1'", &menu), Role::All)
    };
    let take = "{ name = '取号', action = { take = { site = 'hall', queue = 'cash' } } }";
    assert_eq!(with(take), "");
    for (buttons, key) in [
        (take.replace("cash", "cahs"), "buttons.0.action.take.queue"),
        (take.replace("hall", "hal"), "buttons.0.action.take.site"),
        (take.replace("取号", "六个汉字太长"), "buttons.0.name"),
        ([take; 4].join(", "), "accounts.shop.buttons"),
    ] {
        let message = with(&buttons);
        assert!(message.contains(key), "{key} is missing in:\n{message}");
    }
}

#[test]
fn two_queues_do_not_share_a_prefix() {
    let more = "[sites.hall.queues.loan]\nname = '贷款'\nprefix = 'A'\n";
    assert!(problems(|text| text + more, Role::All).contains("queues.loan.prefix"));
}

#[test]
fn files_of_tls_are_for_addresses_with_tls_and_a_key_has_its_certificate() {
    let with = |lines: &str| problems(|text| format!("{lines}{text}"), Role::All);
    let tls = "[ledger]\nurl = 'tls://a:4222,tls://b:4222'\n[cache]\nurl = 'rediss://a:6379'\n";
    assert_eq!(with(tls), "");
    let files = "tls_ca = 'ca.pem'\ntls_certificate = 'me.pem'\ntls_key = 'me.key'\n";
    let ledger = |url: &str, files: &str| with(&format!("[ledger]\nurl = '{url}'\n{files}"));
    let cache = |url: &str, files: &str| with(&format!("[cache]\nurl = '{url}'\n{files}"));
    assert_eq!(ledger("tls://a:4222", files) + &cache("rediss://a:6379", files), "");
    assert!(ledger("tls://a:4222,nats://b:4222", "").contains("ledger.url"));
    assert!(ledger("nats://a:4222", "tls_ca = 'ca.pem'\n").contains("ledger.url"));
    assert!(cache("redis://a:6379", "tls_ca = 'ca.pem'\n").contains("cache.url"));
    for (file, missing) in [("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")] {
        let one = format!("{file} = 'x.pem'\n");
        assert!(ledger("tls://a:4222", &one).contains(&format!("ledger.{missing}")));
        assert!(cache("rediss://a:6379", &one).contains(&format!("cache.{missing}")));
    }
}
