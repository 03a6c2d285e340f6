//! Fault injection for API calls: error codes, delays, cut connections.

use std::time::Duration;

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::answers;
use crate::listener::PeerConnection;
use crate::world::SharedState;

/// Effect of a fault on a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Answers with an error code.
    Errcode {
        /// The code, such as -1 or 40001.
        errcode: i64,
        /// Text of the error; WeChat's text for the code if absent.
        #[serde(default)]
        errmsg: Option<String>,
    },
    /// Delays the call, or its answer if the fault comes after the call.
    Delay {
        /// Delay in milliseconds.
        ms: u64,
    },
    /// Cuts the connection without an answer.
    Drop,
    /// Answers with an HTTP status.
    Http {
        /// The status, such as 500.
        status: u16,
    },
    /// Answers with exactly this text and status 200.
    #[serde(rename = "says")]
    Text {
        /// Any text, JSON or not.
        text: String,
    },
}

/// Fault, with the calls that it applies to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The path of the call, or `*` for every path.
    pub path: String,
    /// Text that the query or the body has to contain, such as an openid.
    #[serde(default)]
    pub containing: Option<String>,
    /// Number of matching calls to leave alone first.
    #[serde(default)]
    pub skip: u64,
    /// Number of calls with the fault; `None` for all until the faults are cleared.
    #[serde(default)]
    pub times: Option<u64>,
    /// True if the call is carried out first, so that only its answer is affected.
    #[serde(default)]
    pub after: bool,
    /// Effect on the call.
    #[serde(flatten)]
    pub effect: Effect,
}

impl Fault {
    /// Creates a fault of every call of a path.
    pub fn new(path: &str, effect: Effect) -> Self {
        let path = path.to_owned();
        Self { path, containing: None, skip: 0, times: None, after: false, effect }
    }

    /// Creates a fault that answers with an error code.
    pub fn errcode(path: &str, errcode: i64) -> Self {
        Self::new(path, Effect::Errcode { errcode, errmsg: None })
    }

    /// Limits the fault to this number of calls.
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Leaves this number of calls alone first.
    pub fn skip(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// Limits the fault to calls that contain this text.
    pub fn containing(self, text: &str) -> Self {
        Self { containing: Some(text.to_owned()), ..self }
    }

    /// Lets the call be carried out, so that only its answer is affected.
    pub fn after(self) -> Self {
        Self { after: true, ..self }
    }
}

/// Active faults.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        self.0.lock().push(fault);
    }

    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.0.lock().clone()
    }

    fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Takes the fault for this call, the oldest if several match, and counts it.
    fn take_matching(&self, path: &str, text: &str) -> Option<Fault> {
        let mut faults = self.0.lock();
        let matching = |fault: &&mut Fault| {
            (fault.path == "*" || fault.path == path)
                && fault.containing.as_ref().is_none_or(|part| text.contains(part))
        };
        let mut chosen = None;
        for fault in faults.iter_mut().filter_map(|fault| Some(fault).filter(matching)) {
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            chosen = Some(fault.clone());
            fault.times = fault.times.map(|remaining| remaining.saturating_sub(1));
            break;
        }
        faults.retain(|fault| fault.times != Some(0));
        chosen
    }
}

/// Middleware of all WeChat API calls: counts them, delays them and injects faults.
pub(crate) async fn inject_faults(
    State(world): State<SharedState>,
    caller: Option<Extension<ConnectInfo<PeerConnection>>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    world.stats.count_call(&path);
    let latency = world.behaviour.lock().latency;
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    if world.is_refusing() {
        return cut_connection(caller);
    }
    let dirty = world.behaviour.lock().dirty;
    if world.faults.is_empty() {
        let response = next.run(request).await;
        return if dirty { corrupt_json(response).await } else { response };
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, 1 << 20).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let query = parts.uri.query().unwrap_or_default();
    let text = format!("{query}\n{}", String::from_utf8_lossy(&body));
    let fault = world.faults.take_matching(&path, &text);
    let request = Request::from_parts(parts, Body::from(body));
    let Some(fault) = fault else {
        let response = next.run(request).await;
        return if dirty { corrupt_json(response).await } else { response };
    };
    world.stats.count_fault();
    let delay = match fault.effect {
        Effect::Delay { ms } => Duration::from_millis(ms),
        _ => Duration::ZERO,
    };
    let response = if fault.after || !delay.is_zero() {
        if !fault.after {
            tokio::time::sleep(delay).await;
        }
        let response = next.run(request).await;
        if fault.after {
            tokio::time::sleep(delay).await;
        }
        Some(response)
    } else {
        None
    };
    match (fault.effect, response) {
        (Effect::Delay { .. }, Some(response)) => response,
        (Effect::Errcode { errcode, errmsg: Some(text) }, _) => {
            answers::refusal_with_text(errcode, &text)
        }
        (Effect::Errcode { errcode, errmsg: None }, _) => answers::refusal(errcode),
        (Effect::Http { status }, _) => StatusCode::from_u16(status)
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            .into_response(),
        (Effect::Text { text }, _) => {
            ([(CONTENT_TYPE, "application/json; encoding=utf-8")], text).into_response()
        }
        (Effect::Drop | Effect::Delay { .. }, _) => cut_connection(caller),
    }
}

/// Prefix of a corrupted JSON response: control characters, an escape that JSON does not have, a
/// line feed, and bytes that are not UTF-8.
const JSON_CORRUPTION: &[u8] = b"{\"nickname\":\"a\x14\x08b\nc\\x0a\xff\xe5\x8f\",";

/// Corrupts a JSON response.
async fn corrupt_json(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, 4 << 20).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let Some(tail) = body.strip_prefix(b"{").filter(|tail| tail.starts_with(b"\"")) else {
        return Response::from_parts(parts, Body::from(body));
    };
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from([JSON_CORRUPTION, tail].concat()))
}

/// Cuts the caller's connection; the returned response is never received.
fn cut_connection(caller: Option<Extension<ConnectInfo<PeerConnection>>>) -> Response {
    if let Some(Extension(ConnectInfo(caller))) = caller {
        caller.cut();
    }
    StatusCode::BAD_GATEWAY.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_count_skip_and_choose_by_content() {
        let faults = Faults::default();
        faults.add(Fault::errcode("/a", 1).times(2).skip(1));
        faults.add(Fault::errcode("*", 2).containing("oB"));
        let hit = |path: &str, text: &str| match faults.take_matching(path, text)?.effect {
            Effect::Errcode { errcode, .. } => Some(errcode),
            _ => None,
        };
        assert_eq!(hit("/a", ""), None, "skipped");
        assert_eq!(hit("/b", ""), None);
        assert_eq!(hit("/b", "touser oB"), Some(2));
        assert_eq!(hit("/a", ""), Some(1));
        assert_eq!(hit("/a", ""), Some(1));
        assert_eq!(hit("/a", ""), None, "used up");
        assert_eq!(faults.list().len(), 1);
    }

    #[test]
    fn a_fault_reads_from_json() {
        let fault: Fault =
            serde_json::from_str(r#"{"path":"/cgi-bin/token","times":3,"effect":"drop"}"#).unwrap();
        assert_eq!(fault, Fault::new("/cgi-bin/token", Effect::Drop).times(3));
        let code = r#"{"path":"*","effect":"errcode","errcode":-1}"#;
        assert_eq!(serde_json::from_str::<Fault>(code).unwrap(), Fault::errcode("*", -1));
    }
}
