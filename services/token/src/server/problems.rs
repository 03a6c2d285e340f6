//! Catalogue of the token server's problem kinds: a stable code, a sentence in two languages, the
//! meaning.
//!
//! `docs/guide/token-server.md` has the same table in words; a test compares the two.

use paihao_http_api::problem_kinds;

problem_kinds! {
    counter: "paihao_token_server_refusals_total";
    UNAUTHORISED = "unauthorised", UNAUTHORIZED, "需要密钥", "A key is needed",
        "The Authorization header is missing, or its bearer key is unknown.";
    NOT_YOUR_ACCOUNT = "not_your_account", FORBIDDEN, "此密钥不能读取这个公众号", "This key does not open this account",
        "The key is valid, but the configuration does not give it this account.";
    UNKNOWN_ACCOUNT = "unknown_account", NOT_FOUND, "没有这个公众号", "There is no such account",
        "The account is not kept here any more.";
    MALFORMED = "malformed_request", BAD_REQUEST, "请求内容不对", "The request is malformed",
        "A report is the JSON object {\"access_token\": \"...\"} with the token that WeChat refused.";
    TOO_LARGE = "body_too_large", PAYLOAD_TOO_LARGE, "内容太大", "The body is too large",
        "A report has at most 4096 bytes.";
    TOO_OFTEN = "too_many_requests", TOO_MANY_REQUESTS, "请求太频繁", "Too many requests",
        "This key has used up its minute. Retry-After says when it may ask again; keep the token instead of asking for every call.";
    NO_TOKEN = "no_token", SERVICE_UNAVAILABLE, "暂时没有可用的 access_token", "There is no usable token right now",
        "WeChat issues none, or refuses the current one and there is no newer one yet. Retry-After says when to ask again; the token service's log says why.";
    WRONG_METHOD = "method_not_allowed", METHOD_NOT_ALLOWED, "请求方法不对", "The method is wrong",
        "GET reads a token, POST reports a refused one.";
    UNKNOWN_PATH = "unknown_path", NOT_FOUND, "没有这个地址", "There is no such address",
        "The addresses are /token/{account}, /token/{account}/refused and /openapi.json.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_documentation_is_this_table() {
        let documented = include_str!("../../../../docs/guide/token-server.md");
        let codes: BTreeSet<_> = ALL.iter().map(|kind| kind.code).collect();
        assert_eq!(codes.len(), ALL.len(), "every code is unique");
        for kind in ALL {
            let status = kind.status.as_u16();
            let meaning = kind.meaning;
            let row =
                format!("| `{}` | {status} | {} / {} | {meaning} |", kind.code, kind.zh, kind.en);
            assert!(documented.contains(&row), "docs/guide/token-server.md lacks this row:\n{row}");
        }
        let rows = documented.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(
            rows,
            ALL.len(),
            "docs/guide/token-server.md has rows that the program does not know"
        );
    }
}
