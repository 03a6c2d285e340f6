//! Classification of WeChat's refusals as findings.

use super::report::Finding;
use super::{finding, findings};
use paihao_wechat::{CallError, FailureClass};

/// WeChat's code for an API that the account may not call.
pub(super) const FORBIDDEN_API: i64 = 48001;

/// Finding for a failed call, with WeChat's error code and message if it responded. `otherwise` is
/// the kind for codes that concern the credentials or the token.
pub(super) fn refusal_finding(
    name: &str,
    call: &str,
    error: &CallError,
    otherwise: &'static findings::FindingKind,
) -> Finding {
    let CallError::Refused(refusal) = error else {
        return finding(name, findings::WECHAT_UNREACHABLE, format!("{call}: {error}"));
    };
    let kind = match (refusal.code, refusal.class) {
        (40164, _) => findings::ADDRESS_NOT_LISTED,
        (FORBIDDEN_API, _) => findings::CALL_NOT_PERMITTED,
        (40001 | 40013 | 40125 | 40243 | 41002 | 41004, FailureClass::Configuration) => otherwise,
        (_, FailureClass::InvalidToken) => otherwise,
        _ => findings::WECHAT_REFUSED,
    };
    finding(name, kind, format!("{call}: {refusal} ({})", refusal.advice()))
}
