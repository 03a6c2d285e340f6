//! Documentation page of the return codes.

use super::{CodeScope, FailureClass, RETURN_CODES, ReturnCode, UNKNOWN, UNKNOWN_LATER};
use std::fmt::Write;

const PAGE_HEADER: &str = "\
# WeChat's return codes

What WeChat's `errcode` means to paihao, and what to do about it. This page is written by the
program from the table that it decides by:

    cargo run -p paihao-wechat --example codes > docs/reference/wechat-codes.md

Codes decide, sentences never do: WeChat changes them. An answer without `errcode` is a success.

| meaning | what the program does |
|---|---|
| token | reports the access token as refused and tries once more with another |
| later | tries again, after the wait if one is given; the caller bounds how often and how long |
| user | stops sending to this person |
| ours | stops, and says so in the log and the metrics until somebody acts |
| never | gives this very call up; others go on |
| unknown | a notice goes to its next channel at once; what has no other way is tried again after the wait |

A call that paihao itself holds back (a limit, a used-up budget, an open circuit) means *later*.
Where a code means different things to different calls, *with* says to which:
*secret* are `token`, `stable_token`, `sns/oauth2/access_token` and `clear_quota/v2`; *token* are
the calls with an access token; *page* is shown to a person on WeChat's authorisation page.

| code | with | name | meaning | what to do |
|---|---|---|---|---|
";

/// Renders the page in Markdown.
pub fn markdown_page() -> String {
    let mut page = PAGE_HEADER.to_owned();
    for row in RETURN_CODES {
        push_row(&mut page, &row.code.to_string(), row);
    }
    push_row(&mut page, "any other below 0 or from 45000 to 45999", &UNKNOWN_LATER);
    push_row(&mut page, "any other", &UNKNOWN);
    page
}

fn push_row(page: &mut String, code: &str, row: &ReturnCode) {
    let scope = match row.scope {
        CodeScope::Secret => "secret",
        CodeScope::Call => "token",
        CodeScope::Anywhere => "both",
        CodeScope::Page => "page",
    };
    let meaning = match row.class {
        FailureClass::InvalidToken => "token".to_owned(),
        FailureClass::RetryLater(None) => "later".to_owned(),
        FailureClass::RetryLater(Some(wait)) => format!("later, after {} s", wait.as_secs()),
        FailureClass::Recipient => "user".to_owned(),
        FailureClass::Configuration => "ours".to_owned(),
        FailureClass::Permanent => "never".to_owned(),
        FailureClass::Unknown(wait) => format!("unknown, after {} s", wait.as_secs()),
    };
    // Writing into a String cannot fail.
    let _ = writeln!(page, "| {code} | {scope} | `{}` | {meaning} | {} |", row.name, row.advice);
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_documentation_page_matches_the_table() {
        let documented = include_str!("../../../../docs/reference/wechat-codes.md");
        assert!(
            documented == super::markdown_page(),
            "write it again: cargo run -p paihao-wechat --example codes > docs/reference/wechat-codes.md"
        );
    }
}
