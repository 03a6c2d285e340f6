//! Logging to standard error: as text, or as one JSON object per line. Each line ends with the
//! trace that it belongs to, if there is one.

use crate::trace;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::format::{self, FormatEvent, FormatFields, JsonFields, Writer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
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
            let is_terminal = std::io::stderr().is_terminal();
            let lines = WithTrace { lines: text_lines(is_terminal), end: text_end };
            registry.with(to_stderr.with_ansi(is_terminal).event_format(lines)).try_init()
        }
        LogFormat::Json => {
            let lines = WithTrace { lines: json_lines(), end: json_end };
            let fields = JsonFields::new();
            registry.with(to_stderr.event_format(lines).fmt_fields(fields)).try_init()
        }
    };
    done.map_err(|_| LogError::AlreadyInitialized)
}

fn text_lines(is_terminal: bool) -> format::Format {
    format::format().with_ansi(is_terminal)
}

fn json_lines() -> format::Format<format::Json> {
    format::format().json().flatten_event(true).with_current_span(false).with_span_list(false)
}

/// Lines of another format, with the trace of the task that logs. A span of `tracing` for each
/// request would say the same, at some microseconds whether anything is logged or not.
struct WithTrace<F> {
    lines: F,
    /// Adds the id of a trace to a line.
    end: fn(&mut String, &str),
}

impl<S, N, F> FormatEvent<S, N> for WithTrace<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &fmt::FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let Some(trace) = trace::logged() else {
            return self.lines.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.lines.format_event(context, Writer::new(&mut line), event)?;
        line.truncate(line.trim_end_matches('\n').len());
        (self.end)(&mut line, &trace.trace_id());
        writeln!(writer, "{line}")
    }
}

fn text_end(line: &mut String, trace: &str) {
    line.push_str(" trace=");
    line.push_str(trace);
}

fn json_end(line: &mut String, trace: &str) {
    if line.pop() == Some('}') {
        let _ = write!(line, ",\"trace\":\"{trace}\"}}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Span, Traceparent};
    use parking_lot::Mutex;
    use std::io;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Output(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Logs outside of a trace, in one, and in a task that was started there. Returns the lines.
    async fn log(format: LogFormat, trace: Traceparent) -> Vec<String> {
        let output = Output::default();
        let writer = output.clone();
        let layer = fmt::layer().with_writer(move || writer.clone()).with_ansi(false);
        let registry = tracing_subscriber::registry();
        let _logger = match format {
            LogFormat::Text => {
                let lines = WithTrace { lines: text_lines(false), end: text_end };
                tracing::subscriber::set_default(registry.with(layer.event_format(lines)))
            }
            LogFormat::Json => {
                let lines = WithTrace { lines: json_lines(), end: json_end };
                let layer = layer.event_format(lines).fmt_fields(JsonFields::new());
                tracing::subscriber::set_default(registry.with(layer))
            }
        };
        let tasks = crate::Tasks::new();
        tracing::info!("outside");
        let work = async {
            tracing::info!(number = 7, "inside");
            tasks.spawn("part", async { tracing::info!("in a task") });
        };
        trace::scope(Span::from(trace), work).await;
        tasks.wait().await;
        let written = output.0.lock();
        String::from_utf8_lossy(&written).lines().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn each_line_of_a_trace_names_it() {
        let trace = Traceparent::new_root();
        let id = trace.trace_id();
        let text = log(LogFormat::Text, trace).await;
        assert!(text[0].ends_with("outside"), "{text:?}");
        assert!(text[1].ends_with(&format!("inside number=7 trace={id}")), "{text:?}");
        assert!(text[2].ends_with(&format!("in a task trace={id}")), "{text:?}");

        let json = log(LogFormat::Json, trace).await;
        let lines =
            json.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let said: Vec<_> =
            lines.map(|line| (line["message"].clone(), line["trace"].clone())).collect();
        let [outside, inside, in_a_task] = ["outside", "inside", "in a task"];
        let none = serde_json::Value::Null;
        let id = serde_json::Value::from(id);
        let expected = [(outside, none), (inside, id.clone()), (in_a_task, id)];
        // A last line is about the end of the task.
        assert_eq!(said[..3], expected.map(|(message, trace)| (message.into(), trace)));
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_refused() {
        let with = |filter: &str| LogOptions { format: LogFormat::Text, filter: filter.into() };
        assert!(with("info,paihao_gateway=debug").check().is_ok());
        assert!(with("info,paihao_gateway=loudly").check().is_err());
    }
}
