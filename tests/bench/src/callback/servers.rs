//! Baseline servers, each as simple as its purpose allows and in its own process, with the same
//! runtime as the product's roles.

use super::scans::{ACCOUNT, site_id};
use anyhow::Context;
use async_nats::{Subject, jetstream};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use bytes::Bytes;
use clap::{Args, ValueEnum};
use futures::StreamExt;
use paihao_contracts::streams::LEDGER;
use paihao_ledger::{Ledger, Position};
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use paihao_wechat::{
    AppId, AppSecret, Client, ClientOptions, Endpoints, OpenId, Picture, QrRequest, TemplateMessage,
};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use wechat_sim::{SimAccount, SimTemplate};

/// Kind of a baseline server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BaselineKind {
    /// Publishes a commit, awaits the acknowledgement, answers.
    Floor,
    /// Publishes as the floor does, with the expectation that makes an append safe.
    Expecting,
    /// Publishes with the expectation, and reads back all entries, as every replica must.
    Following,
    /// Reads the body and answers.
    Null,
    /// Fetches the token and sends the template before it answers, as tutorials do.
    Article,
    /// Fetches the token, creates a code, and fetches its picture before it answers.
    Picture,
}

/// Arguments of a baseline server.
#[derive(Args)]
pub struct ServeOptions {
    kind: BaselineKind,
    #[arg(long)]
    port: u16,
    #[arg(long)]
    nats: String,
    /// Namespace of its streams.
    #[arg(long)]
    namespace: String,
    /// Copies of its streams.
    #[arg(long, default_value_t = 1)]
    replicas: usize,
    #[arg(long)]
    wechat: String,
    #[arg(long)]
    sites: usize,
    /// File with the bytes of a commit.
    #[arg(long)]
    commit: PathBuf,
    /// File with the body of a reply.
    #[arg(long)]
    reply: PathBuf,
}

type BaselineResult = Result<Response, (StatusCode, String)>;

/// Serves until the process is killed.
pub fn serve(options: &ServeOptions) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let reply = Bytes::from(std::fs::read(&options.reply).context("no reply to give")?);
        let routes = match options.kind {
            BaselineKind::Null => {
                Router::new().route("/wechat/{account}", post(handle_null)).with_state(reply)
            }
            BaselineKind::Article => {
                let state = Arc::new(TutorialBaseline::new(&options.wechat)?);
                Router::new().route("/wechat/{account}", post(handle_template)).with_state(state)
            }
            BaselineKind::Picture => {
                let state = Arc::new(TutorialBaseline::new(&options.wechat)?);
                Router::new().route("/qr/{name}", get(handle_picture)).with_state(state)
            }
            kind => {
                let state = Arc::new(PublishBaseline::connect(kind, options, reply).await?);
                Router::new().route("/wechat/{account}", post(handle_publish)).with_state(state)
            }
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        Ok(axum::serve(listener, routes).await?)
    })
}

fn reply_response(reply: &Bytes) -> Response {
    ([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], reply.clone()).into_response()
}

async fn handle_null(State(reply): State<Bytes>, _: Bytes) -> Response {
    reply_response(&reply)
}

struct PublishBaseline {
    jetstream: jetstream::Context,
    sites: Vec<Site>,
    next: AtomicUsize,
    commit: Bytes,
    reply: Bytes,
    expecting: bool,
}

struct Site {
    subject: Subject,
    last: Mutex<u64>,
}

impl PublishBaseline {
    async fn connect(
        kind: BaselineKind,
        options: &ServeOptions,
        reply: Bytes,
    ) -> anyhow::Result<PublishBaseline> {
        // The product's adapter creates the streams, so that they are the same as the ledger's.
        let namespace = options.namespace.clone();
        let (url, replicas) = (options.nats.clone(), options.replicas);
        let nats = NatsOptions { url, namespace, replicas, ..NatsOptions::default() };
        let ledger = NatsLedger::connect(nats).await?;
        if kind == BaselineKind::Following {
            let mut entries = ledger.follow(&LEDGER, Position::START).await?;
            #[expect(clippy::disallowed_methods, reason = "ends with this process")]
            tokio::spawn(async move { while entries.next().await.is_some() {} });
        }
        let subject = |i| {
            let name = format!("{}.{}.{ACCOUNT}.{}", options.namespace, LEDGER.name, site_id(i));
            Site { subject: Subject::from(name), last: Mutex::new(0) }
        };
        // It names the others of a cluster.
        let first = options.nats.split(',').next().unwrap_or_default();
        Ok(PublishBaseline {
            jetstream: jetstream::new(async_nats::connect(first).await?),
            sites: (0..options.sites).map(subject).collect(),
            next: AtomicUsize::new(0),
            commit: std::fs::read(&options.commit).context("no commit to publish")?.into(),
            reply,
            expecting: kind != BaselineKind::Floor,
        })
    }

    async fn publish(&self) -> Result<(), jetstream::context::PublishError> {
        let site = &self.sites[self.next.fetch_add(1, Ordering::Relaxed) % self.sites.len()];
        let subject = site.subject.clone();
        let commit = self.commit.clone();
        if !self.expecting {
            self.jetstream.publish(subject, commit).await?.await?;
            return Ok(());
        }
        let mut last = site.last.lock().await;
        let message = jetstream::message::PublishMessage::build()
            .payload(commit)
            .expected_last_subject_sequence(*last);
        *last = self.jetstream.send_publish(subject, message).await?.await?.sequence;
        Ok(())
    }
}

async fn handle_publish(State(floor): State<Arc<PublishBaseline>>, _: Bytes) -> BaselineResult {
    match floor.publish().await {
        Ok(()) => Ok(reply_response(&floor.reply)),
        Err(error) => Err((StatusCode::SERVICE_UNAVAILABLE, error.to_string())),
    }
}

struct TutorialBaseline {
    wechat: Client,
    app: AppId,
    secret: AppSecret,
    next: AtomicUsize,
}

impl TutorialBaseline {
    fn new(wechat: &str) -> anyhow::Result<TutorialBaseline> {
        let url = url::Url::parse(wechat)?;
        let endpoints = Endpoints { api: url.clone(), mp: url };
        let account = SimAccount::default();
        Ok(TutorialBaseline {
            wechat: Client::new(ClientOptions { endpoints, ..ClientOptions::default() })?,
            app: AppId(account.appid),
            secret: AppSecret::new(account.secret),
            next: AtomicUsize::new(0),
        })
    }

    /// Makes the two calls in sequence, because the second needs the token. The channel is the
    /// stable one; on the classic one, concurrent requests would end each other's tokens.
    async fn send_template(&self) -> Result<(), paihao_wechat::CallError> {
        let issued = self.wechat.stable_token(&self.app, &self.secret, false).await?;
        let person = self.next.fetch_add(1, Ordering::Relaxed);
        let field = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let message = TemplateMessage {
            to: OpenId::new(format!("oArticle{person:020}")),
            template_id: SimTemplate::DEMO_CALLED.to_owned(),
            url: None,
            mini_program: None,
            client_msg_id: None,
            fields: vec![
                field("thing1", "s00000"),
                field("character_string2", "A007"),
                field("thing3", "1号窗口"),
                field("time4", "15:01"),
            ],
        };
        self.wechat.send_template(&issued.token, &message).await?;
        Ok(())
    }
}

impl TutorialBaseline {
    /// Makes the three calls in sequence, as most tutorials do.
    async fn create_picture(&self) -> Result<Picture, paihao_wechat::CallError> {
        let issued = self.wechat.stable_token(&self.app, &self.secret, false).await?;
        let scene = format!("article{}", self.next.fetch_add(1, Ordering::Relaxed));
        let request = QrRequest::temporary_str(scene, Duration::from_secs(600));
        let code = self.wechat.create_qr(&issued.token, &request).await?;
        self.wechat.show_qr(&code.ticket).await
    }
}

async fn handle_picture(State(article): State<Arc<TutorialBaseline>>) -> BaselineResult {
    match article.create_picture().await {
        Ok(picture) => {
            Ok(([(header::CONTENT_TYPE, picture.content_type)], picture.bytes).into_response())
        }
        Err(error) => Err((StatusCode::SERVICE_UNAVAILABLE, error.to_string())),
    }
}

async fn handle_template(State(article): State<Arc<TutorialBaseline>>, _: Bytes) -> BaselineResult {
    match article.send_template().await {
        Ok(()) => Ok("success".into_response()),
        Err(error) => Err((StatusCode::SERVICE_UNAVAILABLE, error.to_string())),
    }
}
