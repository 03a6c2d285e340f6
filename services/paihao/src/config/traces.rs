//! Checks of the section `[traces]`.

use super::Config;
use crate::trace_export::TraceOptions;
use paihao_chassis::config::ConfigProblems;
use reqwest::header::HeaderValue;
use url::Url;

/// Path of a collector that is named by its host alone.
const DEFAULT_PATH: &str = "/v1/traces";

impl Config {
    /// Options of the export of traces; `None` if it is off.
    pub(super) fn trace_options(&self, problems: &mut ConfigProblems) -> Option<TraceOptions> {
        let traces = &self.traces;
        if !(0.0..=1.0).contains(&traces.ratio) {
            problems.add("traces.ratio", format!("{} is no share", traces.ratio), "use 0 to 1");
        }
        let authorization = traces.authorization.as_ref().and_then(|secret| {
            let value = HeaderValue::from_str(secret.expose().trim());
            if value.is_err() {
                let advice = "use something like \"Basic …\" or \"Bearer …\", in ASCII";
                problems.add("traces.authorization", "that is no value of a header", advice);
            }
            value.ok().map(|mut value| {
                value.set_sensitive(true);
                value
            })
        });
        if traces.endpoint.is_empty() {
            return None;
        }
        let usable = |url: &Url| {
            let is_plain = url.username().is_empty() && url.password().is_none();
            url.has_host() && matches!(url.scheme(), "http" | "https") && is_plain
        };
        let Some(mut endpoint) = Url::parse(&traces.endpoint).ok().filter(usable) else {
            // The address may hold a password.
            let advice = "use something like http://collector:4318, and traces.authorization";
            problems.add("traces.endpoint", "that is no address of a collector", advice);
            return None;
        };
        if endpoint.path() == "/" {
            endpoint.set_path(DEFAULT_PATH);
        }
        Some(TraceOptions { endpoint, authorization, ratio: traces.ratio })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Role};

    fn resolve(section: &str) -> Result<Option<String>, String> {
        let config = Config::from_text("in x.toml", &format!("[traces]\n{section}"));
        let resolved = config.unwrap().resolve(Role::All).map_err(|error| error.to_string())?;
        Ok(resolved.traces.map(|traces| traces.endpoint.to_string()))
    }

    #[test]
    fn traces_go_nowhere_unless_an_address_is_given() {
        assert_eq!(resolve(""), Ok(None));
        assert_eq!(
            resolve("endpoint = 'http://collector:4318'"),
            Ok(Some("http://collector:4318/v1/traces".to_owned()))
        );
        assert_eq!(
            resolve("endpoint = 'https://otlp.example.com/otlp/v1/traces'"),
            Ok(Some("https://otlp.example.com/otlp/v1/traces".to_owned()))
        );
    }

    #[test]
    fn what_cannot_work_is_refused_and_no_secret_is_quoted() {
        for (section, key) in [
            ("endpoint = 'collector:4318'", "traces.endpoint"),
            ("endpoint = 'http://me:hunter2@collector'", "traces.endpoint"),
            (
                "endpoint = 'http://c'\nauthorization = \"hunter2\\n\\u0001\"",
                "traces.authorization",
            ),
            ("ratio = 1.5", "traces.ratio"),
            ("ratio = nan", "traces.ratio"),
        ] {
            let message = resolve(section).unwrap_err();
            assert!(message.contains(key) && !message.contains("hunter2"), "{section}: {message}");
        }
    }
}
