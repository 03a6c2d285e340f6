//! Reasons of failures: a name by which letters are grouped, and advice for the people who operate
//! the system.

use paihao_contracts::streams::{NOTICES, WEBHOOKS};
use paihao_wechat::codes::RETURN_CODES;

/// Reason of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FailureReason {
    /// Name of WeChat's code (docs/reference/wechat-codes.md), or one of this system's.
    pub(crate) name: &'static str,
    /// Advice in Chinese.
    pub(crate) zh: &'static str,
    /// Advice in English.
    pub(crate) en: &'static str,
}

const fn reason(name: &'static str, zh: &'static str, en: &'static str) -> FailureReason {
    FailureReason { name, zh, en }
}

const TEMPLATE_NOT_BOUND: FailureReason = reason(
    "not_bound",
    "公众号没有为这种通知绑定模板",
    "No template is bound for this kind of notice",
);
const TEMPLATE_MISMATCH: FailureReason = reason(
    "does_not_fit",
    "内容与模板的字段不符，请修改模板字段",
    "The words do not fit the template's fields: change them",
);
const NO_CHANNEL: FailureReason =
    reason("no_channel", "公众号没有可用的通知方式", "The account has no channel for this notice");
const WEBHOOK_NOT_ACCEPTED: FailureReason = reason(
    "webhook_not_taken",
    "对方系统一天内都没有接收",
    "The other system did not take it for a day",
);
const UNREADABLE: FailureReason =
    reason("unreadable", "程序读不懂这条内容", "This program cannot read what it holds");
const OTHER: FailureReason = reason("other", "其他原因，见详情", "Something else: see the details");

/// Advice in Chinese on the codes that occur here; the others have a general text.
const ADVICE_ZH: &[(&str, &str)] = &[
    ("template_unknown", "模板不存在或已被删除，请重新选择模板"),
    ("template_id_size", "模板 ID 不完整，请检查"),
    ("template_keywords", "请在微信后台重新选择模板关键词"),
    ("template_category", "模板不属于公众号的类目，请重新选择"),
    ("template_banned", "模板已被微信封禁，请换一个"),
    ("template_withdrawn", "模板已被微信收回，请换一个"),
    ("templates_banned", "公众号的模板已被微信收回，请查看后台通知"),
    ("marketing_forbidden", "模板内容被认为是营销，请修改"),
    ("wrong_argument", "内容与模板的字段不符，请修改模板字段"),
    ("wrong_openid", "顾客属于另一个公众号，请检查门店绑定"),
    ("unauthorized", "公众号没有这项权限，需要认证的服务号"),
    ("api_forbidden", "接口已被微信封禁，请查看后台通知"),
    ("account_limited", "公众号功能受限，请查看后台通知"),
    ("address_not_listed", "服务器地址不在 IP 白名单，请在微信后台添加"),
    ("wrong_secret", "AppSecret 不对，请检查配置"),
    ("daily_quota", "今天的调用次数已用完"),
];

impl FailureReason {
    /// Classifies the error with which a worker gave up work of this origin.
    pub(crate) fn classify(origin: &str, error: &str) -> FailureReason {
        let has = |text: &str| error.contains(text);
        // Error texts contain WeChat's code and its name, with a colon after them.
        let code = RETURN_CODES.iter().find(|row| has(&format!("{} {}: ", row.code, row.name)));
        match code {
            Some(row) => {
                let advice = ADVICE_ZH.iter().find(|(name, _)| *name == row.name);
                let zh = advice.map_or("微信拒绝了，原因见详情", |(_, zh)| zh);
                FailureReason { name: row.name, zh, en: row.advice }
            }
            None if has("known form") => UNREADABLE,
            None if origin == WEBHOOKS.name => WEBHOOK_NOT_ACCEPTED,
            None if origin != NOTICES.name => OTHER,
            None if has("is bound for") => TEMPLATE_NOT_BOUND,
            None if has("does not fit") => TEMPLATE_MISMATCH,
            None if has("has no channel") => NO_CHANNEL,
            None => OTHER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_notice_text::render::Unrenderable;
    use paihao_wechat::codes::FailureClass;
    use paihao_wechat::{CallError, Refusal};

    #[test]
    fn what_is_met_has_a_name_that_stays() {
        let sentence = "invalid template_id".to_owned();
        let refusal = Refusal {
            code: 40037,
            name: "template_unknown",
            class: FailureClass::Configuration,
            sentence,
        };
        let refused = CallError::Refused(refusal).to_string();
        let unbound = Unrenderable::Unbound("called", "shop".to_owned()).to_string();
        let misfit =
            Unrenderable::InvalidText("called", "thing1 is too long".to_owned()).to_string();
        for (origin, error, name) in [
            (
                "notices",
                format!("template: {refused}; subscription: {unbound}"),
                "template_unknown",
            ),
            ("notices", format!("template: {unbound}"), "not_bound"),
            ("notices", format!("template: {misfit}"), "does_not_fit"),
            ("notices", "account shop has no channel for \"called\"".to_owned(), "no_channel"),
            ("notices", "not a notice of a known form: eof".to_owned(), "unreadable"),
            ("webhooks", "not taken for 24 hours: 500".to_owned(), "webhook_not_taken"),
            ("ledger", "strange".to_owned(), "other"),
        ] {
            assert_eq!(FailureReason::classify(origin, &error).name, name, "{error}");
        }
    }

    #[test]
    fn every_chinese_sentence_is_of_a_code_that_there_is() {
        for (name, _) in ADVICE_ZH {
            assert!(RETURN_CODES.iter().any(|row| row.name == *name), "{name}");
        }
    }
}
