//! Shares and limits of WeChat's codes, from the configuration.

use super::{Codes, Config};
use paihao_chassis::config::ConfigProblems;
use paihao_gateway::scan::codes::permanent::{MAX_PERMANENT_CODES, PermanentCodeLimits};
use paihao_gateway::scan::codes::share::CodeShareSettings;

impl Config {
    pub(super) fn permanent_code_limits(
        &self,
        problems: &mut ConfigProblems,
    ) -> PermanentCodeLimits {
        let per_site = self.gateway.codes.permanent_per_site;
        if !(1..=MAX_PERMANENT_CODES).contains(&per_site) {
            let description = format!("{per_site} codes of a site");
            let advice = format!("use 1 to {MAX_PERMANENT_CODES}, such as 200");
            problems.add("gateway.codes.permanent_per_site", description, advice);
        }
        PermanentCodeLimits { per_site, ..PermanentCodeLimits::default() }
    }

    pub(super) fn code_shares(&self, problems: &mut ConfigProblems) -> CodeShareSettings {
        let Codes { strangers_percent, logins_percent, .. } = self.gateway.codes;
        for (key, percent) in [
            ("gateway.codes.strangers_percent", strangers_percent),
            ("gateway.codes.logins_percent", logins_percent),
        ] {
            if percent > 100 {
                let description = format!("{percent} percent of a day's codes");
                problems.add(key, description, "use 1 to 100, or 0 for no limit");
            }
        }
        CodeShareSettings { strangers_percent, logins_percent }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Role};

    #[test]
    fn shares_beyond_the_whole_are_refused() {
        let text = "[gateway.codes]\nstrangers_percent = 101\nlogins_percent = 200\npermanent_per_site = 0\n";
        let checked = Config::from_text("in x.toml", text).unwrap().resolve(Role::All);
        let message = checked.err().unwrap().to_string();
        for key in ["strangers_percent", "logins_percent", "permanent_per_site"] {
            assert!(message.contains(key), "{key} is missing in:\n{message}");
        }
    }
}
