//! Tests with wechatpy, a library of others, in the place of WeChat's servers: the gateway takes
//! what it signs and seals, and it opens what the gateway replies, in every mode.

use serde_json::json;

use crate::support::gateway::{ModesDeployment, TEST_ACCOUNTS, console_account};

#[tokio::test]
async fn wechatpy_is_understood_and_understands_in_every_mode() {
    let deployment = ModesDeployment::start().await;
    for (i, (name, mode, push_mode)) in TEST_ACCOUNTS.iter().enumerate() {
        let account = console_account(i);
        let settings = json!({
            "appid": account.appid,
            "original_id": account.original_id,
            "token": account.callback_token,
            "aes_key": account.aes_key,
            "mode": mode,
        });
        let mut script = harness::python();
        script
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/wechatpy/sender.py"))
            .arg(format!("{}/wechat/{name}", deployment.url))
            .args([settings.to_string(), format!("q_{name}-one_a")]);
        let output = tokio::task::spawn_blocking(move || script.output().unwrap()).await.unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} ({push_mode:?}): {errors}");
        let site = format!("{name}-one");
        assert_eq!(deployment.waiting_counts(&site).await, 0, "nobody is left who was forged");
    }
}
