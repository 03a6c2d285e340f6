//! Logging to standard error: as text, or as one JSON object per line.

use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Options of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogOptions {
    /// `text` or `json`.
    pub format: LogFormat,
    /// Level filter: `info`, or finer: `info,paihao_gateway=debug`.
    pub filter: String,
}

/// Errors of setting up the log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is invalid.
    #[error("the log filter is not valid: {0}")]
    Filter(#[from] ParseError),
    /// A logger is installed in this process already.
    #[error("logging has already been set up")]
    AlreadyInitialized,
}

impl LogOptions {
    /// Checks the filter's syntax, for a configuration check.
    pub fn check(&self) -> Result<(), LogError> {
        self.parse_filter().map(drop)
    }

    fn parse_filter(&self) -> Result<EnvFilter, LogError> {
        Ok(EnvFilter::builder().parse(&self.filter)?)
    }
}

/// Installs the logger on standard error, once per process.
pub fn init(options: &LogOptions) -> Result<(), LogError> {
    let registry = tracing_subscriber::registry().with(options.parse_filter()?);
    let to_stderr = fmt::layer().with_writer(std::io::stderr);
    let done = match options.format {
        LogFormat::Text => {
            use std::io::IsTerminal;
            registry.with(to_stderr.with_ansi(std::io::stderr().is_terminal())).try_init()
        }
        LogFormat::Json => {
            registry.with(to_stderr.json().flatten_event(true).with_current_span(false)).try_init()
        }
    };
    done.map_err(|_| LogError::AlreadyInitialized)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_is_refused() {
        let with = |filter: &str| LogOptions { format: LogFormat::Text, filter: filter.into() };
        assert!(with("info,paihao_gateway=debug").check().is_ok());
        assert!(with("info,paihao_gateway=loudly").check().is_err());
    }
}
