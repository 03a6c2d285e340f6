//! Probe of a callback address, which sends requests as WeChat would, and of WeChat's clock. For
//! operators.

use crate::api::Api;
use crate::callback::{CallbackQuery, Mode, Protection, encrypt, msg_signature, signature};
use crate::client::{Client, api_url};
use crate::error::CallError;
use crate::secret::CallbackToken;
use reqwest::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderValue, PRAGMA, USER_AGENT};
use reqwest::{Method, Request};
use std::time::Duration;
use url::Url;

/// Timeout of WeChat's own requests.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Sender of the push: an openid of nobody.
const PROBE_OPENID: &str = "oPaihaoDoctor000000000000000";

/// True for a callback that names nobody as its sender, as a probe does. No signature covers that.
pub fn is_probe(query: &CallbackQuery) -> bool {
    query.openid.as_ref().is_some_and(|openid| openid.expose() == PROBE_OPENID)
}

/// Values that make one probe differ from the next.
#[derive(Debug, Clone, Copy)]
pub struct ProbeStamp {
    /// Unix milliseconds.
    pub now_ms: i64,
    /// Random nonce.
    pub nonce: u32,
    /// Random bytes inside the encrypted message.
    pub random: [u8; 16],
}

/// Unexpected answers of a callback address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// No response.
    #[error(transparent)]
    NoResponse(CallError),
    /// Another response: the HTTP status, and the code of a refusal if it is one of paihao's.
    #[error("HTTP {status} {code}")]
    UnexpectedResponse {
        /// The HTTP status.
        status: u16,
        /// Code such as `wrong_signature`; empty if there was none.
        code: String,
    },
}

impl Client {
    /// Sends a server verification (a GET with `echostr`), signed, or unsigned to test the check.
    pub async fn verify_callback(
        &self,
        address: &Url,
        token: &CallbackToken,
        signed: bool,
        stamp: ProbeStamp,
    ) -> Result<(), ProbeError> {
        let (timestamp, nonce) = stamp.timestamp_and_nonce();
        let echo = (7_000_000_000_000_000_000 + u64::from(stamp.nonce)).to_string();
        let signature = if signed {
            signature(token, &timestamp, &nonce)
        } else {
            signature(&CallbackToken::new("nobodys"), &timestamp, &nonce)
        };
        let query = [
            ("signature", &*signature),
            ("echostr", &*echo),
            ("timestamp", &*timestamp),
            ("nonce", &*nonce),
            ("openid", PROBE_OPENID),
        ];
        let request = Request::new(Method::GET, with_query(address, &query));
        self.send_probe(request, |body| body == echo.as_bytes()).await
    }

    /// Pushes an unknown event in the account's mode, which changes nothing: the expected response
    /// is `success`.
    pub async fn push_callback(
        &self,
        address: &Url,
        protection: &Protection,
        stamp: ProbeStamp,
    ) -> Result<(), ProbeError> {
        let (timestamp, nonce) = stamp.timestamp_and_nonce();
        let recipient = "<ToUserName><![CDATA[gh_doctor]]></ToUserName>";
        let fields = format!(
            "\n<FromUserName><![CDATA[{PROBE_OPENID}]]></FromUserName>\n<CreateTime>{timestamp}</CreateTime>\n\
             <MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[paihao_doctor]]></Event>\n"
        );
        let plain = format!("<xml>{recipient}{fields}</xml>");
        let encrypted = protection
            .aes_key
            .as_ref()
            .filter(|_| protection.mode != Mode::Plain)
            .map(|key| encrypt(key, &protection.app, stamp.random, plain.as_bytes()));
        let signature = signature(&protection.token, &timestamp, &nonce);
        let mut query = vec![
            ("signature", signature),
            ("timestamp", timestamp.clone()),
            ("nonce", nonce.clone()),
            ("openid", PROBE_OPENID.to_owned()),
        ];
        let body = match &encrypted {
            None => plain,
            Some(encrypted) => {
                let signature = msg_signature(&protection.token, &timestamp, &nonce, encrypted);
                query.push(("encrypt_type", "aes".to_owned()));
                query.push(("msg_signature", signature));
                let plain_part = if protection.mode == Mode::Compatible { &*fields } else { "" };
                format!(
                    "<xml>{recipient}{plain_part}<Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
                )
            }
        };
        let query: Vec<_> = query.iter().map(|(name, value)| (*name, &**value)).collect();
        let mut request = Request::new(Method::POST, with_query(address, &query));
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        *request.body_mut() = Some(body.into());
        self.send_probe(request, |body| body.is_empty() || body == b"success").await
    }

    /// The `Date` header of WeChat's API, unchanged; `None` if there is none.
    pub async fn server_date(&self) -> Result<Option<String>, CallError> {
        let url = api_url(self.api_base(), Api::CallbackAddresses);
        let response = self.exchange(Request::new(Method::GET, url), &[]).await?;
        let date = response.headers.get(DATE).and_then(|date| date.to_str().ok());
        Ok(date.map(str::to_owned))
    }

    /// Sends a request with the headers of WeChat's own requests.
    async fn send_probe(
        &self,
        mut request: Request,
        is_expected: impl Fn(&[u8]) -> bool,
    ) -> Result<(), ProbeError> {
        *request.timeout_mut() = Some(PROBE_TIMEOUT);
        for (name, value) in [(USER_AGENT, "Mozilla/4.0"), (ACCEPT, "*/*"), (PRAGMA, "no-cache")] {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        let response = self.exchange(request, &[]).await.map_err(ProbeError::NoResponse)?;
        let ignored = response.headers.get(IGNORED).and_then(|code| code.to_str().ok());
        let ignored = ignored.filter(|code| is_code(code)).map(str::to_owned);
        let (status, body) = (response.status.as_u16(), response.body);
        match ignored {
            Some(code) => Err(ProbeError::UnexpectedResponse { status, code }),
            None if status == 200 && is_expected(&body) => Ok(()),
            None => Err(ProbeError::UnexpectedResponse { status, code: problem_code(&body) }),
        }
    }
}

impl ProbeStamp {
    fn timestamp_and_nonce(self) -> (String, String) {
        (self.now_ms.div_euclid(1000).to_string(), self.nonce.to_string())
    }
}

fn with_query(address: &Url, query: &[(&str, &str)]) -> Url {
    let mut url = address.clone();
    url.query_pairs_mut().extend_pairs(query);
    url
}

/// Header in which a gateway of ours says why it did not act on a push: a code.
const IGNORED: &str = "paihao-ignored";

/// Code of a refusal of ours. The rest of the response is not repeated.
fn problem_code(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Problem {
        code: String,
    }
    let code = serde_json::from_slice::<Problem>(body).map(|problem| problem.code);
    code.ok().filter(|code| is_code(code)).unwrap_or_default()
}

fn is_code(text: &str) -> bool {
    text.len() <= 40 && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::{AesKey, MessageKind};
    use crate::client::ClientOptions;
    use crate::secret::AppId;
    use axum::Router;
    use axum::extract::RawQuery;
    use axum::routing::get;
    use std::sync::Arc;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn a_push_is_one_that_its_account_opens_in_every_mode() {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let sender = Arc::new(sender);
        let app = Router::new().route(
            "/",
            get(|RawQuery(query): RawQuery| async move {
                CallbackQuery::parse(&query.unwrap()).unwrap().echostr.unwrap()
            })
            .post(move |RawQuery(query): RawQuery, body: String| async move {
                sender.send((query.unwrap(), body)).unwrap();
                "success"
            }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move { axum::serve(listener, app).await });

        let client = Client::new(ClientOptions::default()).unwrap();
        let stamp = ProbeStamp { now_ms: 1_700_000_000_123, nonce: 7, random: [9; 16] };
        let mut protection = Protection::plain(AppId("wx1".into()), CallbackToken::new("token"));
        protection.aes_key = AesKey::parse("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").ok();
        for mode in [Mode::Plain, Mode::Compatible, Mode::Secure] {
            protection.mode = mode;
            client.push_callback(&address, &protection, stamp).await.unwrap();
            let (query, body) = receiver.recv().await.unwrap();
            let query = CallbackQuery::parse(&query).unwrap();
            let opened = protection.open(&query, body.as_bytes(), 65_536).unwrap();
            assert!(matches!(opened.message.kind, MessageKind::Event(_)), "{mode:?}");
            assert_eq!(body.contains("paihao_doctor"), mode != Mode::Secure);
        }
        let token = &protection.token;
        assert_eq!(client.verify_callback(&address, token, true, stamp).await, Ok(()));
        // This address checks no signature, and a wrongly signed probe finds that out.
        assert_eq!(client.verify_callback(&address, token, false, stamp).await, Ok(()));
    }

    #[test]
    fn only_the_code_of_a_response_is_repeated() {
        assert_eq!(problem_code(br#"{"code":"wrong_signature","detail":"x"}"#), "wrong_signature");
        for other in ["", "<html>", r#"{"code":"Secret 12"}"#, "{}"] {
            assert_eq!(problem_code(other.as_bytes()), "", "{other}");
        }
    }
}
