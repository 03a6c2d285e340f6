//! Middleware of every route: trace context and default headers.

use crate::http::csp::DEFAULT_CSP;
use crate::http::rehearsal::REHEARSAL_HEADER;
use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use paihao_chassis::trace::{self, Span};

/// Headers of every response that does not set them itself. Nothing is stored by browsers and
/// proxies unless its handler says so: most answers are somebody's.
const DEFAULT_HEADERS: [(HeaderName, HeaderValue); 7] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(DEFAULT_CSP)),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
];

/// Header with the origins whose pages may embed a response.
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// Header of pictures that pages of any origin may embed.
pub(crate) const EMBEDDABLE: (HeaderName, HeaderValue) =
    (CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));

/// Where people come by HTTPS, their browsers come no other way for a year.
const STRICT_TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Facts of the deployment that every response carries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks {
    /// True if people come by HTTPS.
    pub(crate) is_https: bool,
    /// True if WeChat and the phones are simulated.
    pub(crate) is_rehearsal: bool,
}

/// Middleware of every route. One layer: each further one costs every request two allocations.
pub(crate) fn with_middleware<S: Clone + Send + Sync + 'static>(
    routes: Router<S>,
    marks: Marks,
) -> Router<S> {
    routes.layer(from_fn(move |request, next| trace_and_default_headers(marks, request, next)))
}

/// Continues the client's trace, or begins one; entries that are appended meanwhile carry it.
async fn trace_and_default_headers(marks: Marks, request: Request, next: Next) -> Response {
    let header =
        request.headers().get(trace::TRACEPARENT_HEADER).and_then(|value| value.to_str().ok());
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let mut span = Span::of_request(header, method_name(request.method()), route);
    let mut response = trace::scope(span.clone(), next.run(request)).await;
    let status = response.status();
    span.number("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.fail("the answer is a server error");
    }
    for (name, value) in DEFAULT_HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    if marks.is_https {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT);
    }
    if marks.is_rehearsal {
        let (name, value) = REHEARSAL_HEADER;
        response.headers_mut().insert(name, value);
    }
    response
}

/// Name of a method in spans: a client's own word for one is not recorded.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    async fn get_raw(path: &str, is_https: bool) -> String {
        let own = || async { ([(header::REFERRER_POLICY, "origin")], "own") };
        let routes = Router::new().route("/", get(|| async { "" })).route("/own", get(own));
        let routes = with_middleware(routes, Marks { is_https, is_rehearsal: false });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let exchange = async {
            let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            client.write_all(request.as_bytes()).await.unwrap();
            let mut response = String::new();
            client.read_to_string(&mut response).await.unwrap();
            response
        };
        tokio::select! {
            response = exchange => response,
            _ = axum::serve(listener, routes) => unreachable!("it serves for ever"),
        }
    }

    #[tokio::test]
    async fn every_answer_has_the_headers_and_keeps_its_own() {
        let plain = get_raw("/", false).await;
        for (name, value) in DEFAULT_HEADERS {
            let line = format!("{name}: {}\r\n", value.to_str().unwrap());
            assert!(plain.contains(&line), "no {line} in {plain}");
        }
        let own = get_raw("/own", false).await;
        assert!(own.contains("referrer-policy: origin\r\n"), "{own}");
        assert!(!own.contains("no-referrer"), "{own}");
    }

    #[tokio::test]
    async fn browsers_keep_to_https_where_people_come_by_it() {
        let line = "strict-transport-security: max-age=31536000\r\n";
        for (is_https, count) in [(false, 0), (true, 1)] {
            let answer = get_raw("/", is_https).await;
            assert_eq!(answer.matches(line).count(), count, "{answer}");
        }
    }
}
