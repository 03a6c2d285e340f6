//! WeChat's return codes: the name, the meaning to us and what to do, in one table.

use std::time::Duration;

/// What a refusal means to whoever made the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The access token is bad: get another and try once more.
    Token,
    /// Not now: try again, after this long at the earliest if WeChat is known to want that.
    Later(Option<Duration>),
    /// The person does not want, or cannot get, messages of this account: stop sending them any.
    User,
    /// Our configuration, account or program is wrong: no retry helps until somebody acts.
    Ours,
    /// This very call will never work; others may.
    Never,
}

/// Which calls a row of the table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `token` and `stable_token`.
    TokenEndpoint,
    /// Every call that carries an access token.
    Call,
    /// Both.
    Anywhere,
}

/// One return code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// WeChat's `errcode`.
    pub code: i64,
    /// Where this row holds.
    pub place: Place,
    /// Our name of it, fit for a metric label.
    pub name: &'static str,
    /// What it means to us.
    pub meaning: Meaning,
    /// What to do about it, for the operator.
    pub advice: &'static str,
}

/// The same message went to this person less than 60 s ago: it counts as already sent.
pub const DUPLICATE_WITHIN_60S: i64 = 40241;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A code that is not in the table: later. The call did nothing, so trying it again is safe, every
/// caller bounds how often and how long it tries, and a "your turn" lost to a code nobody knew is
/// worse than a few calls in vain.
pub const UNKNOWN: Code = Code {
    code: i64::MIN,
    place: Place::Anywhere,
    name: "unknown",
    meaning: Meaning::Later(Some(Duration::from_secs(30))),
    advice: "look the code up in WeChat's documentation and add it to the table",
};

/// The row for a code returned at `place`, [`UNKNOWN`] if there is none.
pub fn lookup(code: i64, place: Place) -> &'static Code {
    TABLE
        .iter()
        .find(|row| row.code == code && (row.place == place || row.place == Place::Anywhere))
        .unwrap_or(&UNKNOWN)
}

const fn row(
    code: i64,
    place: Place,
    name: &'static str,
    meaning: Meaning,
    advice: &'static str,
) -> Code {
    Code { code, place, name, meaning, advice }
}

use Meaning::{Later, Never, Ours, Token, User};
use Place::{Anywhere, Call, TokenEndpoint};

/// Every code we know, in order.
#[rustfmt::skip]
pub const TABLE: &[Code] = &[
    row(-1,    Anywhere,      "busy",                    Later(None),         "WeChat is busy: it passes"),
    row(40001, TokenEndpoint, "wrong_secret",            Ours,                "correct the AppSecret in the configuration"),
    row(40001, Call,          "token_invalid",           Token,               "another token is fetched; if it repeats, look for a second program that fetches tokens of this account"),
    row(40002, TokenEndpoint, "wrong_grant_type",        Ours,                "a fault of the program: report it"),
    row(40003, Call,          "wrong_openid",            Never,               "the person belongs to another account: check which account the queue is bound to"),
    row(40008, Call,          "wrong_message_type",      Never,               "a fault of the program: report it"),
    row(40013, Anywhere,      "wrong_appid",             Ours,                "correct the AppID in the configuration"),
    row(40014, Call,          "token_malformed",         Token,               "another token is fetched"),
    row(40036, Call,          "template_id_size",        Ours,                "correct the template id in the configuration: it is cut or missing"),
    row(40037, Call,          "template_unknown",        Ours,                "the template was deleted (changing the category deletes all) or is another account's: choose it again"),
    row(40039, Call,          "link_size",               Never,               "the link of the message is too long: shorten the public address"),
    row(40052, Call,          "wrong_action_name",       Ours,                "a fault of the program: report it"),
    row(40053, Call,          "wrong_action_info",       Never,               "the scene of the code is empty, too long or out of range"),
    row(40125, TokenEndpoint, "wrong_secret",            Ours,                "correct the AppSecret in the configuration"),
    row(40164, Anywhere,      "address_not_listed",      Ours,                "add the address WeChat names to the IP whitelist in its console"),
    row(40241, Call,          "duplicate_within_60s",    Never,               "counts as already sent"),
    row(40243, TokenEndpoint, "secret_frozen",           Ours,                "unfreeze the AppSecret in WeChat's console"),
    row(40249, Call,          "marketing_forbidden",     Ours,                "the template's text reads as marketing: change it"),
    row(41001, Call,          "token_missing",           Ours,                "a fault of the program: report it"),
    row(41002, TokenEndpoint, "appid_missing",           Ours,                "put the AppID into the configuration"),
    row(41004, TokenEndpoint, "secret_missing",          Ours,                "put the AppSecret into the configuration"),
    row(41030, Call,          "wrong_page",              Never,               "the mini program's page of the message does not exist"),
    row(42001, Call,          "token_expired",           Token,               "another token is fetched; if it repeats, check this machine's clock"),
    row(43002, Anywhere,      "post_required",           Ours,                "a fault of the program, or a proxy that changes requests"),
    row(43004, Call,          "not_following",           User,                "the person does not follow the account"),
    row(43019, Call,          "on_our_blacklist",        User,                "the person is on the account's blacklist"),
    row(43101, Call,          "messages_refused",        User,                "the person has switched this account's messages off"),
    row(43116, Call,          "template_banned",         Ours,                "WeChat has banned the template: choose another"),
    row(43117, Call,          "too_often_to_person",     Later(Some(MINUTE)), "WeChat limits messages to one person: it passes"),
    row(45009, Anywhere,      "daily_quota",             Later(Some(HOUR)),   "the day's calls are used up: clear the quota in the console or wait for tomorrow"),
    row(45011, Anywhere,      "minute_quota",            Later(Some(MINUTE)), "too many calls this minute: it passes"),
    row(47001, Call,          "data_format",             Ours,                "a fault of the program: report it"),
    row(47003, Call,          "wrong_argument",          Never,               "a field does not fit the template: WeChat's sentence names it"),
    row(48001, Call,          "unauthorized",            Ours,                "the account lacks the permission: it must be a verified service account"),
    row(48002, Call,          "messages_refused",        User,                "the person has switched this account's messages off"),
    row(48004, Call,          "api_forbidden",           Ours,                "WeChat has taken the permission away: read its notice in the console"),
    row(48008, Call,          "message_type_forbidden",  Ours,                "the account may not send messages of this type"),
    row(50002, Call,          "account_limited",         Ours,                "WeChat has limited the account: read its notice in the console"),
    row(50004, TokenEndpoint, "token_forbidden",         Ours,                "the account may not fetch tokens: read WeChat's notice in the console"),
    row(50005, Call,          "unfollowed",              User,                "the person does not follow the account any more"),
    row(50007, TokenEndpoint, "account_frozen",          Ours,                "WeChat has frozen the account: read its notice in the console"),
    row(89501, TokenEndpoint, "address_awaits_admin",    Ours,                "the account's administrator has to confirm this address in WeChat"),
    row(89503, TokenEndpoint, "address_needs_admin",     Ours,                "the account's administrator has to confirm this address in WeChat"),
    row(89506, TokenEndpoint, "address_refused_day",     Later(Some(HOUR)),   "the administrator refused this address twice: WeChat blocks it for 24 hours"),
    row(89507, TokenEndpoint, "address_refused_hour",    Later(Some(HOUR)),   "the administrator refused this address: WeChat blocks it for an hour"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_without_repeats() {
        for pair in TABLE.windows(2) {
            assert!(
                pair[0].code < pair[1].code
                    || (pair[0].code == pair[1].code && pair[0].place != pair[1].place),
                "{pair:?}"
            );
        }
    }

    #[test]
    fn exactly_three_codes_ask_for_another_token() {
        let token: Vec<i64> =
            TABLE.iter().filter(|row| row.meaning == Token).map(|row| row.code).collect();
        assert_eq!(token, [40001, 40014, 42001]);
    }

    #[test]
    fn a_code_means_what_its_place_makes_of_it() {
        assert_eq!(lookup(40001, TokenEndpoint).meaning, Ours);
        assert_eq!(lookup(40001, Call).meaning, Token);
        assert_eq!(lookup(45009, Call).name, "daily_quota");
        assert_eq!(lookup(99999, Call), &UNKNOWN);
    }
}
