//! Export of traces by OTLP over HTTP, for an OpenTelemetry collector.
//!
//! Traces may be lost: what a full queue or a collector that is away does not take is counted and
//! forgotten, and nothing waits for it.

use crate::config::Role;
use anyhow::Context;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind as OtlpKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use paihao_chassis::trace::{self, SpanKind, SpanRecord, SpanSink};
use paihao_chassis::{CancellationToken, Tasks, entropy};
use prost::Message;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::time::sleep;
use url::Url;

/// Time between two exports.
const INTERVAL: Duration = Duration::from_secs(1);
/// Time after the stop in which the work under way ends, before the last export.
const LAST_WAIT: Duration = Duration::from_secs(1);
/// Most spans that wait, some seconds' worth of a busy process.
const MAX_WAITING: usize = 16_384;
/// Most spans in one request.
const MAX_BATCH: usize = 512;
/// Timeout of a connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Timeout of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Options of the export.
#[derive(Clone)]
pub struct TraceOptions {
    /// Address that spans are posted to.
    pub endpoint: Url,
    /// Value of the header `Authorization`.
    pub authorization: Option<HeaderValue>,
    /// Share of the traces that begin here (0 to 1).
    pub ratio: f64,
}

/// Begins to record spans and to export them until the stop.
pub(crate) fn start(role: Role, options: TraceOptions, tasks: &Tasks) -> anyhow::Result<()> {
    let client = client().context("cannot export traces")?;
    let (queue, waiting) = mpsc::channel(MAX_WAITING);
    trace::install(Queue(queue), options.ratio)?;
    let exporter = Exporter { client, options, resource: resource(role), failing: false };
    tasks.spawn("traces", exporter.run(waiting, tasks.stop().clone()));
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the collector is the operator's, and must not share a client with WeChat's tokens"
)]
fn client() -> reqwest::Result<reqwest::Client> {
    // reqwest uses the process's provider. Another crate may have installed one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .user_agent(concat!("paihao/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .build()
}

struct Queue(mpsc::Sender<SpanRecord>);

impl SpanSink for Queue {
    fn record(&self, span: SpanRecord) {
        if self.0.try_send(span).is_err() {
            count("dropped", 1);
        }
    }
}

fn count(result: &'static str, spans: usize) {
    metrics::counter!("paihao_trace_spans_total", "result" => result).increment(spans as u64);
}

struct Exporter {
    client: reqwest::Client,
    options: TraceOptions,
    resource: Resource,
    /// True after a request that failed, which was warned of.
    failing: bool,
}

impl Exporter {
    async fn run(mut self, mut waiting: mpsc::Receiver<SpanRecord>, stop: CancellationToken) {
        let mut batch = Vec::new();
        let mut stopped = false;
        while !stopped {
            stopped = stop.run_until_cancelled(sleep(INTERVAL)).await.is_none();
            if stopped {
                sleep(LAST_WAIT).await;
            }
            while !waiting.is_empty() {
                waiting.recv_many(&mut batch, MAX_BATCH).await;
                self.export(std::mem::take(&mut batch)).await;
                if stopped && self.failing {
                    return;
                }
            }
        }
    }

    async fn export(&mut self, batch: Vec<SpanRecord>) {
        let spans = batch.len();
        let error = match self.post(batch).await {
            Ok(status) if status.is_success() => None,
            Ok(status) => Some(format!("the collector answered {status}")),
            Err(error) => Some(error.without_url().to_string()),
        };
        count(if error.is_none() { "exported" } else { "failed" }, spans);
        match &error {
            Some(error) if !self.failing => {
                tracing::warn!(error, "cannot export traces, they are dropped");
            }
            None if self.failing => tracing::info!("traces are exported again"),
            _ => {}
        }
        self.failing = error.is_some();
    }

    async fn post(&self, batch: Vec<SpanRecord>) -> reqwest::Result<reqwest::StatusCode> {
        let spans = ScopeSpans {
            scope: Some(InstrumentationScope { name: "paihao".into(), ..Default::default() }),
            spans: batch.into_iter().map(to_otlp).collect(),
            ..Default::default()
        };
        let body = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![spans],
                ..Default::default()
            }],
        };
        let mut request = self
            .client
            .post(self.options.endpoint.clone())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(body.encode_to_vec());
        if let Some(authorization) = &self.options.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        Ok(request.send().await?.status())
    }
}

fn resource(role: Role) -> Resource {
    let name = match role {
        Role::All => "paihao",
        Role::Gateway => "paihao-gateway",
        Role::Token => "paihao-token",
        Role::Notifier => "paihao-notifier",
        Role::Sim => "paihao-sim",
    };
    let attributes = vec![
        text("service.name", name),
        text("service.version", env!("CARGO_PKG_VERSION")),
        text("service.instance.id", entropy::uuid().to_string()),
    ];
    Resource { attributes, ..Default::default() }
}

fn to_otlp(record: SpanRecord) -> Span {
    let started = record.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let numbers =
        record.numbers.iter().map(|(key, number)| attribute(key, Value::IntValue(*number)));
    let labels = record.labels.iter().map(|(key, label)| text(key, *label));
    let site = record.site.map(|site| text("paihao.site", site));
    let route = record.route.map(|route| text("http.route", route));
    Span {
        trace_id: record.at.trace().to_be_bytes().to_vec(),
        span_id: record.at.span().to_be_bytes().to_vec(),
        parent_span_id: record
            .parent
            .map_or_else(Vec::new, |parent| parent.span().to_be_bytes().to_vec()),
        name: record.name,
        kind: match record.kind {
            SpanKind::Server => OtlpKind::Server,
            SpanKind::Client => OtlpKind::Client,
            SpanKind::Producer => OtlpKind::Producer,
            SpanKind::Consumer => OtlpKind::Consumer,
        } as i32,
        start_time_unix_nano: nanoseconds(started),
        end_time_unix_nano: nanoseconds(started + record.duration),
        attributes: site.into_iter().chain(route).chain(numbers).chain(labels).collect(),
        links: record
            .links
            .iter()
            .map(|link| Link {
                trace_id: link.trace().to_be_bytes().to_vec(),
                span_id: link.span().to_be_bytes().to_vec(),
                ..Default::default()
            })
            .collect(),
        status: record
            .error
            .map(|error| Status { message: error.to_owned(), code: StatusCode::Error as i32 }),
        ..Default::default()
    }
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.to_owned(), value, ..Default::default() }
}
