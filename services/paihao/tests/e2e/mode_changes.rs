//! Story of an account that moves through the modes of callbacks and back, under load and without a
//! restart.

use crate::support::gateway::{HALL, scan_body, start_program, wait_until_ready};
use crate::support::http::{client, send_json};
use harness::{Program, free_port, wait_until};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use wechat_sim::{
    PushMode, PushOverrides, ReplyOutcome, Routing, SimAccount, SimConfig, Simulator,
};

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// People who scan at the same time.
const SCANNERS: usize = 4;

/// Scans of each step: with the console as before, while it changes, and after.
const SCANS_OF_A_STEP: usize = 24;

const MODES: [PushMode; 5] = [
    PushMode::Plain,
    PushMode::Compatible,
    PushMode::Secure,
    PushMode::Compatible,
    PushMode::Plain,
];

fn name(mode: PushMode) -> &'static str {
    match mode {
        PushMode::Plain => "plain",
        PushMode::Compatible => "compatible",
        PushMode::Secure => "secure",
    }
}

/// WeChat's console with its mode, and during a change the one before.
struct Console {
    wechat: Simulator,
    account: SimAccount,
    step: AtomicUsize,
    changing: AtomicBool,
    scans: AtomicUsize,
}

impl Console {
    /// Mode of the next push: during a change now the one, now the other.
    fn mode(&self, scan: usize) -> PushMode {
        let step = self.step.load(Ordering::SeqCst);
        let is_former = self.changing.load(Ordering::SeqCst) && scan.is_multiple_of(2);
        MODES[if is_former { step - 1 } else { step }]
    }

    /// Scans as somebody new, and checks that they read their number.
    async fn scan(&self) {
        let scan = self.scans.fetch_add(1, Ordering::SeqCst);
        let person = format!("oPerson{scan}");
        let body = scan_body(&self.account, &person, "q_hall_a");
        let mode = self.mode(scan);
        let forged = PushOverrides { mode: Some(mode), ..PushOverrides::default() };
        let appid = Some(&*self.account.appid);
        let pushes = self.wechat.push_raw(appid, &person, &body, Routing::default(), forged).await;
        let [push] = &pushes[..] else { panic!("{pushes:?}") };
        let ReplyOutcome::Text { content } = &push.answer else {
            panic!("{mode:?}: {push:?}");
        };
        assert!(content.contains("取号成功"), "{mode:?}: {content}");
    }

    async fn until_scanned(&self, more: usize) {
        let target = self.scans.load(Ordering::SeqCst) + more;
        wait_until("people have scanned", WAIT_TIMEOUT, async || {
            self.scans.load(Ordering::SeqCst) >= target
        })
        .await;
    }
}

/// Program whose configuration is written again while it runs.
struct Reloaded {
    program: Program,
    base: String,
    reloads: usize,
}

impl Reloaded {
    /// Writes the mode and the one before, and waits until the gateway has taken them up.
    async fn set_modes(&mut self, mode: PushMode, former: Option<PushMode>) {
        let file = self.program.folder().join("paihao.toml");
        std::fs::write(file, configuration(&self.base, mode, former)).unwrap();
        let pid = self.program.pid().unwrap().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
        self.reloads += 1;
        wait_until("the gateway has taken the mode up", WAIT_TIMEOUT, async || {
            let taken_up = self.program.output().matches("keys of an account's callbacks").count();
            taken_up == self.reloads
        })
        .await;
    }
}

fn configuration(base: &str, mode: PushMode, former: Option<PushMode>) -> String {
    let former = former.map_or(String::new(), |former| {
        let until = jiff::Timestamp::now() + Duration::from_secs(3600);
        format!("former_mode = '{}'\nformer_mode_until = '{until}'\n", name(former))
    });
    let mode = name(mode);
    base.replace("MODE", &format!("mode = '{mode}'\n{former}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_moves_through_the_modes_under_load_with_nothing_lost() {
    let account = SimAccount::default();
    let config = SimConfig { accounts: vec![account.clone()], ..SimConfig::default() };
    let wechat = Simulator::start(config).await.unwrap();
    let (port, admin) = (free_port(), free_port());
    let base = format!(
        "
        [gateway]
        listen = '127.0.0.1:{port}'
        [admin]
        listen = '127.0.0.1:{admin}'
        [ledger]
        file = 'ledger.sqlite'
        [wechat]
        api = '{sim}'
        mp = '{sim}'
        [accounts.shop]
        appid = '{appid}'
        secret = '{secret}'
        callback_token = '{token}'
        aes_key = '{key}'
        MODE
        {HALL}
        ",
        sim = wechat.base_url(),
        appid = account.appid,
        secret = account.secret,
        token = account.callback_token,
        key = account.aes_key,
    );
    let program = start_program(&configuration(&base, MODES[0], None));
    let mut reloaded = Reloaded { program, base, reloads: 0 };
    let http = client();
    wait_until_ready(&http, &format!("http://127.0.0.1:{admin}")).await;
    let url = format!("http://127.0.0.1:{port}");
    wechat.set_callback_urls(Some(&account.appid), [format!("{url}/wechat/shop")]);
    let console = Console {
        wechat,
        account,
        step: AtomicUsize::new(0),
        changing: AtomicBool::new(false),
        scans: AtomicUsize::new(0),
    };
    let is_over = AtomicBool::new(false);
    let scanning = futures::future::join_all((0..SCANNERS).map(async |_| {
        while !is_over.load(Ordering::SeqCst) {
            console.scan().await;
        }
    }));
    let moving = async {
        for step in 1..MODES.len() {
            console.until_scanned(SCANS_OF_A_STEP).await;
            reloaded.set_modes(MODES[step], Some(MODES[step - 1])).await;
            console.until_scanned(SCANS_OF_A_STEP).await;
            // WeChat's own servers do not change at the same moment.
            console.step.store(step, Ordering::SeqCst);
            console.changing.store(true, Ordering::SeqCst);
            console.until_scanned(SCANS_OF_A_STEP).await;
            console.changing.store(false, Ordering::SeqCst);
            console.until_scanned(SCANS_OF_A_STEP).await;
            reloaded.set_modes(MODES[step], None).await;
        }
        console.until_scanned(SCANS_OF_A_STEP).await;
        is_over.store(true, Ordering::SeqCst);
    };
    futures::join!(scanning, moving);

    let scans = console.scans.load(Ordering::SeqCst);
    let (_, site) = send_json(http.get(format!("{url}/api/v1/sites/hall"))).await;
    assert_eq!(site["queues"][0]["waiting_count"], scans, "every push gave a number");
    let stats = console.wechat.stats();
    assert_eq!((stats.pushes_failed, stats.deliveries), (0, scans as u64), "none was repeated");
    assert!(reloaded.program.is_running(), "no restart");
    console.wechat.stop().await;
}
