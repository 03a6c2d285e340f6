//! Runs of `paihao doctor` on a configuration, and their reports.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;
use wechat_sim::{PushMode, SimAccount, SimTemplate, Simulator};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_paihao");
pub const DOCTOR_TIMEOUT: Duration = Duration::from_secs(60);

/// Accounts of the tests: a shop in plain mode and a clinic in secure mode.
pub fn accounts() -> Vec<SimAccount> {
    let clinic = SimAccount {
        appid: "wx0000000000000001".into(),
        secret: "the-clinics-own-app-secret-00000".into(),
        callback_token: "tokenOfTheClinic".into(),
        mode: PushMode::Secure,
        ..SimAccount::default()
    };
    vec![SimAccount::default(), clinic]
}

pub fn configuration(wechat: &Simulator, head: &str) -> String {
    let [shop, clinic] = accounts().try_into().unwrap();
    format!(
        "
        {head}
        [wechat]
        api = '{sim}'
        mp = '{sim}'
        [wechat.limits.qrcode_create]
        per_day = 200
        [accounts.shop]
        appid = '{}'
        secret = '{}'
        callback_token = '{}'
        mode = 'plain'
        [accounts.shop.called]
        template_id = '{template}'
        fields = {{ thing1 = '{{site}}', character_string2 = '{{number}}', thing3 = '{{counter}}', time4 = '{{time}}' }}
        [accounts.clinic]
        appid = '{}'
        secret = '{}'
        callback_token = '{}'
        mode = 'secure'
        aes_key = '{}'
        [accounts.clinic.called]
        template_id = '{template}'
        fields = {{ thing1 = '{{site}}', character_string2 = '{{number}}', thing3 = '{{counter}}', time4 = '{{time}}' }}
        ",
        shop.appid,
        shop.secret,
        shop.callback_token,
        clinic.appid,
        clinic.secret,
        clinic.callback_token,
        clinic.aes_key,
        sim = wechat.base_url(),
        template = SimTemplate::DEMO_CALLED,
    )
}

/// Report of a run, and its exit code.
pub struct DoctorRun {
    pub exit: i32,
    pub report: Value,
}

impl DoctorRun {
    /// Findings above level `ok`, as in `shop template_fault`.
    pub fn problems(&self) -> BTreeSet<String> {
        self.findings(|level| level != "ok")
    }

    /// Findings of level `ok`.
    pub fn passed(&self) -> BTreeSet<String> {
        self.findings(|level| level == "ok")
    }

    fn findings(&self, is_selected: impl Fn(&Value) -> bool) -> BTreeSet<String> {
        let all = self.report["findings"].as_array().unwrap().iter();
        let selected = all.filter(|finding| is_selected(&finding["level"]));
        selected
            .map(|f| format!("{} {}", value_text(&f["about"]), value_text(&f["finding"])))
            .collect()
    }

    pub fn detail(&self, code: &str) -> String {
        let all = self.report["findings"].as_array().unwrap();
        let finding = all.iter().find(|finding| finding["finding"] == code);
        value_text(&finding.unwrap_or_else(|| panic!("no {code} in {:#}", self.report))["detail"])
            .to_owned()
    }
}

pub fn value_text(value: &Value) -> &str {
    value.as_str().unwrap()
}

pub fn set<const N: usize>(all: [&str; N]) -> BTreeSet<String> {
    all.map(str::to_owned).into()
}

/// Runs `paihao doctor --json` on a configuration, and checks that it prints no secret.
pub async fn run_doctor(text: &str) -> DoctorRun {
    run_doctor_with(text, &["--json"]).await
}

pub async fn run_doctor_with(text: &str, arguments: &[&str]) -> DoctorRun {
    let text = text.to_owned();
    let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
    let run = move || {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("paihao.toml");
        std::fs::write(&file, &text).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let mut command = Command::new(PROGRAM);
        command.env_clear().arg("doctor").arg("--config").arg(file).args(arguments);
        command.current_dir(folder.path()).output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    for account in accounts() {
        for secret in [&account.secret, &account.callback_token, &account.aes_key] {
            assert!(!printed.contains(secret) && !errors.contains(&**secret), "{printed}{errors}");
        }
    }
    assert!(!printed.contains("98_"), "no token is printed: {printed}");
    let report = serde_json::from_str(&printed).unwrap_or(Value::String(printed));
    DoctorRun { exit: output.status.code().unwrap_or_else(|| panic!("{errors}")), report }
}
