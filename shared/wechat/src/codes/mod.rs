//! WeChat's return codes: the name, the meaning to us and what to do.

mod page;
mod table;

pub use page::markdown_page;
pub use table::RETURN_CODES;

use std::time::Duration;

/// What a refusal means to whoever made the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// The access token is bad: get another and try once more.
    InvalidToken,
    /// Not now: try again, after this long at the earliest if WeChat is known to want that.
    RetryLater(Option<Duration>),
    /// The person does not want, or cannot get, messages of this account: stop sending them any.
    Recipient,
    /// Our configuration, account or program is wrong: no retry helps until somebody acts.
    Configuration,
    /// This very call will never work; others may.
    Permanent,
}

/// Which calls a row of the table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeScope {
    /// Calls that carry the account's secret: `token`, `stable_token`, `sns/oauth2/access_token`
    /// and `clear_quota/v2`.
    Secret,
    /// Calls that carry an access token.
    Call,
    /// Both.
    Anywhere,
    /// The page on which a person lets a web page know who they are; shown there, never answered
    /// to a call.
    Page,
}

/// One return code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReturnCode {
    /// WeChat's `errcode`.
    pub code: i64,
    /// Where this row holds.
    pub scope: CodeScope,
    /// Our name of it, fit for a metric label.
    pub name: &'static str,
    /// What it means to us.
    pub class: FailureClass,
    /// What to do about it, for the operator.
    pub advice: &'static str,
}

/// WeChat is busy.
pub const BUSY: i64 = -1;
/// The same message went to this person less than 60 s ago: it counts as already sent.
pub const DUPLICATE_WITHIN_60S: i64 = 40241;
/// The day's calls of an API are used up.
pub const DAILY_QUOTA: i64 = 45009;
/// The minute's calls are used up.
pub const MINUTE_QUOTA: i64 = 45011;

/// A code that is not in the table: later. The call did nothing, so trying it again is safe, every
/// caller bounds how often and how long it tries, and a "your turn" lost to a code nobody knew is
/// worse than a few calls in vain.
pub const UNKNOWN: ReturnCode = ReturnCode {
    code: i64::MIN,
    scope: CodeScope::Anywhere,
    name: "unknown",
    class: FailureClass::RetryLater(Some(Duration::from_secs(30))),
    advice: "look the code up in WeChat's documentation and add it to the table",
};

/// The row for a code returned at `scope`, [`UNKNOWN`] if there is none.
pub fn lookup(code: i64, place: CodeScope) -> &'static ReturnCode {
    let anywhere = |row: &ReturnCode| row.scope == CodeScope::Anywhere && place != CodeScope::Page;
    RETURN_CODES
        .iter()
        .find(|row| row.code == code && (row.scope == place || anywhere(row)))
        .unwrap_or(&UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_no_code_has_two_meanings_in_one_place() {
        for pair in RETURN_CODES.windows(2) {
            let (one, next) = (pair[0], pair[1]);
            let apart = one.scope != next.scope
                && one.scope != CodeScope::Anywhere
                && next.scope != CodeScope::Anywhere;
            assert!(one.code < next.code || (one.code == next.code && apart), "{pair:?}");
        }
    }

    #[test]
    fn every_row_can_be_read_and_used_as_a_label() {
        for row in RETURN_CODES {
            let fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(!row.name.is_empty() && row.name.chars().all(fit), "{row:?}");
            assert!(row.advice.len() > 10 && !row.advice.contains('|'), "{row:?}");
        }
    }

    #[test]
    fn exactly_three_codes_ask_for_another_token() {
        let token: Vec<i64> = RETURN_CODES
            .iter()
            .filter(|row| row.class == FailureClass::InvalidToken)
            .map(|row| row.code)
            .collect();
        assert_eq!(token, [40001, 40014, 42001]);
    }

    #[test]
    fn a_code_means_what_its_place_makes_of_it() {
        assert_eq!(lookup(40001, CodeScope::Secret).class, FailureClass::Configuration);
        assert_eq!(lookup(40001, CodeScope::Call).class, FailureClass::InvalidToken);
        assert_eq!(lookup(45009, CodeScope::Call).name, "daily_quota");
        assert_eq!(lookup(10003, CodeScope::Call), &UNKNOWN, "never answered to a call");
        assert_eq!(lookup(45009, CodeScope::Page), &UNKNOWN);
        assert_eq!(lookup(99999, CodeScope::Call), &UNKNOWN);
    }

    /// Every code that public documents and reports name for the calls we make, and for the
    /// calls an operator makes beside us.
    #[test]
    fn every_code_we_have_heard_of_is_in_the_table() {
        let heard = [
            -1, 40001, 40002, 40003, 40008, 40013, 40014, 40029, 40030, 40033, 40036, 40037, 40039,
            40052, 40053, 40125, 40163, 40164, 40200, 40241, 40243, 40246, 40247, 40249, 41001,
            41002, 41004, 41008, 41030, 42001, 42002, 42003, 43002, 43004, 43019, 43101, 43116,
            43117, 45008, 45009, 45011, 45015, 45047, 45065, 45066, 45067, 45072, 45080, 45081,
            46004, 47001, 47003, 48001, 48002, 48004, 48006, 48008, 48017, 50002, 50004, 50005,
            50007, 76003, 76021, 76022, 89501, 89503, 89506, 89507, 200_011, 200_012, 200_013,
            200_014, 200_015, 200_016, 200_017, 200_018, 200_019, 200_020, 200_021, 200_022,
        ];
        let page = [10003, 10004, 10005, 10006, 10009, 10010, 10011, 10012, 10013, 10015, 10016];
        for code in heard {
            let known = [CodeScope::Secret, CodeScope::Call].map(|place| lookup(code, place));
            assert!(known.iter().any(|row| *row != &UNKNOWN), "{code} has no row");
        }
        for code in page {
            assert_ne!(lookup(code, CodeScope::Page), &UNKNOWN, "{code} has no row");
        }
    }
}
