//! WeChat's return codes: name, failure class and advice.

mod page;
mod table;

pub use page::markdown_page;
pub use table::RETURN_CODES;

use std::time::Duration;

/// Consequences of a refusal for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// The access token is invalid: get another and retry once.
    InvalidToken,
    /// Retry later; not before this duration, if WeChat is known to want that.
    RetryLater(Option<Duration>),
    /// The person does not want, or cannot receive, messages of this account: stop sending.
    Recipient,
    /// Our configuration, account or program is wrong: no retry helps before an operator acts.
    Configuration,
    /// This call will never succeed; others may.
    Permanent,
    /// The code is not in the table, and no code of its range ever meant *later*. Another way is
    /// better than another try; without one, retry after this duration.
    Unknown(Duration),
}

/// Calls to which a row of the table applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeScope {
    /// Calls that carry the account's secret: `token`, `stable_token`, `sns/oauth2/access_token`
    /// and `clear_quota/v2`.
    Secret,
    /// Calls that carry an access token.
    Call,
    /// Both kinds of call.
    Anywhere,
    /// The page on which a person grants a web page access to their identity. Its codes are shown
    /// there and never returned by a call.
    Page,
}

/// A return code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReturnCode {
    /// WeChat's `errcode`.
    pub code: i64,
    /// Calls to which this row applies.
    pub scope: CodeScope,
    /// Our name of the code, fit for a metric label.
    pub name: &'static str,
    /// Failure class.
    pub class: FailureClass,
    /// Advice for the operator.
    pub advice: &'static str,
}

/// WeChat is overloaded.
pub const BUSY: i64 = -1;
/// The same message was sent to this person less than 60 s ago: it counts as sent.
pub const DUPLICATE_WITHIN_60S: i64 = 40241;
/// The account has no menu that the API made.
pub const NO_MENU: i64 = 46003;
/// The daily quota of an API is exhausted.
pub const DAILY_QUOTA: i64 = 45009;
/// The quota of this minute is exhausted.
pub const MINUTE_QUOTA: i64 = 45011;

/// Wait before a call is repeated whose refusal is not in the table.
const UNKNOWN_WAIT: Duration = Duration::from_secs(30);

/// Row for a code that is not in the table. The call had no effect, so a retry is safe, and every
/// caller bounds its retries. A call notice lost to an unknown code would be worse than a few
/// useless calls.
pub const UNKNOWN: ReturnCode = ReturnCode {
    code: i64::MIN,
    scope: CodeScope::Anywhere,
    name: "unknown",
    class: FailureClass::Unknown(UNKNOWN_WAIT),
    advice: "look the code up in WeChat's documentation and add it to the table",
};

/// Row for a code that is not in the table and may mean *later*: a failure of WeChat's own
/// (negative), or one of the range of its limits.
pub const UNKNOWN_LATER: ReturnCode =
    ReturnCode { class: FailureClass::RetryLater(Some(UNKNOWN_WAIT)), ..UNKNOWN };

/// Codes of WeChat's limits on number, frequency and time.
const LIMIT_CODES: std::ops::RangeInclusive<i64> = 45000..=45999;

/// Row for a code returned at `scope`; [`UNKNOWN`] or [`UNKNOWN_LATER`] if there is none.
pub fn lookup(code: i64, scope: CodeScope) -> &'static ReturnCode {
    let anywhere = |row: &ReturnCode| row.scope == CodeScope::Anywhere && scope != CodeScope::Page;
    let known =
        RETURN_CODES.iter().find(|row| row.code == code && (row.scope == scope || anywhere(row)));
    match known {
        Some(row) => row,
        None if code < 0 || LIMIT_CODES.contains(&code) => &UNKNOWN_LATER,
        None => &UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_no_code_has_two_meanings_in_one_place() {
        for pair in RETURN_CODES.windows(2) {
            let one = pair[0];
            let next = pair[1];
            let apart = one.scope != next.scope
                && one.scope != CodeScope::Anywhere
                && next.scope != CodeScope::Anywhere;
            assert!(one.code < next.code || (one.code == next.code && apart), "{pair:?}");
        }
    }

    #[test]
    fn every_row_can_be_read_and_used_as_a_label() {
        for row in RETURN_CODES {
            let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(!row.name.is_empty() && row.name.chars().all(is_allowed), "{row:?}");
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
    fn the_meaning_of_a_code_depends_on_the_kind_of_call() {
        assert_eq!(lookup(40001, CodeScope::Secret).class, FailureClass::Configuration);
        assert_eq!(lookup(40001, CodeScope::Call).class, FailureClass::InvalidToken);
        assert_eq!(lookup(45009, CodeScope::Call).name, "daily_quota");
        assert_eq!(lookup(10003, CodeScope::Call), &UNKNOWN, "never answered to a call");
        assert_eq!(lookup(45009, CodeScope::Page), &UNKNOWN_LATER);
        assert_eq!(lookup(99999, CodeScope::Call), &UNKNOWN);
    }

    #[test]
    fn an_unknown_code_means_later_in_the_ranges_of_such_codes_only() {
        for (code, row) in [
            (-1000, &UNKNOWN_LATER),
            (45999, &UNKNOWN_LATER),
            (44999, &UNKNOWN),
            (46000, &UNKNOWN),
            (50999, &UNKNOWN),
            (9_001_001, &UNKNOWN),
        ] {
            assert_eq!(lookup(code, CodeScope::Call), row, "{code}");
        }
    }

    /// Every code that public documentation and reports name for the calls in use here, and for the
    /// calls that an operator makes by hand.
    #[test]
    fn every_documented_code_is_in_the_table() {
        let documented = [
            -1, 40001, 40002, 40003, 40008, 40013, 40014, 40015, 40016, 40017, 40018, 40019, 40020,
            40021, 40022, 40023, 40024, 40025, 40026, 40027, 40028, 40029, 40030, 40033, 40036,
            40037, 40039, 40052, 40053, 40054, 40055, 40119, 40120, 40125, 40132, 40163, 40164,
            40165, 40200, 40241, 40243, 40246, 40247, 40249, 41001, 41002, 41004, 41008, 41030,
            42001, 42002, 42003, 43001, 43002, 43004, 43019, 43101, 43116, 43117, 44004, 45002,
            45008, 45009, 45010, 45011, 45015, 45047, 45064, 45065, 45066, 45067, 45072, 45080,
            45081, 45162, 46003, 46004, 47001, 47003, 48001, 48002, 48004, 48006, 48008, 48017,
            50001, 50002, 50004, 50005, 50007, 61000, 61003, 61004, 61007, 76003, 76021, 76022,
            89501, 89503, 89506, 89507, 200_011, 200_012, 200_013, 200_014, 200_015, 200_016,
            200_017, 200_018, 200_019, 200_020, 200_021, 200_022,
        ];
        let page = [10003, 10004, 10005, 10006, 10009, 10010, 10011, 10012, 10013, 10015, 10016];
        for code in documented {
            let rows = [CodeScope::Secret, CodeScope::Call].map(|scope| lookup(code, scope));
            assert!(rows.iter().any(|row| row.name != UNKNOWN.name), "{code} has no row");
        }
        for code in page {
            assert_ne!(lookup(code, CodeScope::Page).name, UNKNOWN.name, "{code} has no row");
        }
    }
}
