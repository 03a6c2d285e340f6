//! The doctor of a running gateway, for the manager's page.

use super::findings::{self, FindingKind, Level};
use super::{examine, report};
use crate::config::Config;
use async_trait::async_trait;
use paihao_chassis::config::ConfigError;
use paihao_gateway::http::examinations::{self, Doctor};
use std::path::PathBuf;

/// Findings about how WeChat reaches an address on the internet, which simulations lack.
const OF_THE_INTERNET: [&FindingKind; 5] = [
    findings::CALLBACK_NOT_HTTPS,
    findings::CALLBACK_PRIVATE,
    findings::CALLBACK_WRONG_PORT,
    findings::MODE_PLAIN,
    findings::PROXIES_UNNAMED,
];

/// Checks of the configuration as it is then.
pub struct DeploymentDoctor {
    read: Box<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>,
    /// File of the configuration, whose permissions are checked too.
    file: Option<PathBuf>,
    /// True where WeChat is simulated on this machine.
    is_simulated: bool,
}

impl DeploymentDoctor {
    /// Makes a doctor that reads the configuration each time.
    pub fn new(
        file: Option<PathBuf>,
        read: impl Fn() -> Result<Config, ConfigError> + Send + Sync + 'static,
    ) -> DeploymentDoctor {
        DeploymentDoctor { read: Box::new(read), file, is_simulated: false }
    }

    /// Returns the doctor with the findings that a simulated WeChat can have.
    #[must_use]
    pub fn without_internet(self) -> DeploymentDoctor {
        DeploymentDoctor { is_simulated: true, ..self }
    }

    /// Makes the doctor of a demo, whose configuration stays and whose WeChat is this machine.
    pub fn of_demo(config: Config) -> DeploymentDoctor {
        DeploymentDoctor::new(None, move || Ok(config.clone())).without_internet()
    }
}

#[async_trait]
impl Doctor for DeploymentDoctor {
    async fn examine(&self) -> Result<Vec<examinations::Finding>, String> {
        let config = (self.read)().map_err(|error| error.to_string())?;
        let report = examine(&config, self.file.as_deref(), None).await;
        let report = report.map_err(|error| error.to_string())?;
        let is_wanted =
            |found: &report::Finding| !(self.is_simulated && OF_THE_INTERNET.contains(&found.kind));
        Ok(report.findings.into_iter().filter(is_wanted).map(finding).collect())
    }
}

fn finding(found: report::Finding) -> examinations::Finding {
    examinations::Finding {
        about: found.subject,
        code: found.kind.code,
        level: match found.kind.level {
            Level::Ok => examinations::Level::Ok,
            Level::Warning => examinations::Level::Warning,
            Level::Bad => examinations::Level::Bad,
        },
        title: found.kind.zh,
        title_en: found.kind.en,
        detail: found.detail,
        advice: found.kind.advice_zh,
        advice_en: found.kind.advice_en,
    }
}
