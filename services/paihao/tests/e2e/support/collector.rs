//! Receiver of traces by OTLP, as an OpenTelemetry collector is one.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Running collector.
pub struct Collector {
    pub url: String,
    received: Arc<Mutex<Received>>,
}

#[derive(Default)]
struct Received {
    spans: Vec<CollectedSpan>,
    /// First lines and headers of the requests, in small letters.
    heads: Vec<String>,
}

/// Span with the name of the service that sent it.
#[derive(Debug, Clone)]
pub struct CollectedSpan {
    pub service: String,
    pub span: Span,
}

impl CollectedSpan {
    /// Value of an attribute that is a text.
    pub fn text(&self, key: &str) -> Option<&str> {
        text(&self.span.attributes, key)
    }
}

impl Collector {
    pub async fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::default());
        let collector = Collector { url, received: received.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(receive(stream, received.clone()));
            }
        });
        collector
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<CollectedSpan> {
        self.received.lock().unwrap().spans.clone()
    }

    /// Spans of one trace.
    pub fn trace(&self, id: &[u8]) -> Vec<CollectedSpan> {
        self.spans().into_iter().filter(|collected| collected.span.trace_id == id).collect()
    }

    /// First lines and headers of all requests, in small letters.
    pub fn heads(&self) -> Vec<String> {
        self.received.lock().unwrap().heads.clone()
    }
}

/// Receives the requests of one connection.
async fn receive(stream: TcpStream, received: Arc<Mutex<Received>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body).await.unwrap();
        let request = ExportTraceServiceRequest::decode(&*body).expect("a request of OTLP");
        {
            let mut received = received.lock().unwrap();
            received.heads.push(head);
            received.spans.extend(spans(request));
        }
        let response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        if stream.write_all(response.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn spans(request: ExportTraceServiceRequest) -> impl Iterator<Item = CollectedSpan> {
    request.resource_spans.into_iter().flat_map(|resource| {
        let attributes = resource.resource.expect("each process names itself").attributes;
        let service = text(&attributes, "service.name").expect("a service").to_owned();
        let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.map(move |span| CollectedSpan { service: service.clone(), span })
    })
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}
