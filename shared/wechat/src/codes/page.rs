//! The table of return codes as the page of the documentation that people read.

use super::{Code, Meaning, Place, TABLE, UNKNOWN};
use std::fmt::Write;

const HEAD: &str = "\
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

A call that paihao itself holds back (a limit, a used-up budget, an open circuit) means *later*.
Where a code means different things to different calls, *with* says to which:
*secret* are `token`, `stable_token`, `sns/oauth2/access_token` and `clear_quota/v2`; *token* are
the calls with an access token; *page* is shown to a person on WeChat's authorisation page.

| code | with | name | meaning | what to do |
|---|---|---|---|---|
";

/// The page, in Markdown.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for row in TABLE {
        line(&mut page, &row.code.to_string(), row);
    }
    line(&mut page, "any other", &UNKNOWN);
    page
}

fn line(page: &mut String, code: &str, row: &Code) {
    let place = match row.place {
        Place::Secret => "secret",
        Place::Call => "token",
        Place::Anywhere => "both",
        Place::Page => "page",
    };
    let meaning = match row.meaning {
        Meaning::Token => "token".to_owned(),
        Meaning::Later(None) => "later".to_owned(),
        Meaning::Later(Some(wait)) => format!("later, after {} s", wait.as_secs()),
        Meaning::User => "user".to_owned(),
        Meaning::Ours => "ours".to_owned(),
        Meaning::Never => "never".to_owned(),
    };
    // Writing into a String cannot fail.
    let _ = writeln!(page, "| {code} | {place} | `{}` | {meaning} | {} |", row.name, row.advice);
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_documentation_is_what_the_table_says() {
        let documented = include_str!("../../../../docs/reference/wechat-codes.md");
        assert!(
            documented == super::page(),
            "write it again: cargo run -p paihao-wechat --example codes > docs/reference/wechat-codes.md"
        );
    }
}
