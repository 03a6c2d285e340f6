//! Faults of callbacks, the warnings about them, and the record of the latest.
//!
//! What is not signed by WeChat is refused. What is signed and cannot be acted on is answered
//! `success`: WeChat counts every other answer against the account, and after a few of them pushes
//! nothing to it for a minute.

use crate::http::refusals::{self, Problem, ProblemKind};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use paihao_contracts::callback_faults::FaultCount;
use paihao_wechat::callback::CallbackError;
use parking_lot::Mutex;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Header of the answer to a push that was not acted on: the code of the cause.
const IGNORED: HeaderName = HeaderName::from_static("paihao-ignored");

/// Shortest time between two warnings about one cause at one account.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Account of callbacks to an address that names no account of ours.
pub(crate) const NO_ACCOUNT: &str = "unknown";

/// Cause for which a callback is not acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CallbackFault {
    UnknownAccount,
    BadQuery,
    WrongSignature,
    Stale,
    Encrypted,
    NotEncrypted,
    Undecipherable,
    Malformed,
    Misdated,
    TooLarge,
    SlowBody,
}

impl CallbackFault {
    const ALL: [CallbackFault; 11] = [
        CallbackFault::UnknownAccount,
        CallbackFault::BadQuery,
        CallbackFault::WrongSignature,
        CallbackFault::Stale,
        CallbackFault::Encrypted,
        CallbackFault::NotEncrypted,
        CallbackFault::Undecipherable,
        CallbackFault::Malformed,
        CallbackFault::Misdated,
        CallbackFault::TooLarge,
        CallbackFault::SlowBody,
    ];

    /// Code of the cause, as in docs/reference/callbacks.md.
    pub(crate) fn code(self) -> &'static str {
        match self {
            CallbackFault::UnknownAccount => refusals::UNKNOWN_ACCOUNT.code,
            CallbackFault::BadQuery => refusals::BAD_CALLBACK_QUERY.code,
            CallbackFault::WrongSignature => refusals::WRONG_SIGNATURE.code,
            CallbackFault::Stale => refusals::STALE_CALLBACK.code,
            CallbackFault::Encrypted => "encrypted_callback",
            CallbackFault::NotEncrypted => "plain_callback",
            CallbackFault::Undecipherable => "undecipherable_callback",
            CallbackFault::Malformed => "malformed_xml",
            CallbackFault::Misdated => "misdated_callback",
            CallbackFault::TooLarge => refusals::BODY_TOO_LARGE.code,
            CallbackFault::SlowBody => "slow_body",
        }
    }

    /// Refusal of a callback that WeChat did not sign; `None` if it did.
    fn refusal(self) -> Option<&'static ProblemKind> {
        match self {
            CallbackFault::UnknownAccount => Some(&refusals::UNKNOWN_ACCOUNT),
            CallbackFault::BadQuery => Some(&refusals::BAD_CALLBACK_QUERY),
            CallbackFault::WrongSignature => Some(&refusals::WRONG_SIGNATURE),
            CallbackFault::Stale => Some(&refusals::STALE_CALLBACK),
            CallbackFault::Encrypted
            | CallbackFault::NotEncrypted
            | CallbackFault::Undecipherable
            | CallbackFault::Malformed
            | CallbackFault::Misdated
            | CallbackFault::TooLarge
            | CallbackFault::SlowBody => None,
        }
    }

    /// Texts for people.
    pub(crate) fn texts(self) -> FaultTexts {
        let of_refusal = |kind: &ProblemKind| [kind.zh, kind.en];
        let (title, advice) = match self {
            CallbackFault::UnknownAccount => (
                [
                    "推送地址的末尾不是这里的任何公众号",
                    "The address of a push names no account of this system",
                ],
                [
                    "公众号后台里服务器地址的末尾要与这里的公众号代号一致",
                    "the address in WeChat's console ends in another name than that of an account here",
                ],
            ),
            CallbackFault::BadQuery => (
                of_refusal(&refusals::BAD_CALLBACK_QUERY),
                [
                    "不是微信的请求，微信的请求都有签名：不用处理",
                    "not a request of WeChat's, which signs each: nothing to do",
                ],
            ),
            CallbackFault::WrongSignature => (
                of_refusal(&refusals::WRONG_SIGNATURE),
                [
                    "如果公众号后台提示「Token验证失败」，或扫码没有回复，callback_token 与后台的 Token 不一致：把 Token 再复制一次，找不到了就在「公众号连接」里换一个",
                    "if WeChat's console refuses the Token, or scans are not answered, callback_token differs from the Token there: copy the Token once more, or make another under “Accounts” if it is lost",
                ],
            ),
            CallbackFault::Stale => (
                of_refusal(&refusals::STALE_CALLBACK),
                [
                    "这台服务器的时钟不准（用 NTP 校时），或有人重发了以前的推送",
                    "the clock of this machine is wrong (set it by NTP), or an old callback was sent again",
                ],
            ),
            CallbackFault::Encrypted => (
                ["推送是加密的", "The push is encrypted"],
                [
                    "公众号后台选的是安全模式：这里也设安全模式（mode = \"secure\" 和 aes_key），或在后台改为明文模式",
                    "WeChat's console is in secure mode: set secure mode here too (mode = \"secure\" and aes_key), or plain mode there",
                ],
            ),
            CallbackFault::NotEncrypted => (
                ["推送没有加密", "The push is not encrypted"],
                [
                    "公众号后台选的是明文模式：在后台改为安全模式，或这里也设明文模式（mode = \"plain\"）",
                    "WeChat's console is in plain mode: choose secure mode there, or set plain mode here too (mode = \"plain\")",
                ],
            ),
            CallbackFault::Undecipherable => (
                ["推送解不开", "The push cannot be deciphered"],
                [
                    "aes_key 或 appid 与公众号后台的不一致：把 EncodingAESKey 的 43 个字符再复制一次，找不到了就在「公众号连接」里换一个",
                    "aes_key or appid are not those of WeChat's console: copy the 43 characters of the EncodingAESKey once more, or make another under “Accounts” if it is lost",
                ],
            ),
            CallbackFault::Malformed => (
                ["推送的内容读不懂", "The push cannot be read"],
                ["它不是推送的 XML；请反馈给我们", "it is not the XML of a push; please report it"],
            ),
            CallbackFault::Misdated => (
                [
                    "推送的时间和签名的时间相差太远",
                    "The push was created at another time than it was signed",
                ],
                [
                    "有人可能重发了以前的推送；如果是微信发的，请反馈给我们",
                    "somebody may have sent an old push again; if it is WeChat's own, please report it",
                ],
            ),
            CallbackFault::TooLarge => (
                of_refusal(&refusals::BODY_TOO_LARGE),
                [
                    "比微信的任何推送都大；请反馈给我们",
                    "it is larger than any push of WeChat's; please report it",
                ],
            ),
            CallbackFault::SlowBody => (
                ["推送的内容到得太慢", "The push arrived too slowly"],
                [
                    "内容没有及时到达：检查网络和前面的代理",
                    "its body did not arrive in time: look at the network and the proxy in front",
                ],
            ),
        };
        FaultTexts { title, advice }
    }

    /// Fault with this code.
    pub(crate) fn of_code(code: &str) -> Option<CallbackFault> {
        CallbackFault::ALL.into_iter().find(|fault| fault.code() == code)
    }
}

/// Texts about a cause, in Chinese and in English.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FaultTexts {
    pub(crate) title: [&'static str; 2],
    /// Advice to the operator.
    pub(crate) advice: [&'static str; 2],
}

impl From<CallbackError> for CallbackFault {
    fn from(error: CallbackError) -> CallbackFault {
        match error {
            CallbackError::WrongSignature => CallbackFault::WrongSignature,
            CallbackError::Encrypted => CallbackFault::Encrypted,
            CallbackError::NotEncrypted => CallbackFault::NotEncrypted,
            CallbackError::Undecipherable => CallbackFault::Undecipherable,
            CallbackError::Xml(_) => CallbackFault::Malformed,
        }
    }
}

/// Faults of one cause at one account since this replica started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct CallbackFaultSummary {
    /// Name of the account; `unknown` for addresses without one.
    account: String,
    code: &'static str,
    count: u64,
    /// Time of the newest, in Unix milliseconds.
    last_at: i64,
    /// Advice in Chinese.
    advice: &'static str,
    advice_en: &'static str,
}

/// Route of the admin port with the faults of this replica.
pub(crate) fn routes(faults: Arc<CallbackFaults>) -> Router {
    Router::new().route("/callback-faults", get(async move || Json(faults.summaries())))
}

/// Address and time of a callback.
pub(super) struct CallbackOrigin<'a> {
    pub(super) account: &'a str,
    /// True if it says that the doctor sent it, whose probes are not told as faults lately.
    pub(super) is_probe: bool,
    /// Unix milliseconds.
    pub(super) now_ms: i64,
}

/// Record of the faults of each account, and limiter of the warnings about them.
#[derive(Default)]
pub(crate) struct CallbackFaults {
    records: Mutex<BTreeMap<(String, CallbackFault), FaultRecord>>,
    /// Notified of faults that are to be shared.
    pub(super) unshared: Notify,
}

#[derive(Default)]
struct FaultRecord {
    count: u64,
    last_at: i64,
    warned_at: Option<Instant>,
    /// Faults since the last warning.
    unwarned_count: u64,
    /// Faults that are not shared with the other gateways yet.
    unshared: Option<FaultCount>,
}

impl CallbackFaults {
    /// Counts a fault, warns of it, and answers it.
    pub(super) fn answer(
        &self,
        origin: &CallbackOrigin<'_>,
        fault: CallbackFault,
        detail: impl ToString,
    ) -> Result<Response, Problem> {
        let (account, code) = (origin.account, fault.code());
        metrics::counter!(
            "paihao_gateway_callback_faults_total", "account" => account.to_owned(), "code" => code
        )
        .increment(1);
        if let Some(count) = self.record(origin, fault, Instant::now()) {
            let [_, advice] = fault.texts().advice;
            tracing::warn!(account, code, count, advice, "callbacks were not acted on");
        }
        match fault.refusal() {
            Some(refusal) => {
                let detail = detail.to_string();
                let problem = Problem::new(refusal);
                Err(if detail.is_empty() { problem } else { problem.with_detail(detail) })
            }
            None => Ok(([(IGNORED, HeaderValue::from_static(code))], "success").into_response()),
        }
    }

    /// Answers a callback to an address that names no account. The name is not recorded: anybody
    /// can make up any number of them.
    pub(super) fn answer_unknown_account(&self, now_ms: i64) -> Result<Response, Problem> {
        let origin = CallbackOrigin { account: NO_ACCOUNT, is_probe: false, now_ms };
        self.answer(&origin, CallbackFault::UnknownAccount, "")
    }

    /// Returns what was not acted on since the start, by account and cause.
    fn summaries(&self) -> Vec<CallbackFaultSummary> {
        let records = self.records.lock();
        let told = records.iter().filter(|(_, record)| record.count > 0);
        let summaries = told.map(|((account, fault), record)| {
            let [advice, advice_en] = fault.texts().advice;
            CallbackFaultSummary {
                account: account.clone(),
                code: fault.code(),
                count: record.count,
                last_at: record.last_at,
                advice,
                advice_en,
            }
        });
        summaries.collect()
    }

    /// Returns the faults of each account that are not shared yet, by code.
    pub(super) fn unshared(&self) -> BTreeMap<String, Vec<(&'static str, FaultCount)>> {
        let mut unshared = BTreeMap::<String, Vec<_>>::new();
        for ((account, fault), record) in &*self.records.lock() {
            if let Some(count) = record.unshared {
                unshared.entry(account.clone()).or_default().push((fault.code(), count));
            }
        }
        unshared
    }

    /// Notes that these faults of an account are shared. Those that came meanwhile are not.
    pub(super) fn mark_shared(&self, account: &str, shared: &[(&'static str, FaultCount)]) {
        for ((of, fault), record) in &mut *self.records.lock() {
            let shared = shared.iter().find(|(code, _)| of == account && *code == fault.code());
            if let (Some((_, shared)), Some(unshared)) = (shared, &mut record.unshared) {
                unshared.count -= shared.count;
                unshared.since = shared.last_at;
                record.unshared = record.unshared.filter(|left| left.count > 0);
            }
        }
    }

    /// Records a fault. Returns the number to warn of now, `None` within [`WARNING_INTERVAL`].
    fn record(
        &self,
        origin: &CallbackOrigin<'_>,
        fault: CallbackFault,
        now: Instant,
    ) -> Option<u64> {
        let mut records = self.records.lock();
        let record = records.entry((origin.account.to_owned(), fault)).or_default();
        if !origin.is_probe {
            let one = FaultCount::one(origin.now_ms);
            record.count += 1;
            record.last_at = origin.now_ms;
            record.unshared = Some(record.unshared.map_or(one, |earlier| earlier.plus(one)));
            self.unshared.notify_one();
        }
        record.unwarned_count += 1;
        let is_due = record.warned_at.is_none_or(|at| now - at >= WARNING_INTERVAL);
        is_due.then(|| {
            record.warned_at = Some(now);
            std::mem::take(&mut record.unwarned_count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_comes_once_a_minute_for_each_account_and_cause() {
        let faults = CallbackFaults::default();
        let start = Instant::now();
        let at = |account, fault, seconds| {
            let origin = CallbackOrigin { account, is_probe: false, now_ms: seconds as i64 * 1000 };
            faults.record(&origin, fault, start + Duration::from_secs(seconds))
        };
        let probe = CallbackOrigin { account: "probed", is_probe: true, now_ms: 0 };
        assert_eq!(faults.record(&probe, CallbackFault::WrongSignature, start), Some(1));
        assert_eq!(at("shop", CallbackFault::Stale, 0), Some(1));
        assert_eq!(at("shop", CallbackFault::Stale, 1), None);
        assert_eq!(at("shop", CallbackFault::WrongSignature, 1), Some(1));
        assert_eq!(at("other", CallbackFault::Stale, 1), Some(1));
        assert_eq!(at("shop", CallbackFault::Stale, 59), None);
        assert_eq!(at("shop", CallbackFault::Stale, 60), Some(3));
        let summaries = faults.summaries();
        let shown: Vec<_> = summaries
            .iter()
            .map(|summary| (&*summary.account, summary.code, summary.count, summary.last_at))
            .collect();
        assert_eq!(
            shown,
            [
                ("other", "stale_callback", 1, 1000),
                ("shop", "wrong_signature", 1, 1000),
                ("shop", "stale_callback", 4, 60_000),
            ]
        );
    }
}
