//! HTTP API of the gateway.

mod as_of;
mod console;
mod dead_letters;
mod feed;
mod invitations;
mod login;
mod me;
mod member_sessions;
mod members;
mod notices;
mod oauth;
pub(crate) mod permanent_codes;
mod qr_usage;
mod sessions;
pub(crate) mod settings;
pub(crate) mod sites;
mod slip;
mod staff;
mod statistics;
pub(crate) mod ticket;
mod tickets;
mod webhooks;

mod openapi;

pub use openapi::document;
pub use sites::digest_routes;

use crate::http::openapi::Routes;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use paihao_chassis::trace::{self, Traceparent};

/// Scripts, styles and connections from this server only; pictures also inline.
macro_rules! csp {
    ($($frames:literal)?) => {
        concat!("default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'", $($frames)?)
    };
}

/// Content security policy of a page, without frame-ancestors.
pub(crate) const BASE_CSP: &str = csp!();

/// Headers of every response that does not set them itself.
const DEFAULT_HEADERS: [(HeaderName, HeaderValue); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(csp!("; frame-ancestors 'none'"))),
];

pub(crate) fn routes() -> Routes {
    let open = sessions::routes().merge(sites::routes()).merge(permanent_codes::routes());
    let open = open.merge(ticket::routes()).merge(login::routes()).merge(oauth::routes());
    open.merge(invitations::routes())
        .merge(me::routes())
        .merge(members::routes())
        .merge(member_sessions::routes())
        .merge(staff::routes())
        .merge(settings::routes())
        .merge(qr_usage::routes())
        .merge(console::routes())
        .merge(feed::routes())
        .merge(dead_letters::routes())
        .merge(notices::routes())
        .merge(statistics::routes())
        .merge(as_of::routes())
        .merge(slip::routes())
        .merge(tickets::routes())
        .merge(webhooks::routes())
        .merge(openapi::routes())
}

/// Middleware of every route. One layer: each further one costs every request two allocations.
pub(crate) fn with_middleware<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes.layer(from_fn(trace_and_default_headers))
}

/// Goes on with the caller's trace, or begins one; what is appended meanwhile carries it.
async fn trace_and_default_headers(request: Request, next: Next) -> Response {
    let header =
        request.headers().get(trace::TRACEPARENT_HEADER).and_then(|value| value.to_str().ok());
    let here = Traceparent::continue_from(header);
    let mut response = trace::scope(here, next.run(request)).await;
    for (name, value) in DEFAULT_HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    async fn get_raw(path: &str) -> String {
        let own = || async { ([(header::REFERRER_POLICY, "origin")], "own") };
        let routes =
            with_middleware(Router::new().route("/", get(|| async { "" })).route("/own", get(own)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let ask = async {
            let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            client.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            answer
        };
        tokio::select! {
            answer = ask => answer,
            _ = axum::serve(listener, routes) => unreachable!("it serves for ever"),
        }
    }

    #[tokio::test]
    async fn every_answer_has_the_headers_and_keeps_its_own() {
        let plain = get_raw("/").await;
        for (name, value) in DEFAULT_HEADERS {
            let line = format!("{name}: {}\r\n", value.to_str().unwrap());
            assert!(plain.contains(&line), "no {line} in {plain}");
        }
        let own = get_raw("/own").await;
        assert!(own.contains("referrer-policy: origin\r\n"), "{own}");
        assert!(!own.contains("no-referrer"), "{own}");
    }
}
