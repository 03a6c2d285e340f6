//! Server of an account in plain mode as the README of wechat-oa-sdk has it, on axum: the signature
//! is checked, the push is read, and a text goes back. It keeps nothing, so that every number is
//! the same.

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header::CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::net::TcpListener;
use wechat_oa_sdk::api::message::IncomingMessage;
use wechat_oa_sdk::models::reply::TextReply;
use wechat_oa_sdk::{Config, WeChatClient};

#[derive(Deserialize)]
struct SignedQuery {
    signature: String,
    timestamp: String,
    nonce: String,
}

async fn receive(
    State(client): State<Arc<WeChatClient>>,
    Query(query): Query<SignedQuery>,
    body: String,
) -> Response {
    if !client.verify_signature(&query.signature, &query.timestamp, &query.nonce) {
        return StatusCode::FORBIDDEN.into_response();
    }
    match client.parse_message(&body) {
        Ok(IncomingMessage::ScanEvent(event)) => {
            let text = "您的号码是 A007，前面还有 6 人。";
            let reply = TextReply::new(event.from_user_name, event.to_user_name, text);
            ([(CONTENT_TYPE, "text/xml")], reply.to_xml()).into_response()
        }
        Ok(_) => "success".into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [port, token, workers] = &arguments[..] else {
        println!("arguments: PORT TOKEN WORKERS");
        return Ok(());
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers.parse()?)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let client = Arc::new(WeChatClient::new(Config::new("app_id", "app_secret", token)));
        let router = Router::new().route("/wechat/{account}", post(receive)).with_state(client);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.parse()?)).await?;
        Ok(axum::serve(listener, router).await?)
    })
}
