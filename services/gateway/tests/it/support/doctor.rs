//! Doctor of a deployment in which nothing is wrong but for one thing to note.

use async_trait::async_trait;
use paihao_gateway::http::examinations::{Doctor, Finding, Level};

/// Finds the same at once each time.
pub struct HealthyDoctor;

#[async_trait]
impl Doctor for HealthyDoctor {
    async fn examine(&self) -> Result<Vec<Finding>, String> {
        let finding = |code, level, title_en| Finding {
            about: "ledger".into(),
            code,
            level,
            title: "账本",
            title_en,
            detail: String::new(),
            advice: "",
            advice_en: "",
        };
        Ok(vec![
            finding("ledger_writable", Level::Ok, "The ledger can be written"),
            finding("disk_low", Level::Warning, "The disk is filling"),
        ])
    }
}
