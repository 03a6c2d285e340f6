//! OAuth codes of customers who open a web page, each good once within five minutes, and the tokens
//! they are exchanged for.

use std::collections::{HashMap, VecDeque};

use crate::random;

const CODE_LIFETIME_MS: u64 = 5 * 60 * 1000;
const TOKEN_LIFETIME_MS: u64 = 2 * 3600 * 1000;
const REFRESH_LIFETIME_MS: u64 = 30 * 24 * 3600 * 1000;
const MAX_CODES: usize = 10_000;

/// Visit of a customer to a web page of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageVisit {
    pub(crate) account: usize,
    pub(crate) openid: String,
    /// `snsapi_base` or `snsapi_userinfo`.
    pub(crate) scope: &'static str,
    /// True for a preview, whose openid belongs to no customer.
    pub(crate) preview: bool,
    pub(crate) at: u64,
}

/// The newest codes, with their visits.
#[derive(Debug, Default)]
pub(crate) struct PageVisits {
    by_code: HashMap<String, (PageVisit, bool)>,
    order: VecDeque<String>,
    tokens: VecDeque<PageToken>,
}

/// Token of a visitor, which is another thing than the account's access token.
#[derive(Debug, Clone)]
pub(crate) struct PageToken {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
    pub(crate) visit: PageVisit,
    issued_at: u64,
    first_issued_at: u64,
}

impl PageVisits {
    /// Issues a token for a visit.
    pub(crate) fn issue(&mut self, visit: PageVisit, now: u64) -> PageToken {
        let token = PageToken {
            access_token: random_token(),
            refresh_token: random_token(),
            visit,
            issued_at: now,
            first_issued_at: now,
        };
        if self.tokens.len() >= MAX_CODES {
            self.tokens.pop_front();
        }
        self.tokens.push_back(token.clone());
        token
    }

    /// Issues a new token in the place of that with this refresh token, or returns the error code.
    pub(crate) fn refresh(
        &mut self,
        refresh_token: &str,
        account: usize,
        now: u64,
    ) -> Result<PageToken, i64> {
        let token = self
            .tokens
            .iter_mut()
            .find(|token| token.refresh_token == refresh_token && token.visit.account == account)
            .ok_or(40030)?;
        if now >= token.first_issued_at + REFRESH_LIFETIME_MS {
            return Err(42002);
        }
        token.access_token = random_token();
        token.issued_at = now;
        Ok(token.clone())
    }

    /// Finds the visit of a token and its visitor, or returns the error code.
    pub(crate) fn visit_of(&self, token: &str, openid: &str, now: u64) -> Result<PageVisit, i64> {
        let token = self.tokens.iter().find(|known| known.access_token == token).ok_or(40001)?;
        if now >= token.issued_at + TOKEN_LIFETIME_MS {
            return Err(42001);
        }
        if token.visit.openid == openid { Ok(token.visit.clone()) } else { Err(40003) }
    }

    pub(crate) fn add(&mut self, code: String, visit: PageVisit) {
        if self.order.len() >= MAX_CODES
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_code.remove(&oldest);
        }
        self.order.push_back(code.clone());
        self.by_code.insert(code, (visit, false));
    }

    /// Exchanges a code for its visit, or returns the error code that refuses it.
    pub(crate) fn exchange(
        &mut self,
        code: &str,
        account: usize,
        now: u64,
    ) -> Result<PageVisit, i64> {
        let (visit, used) = self
            .by_code
            .get_mut(code)
            .filter(|(visit, _)| visit.account == account)
            .ok_or(40029)?;
        if std::mem::replace(used, true) {
            return Err(40163);
        }
        if now >= visit.at + CODE_LIFETIME_MS { Err(42003) } else { Ok(visit.clone()) }
    }
}

fn random_token() -> String {
    format!("98_web{}", random::text::<64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_works_once_for_its_account_and_five_minutes() {
        let mut visits = PageVisits::default();
        let visit = PageVisit {
            account: 0,
            openid: "oA".into(),
            scope: "snsapi_base",
            preview: false,
            at: 0,
        };
        visits.add("a".into(), visit.clone());
        visits.add("b".into(), visit.clone());
        assert_eq!(visits.exchange("a", 1, 0), Err(40029));
        assert_eq!(visits.exchange("a", 0, CODE_LIFETIME_MS - 1), Ok(visit));
        assert_eq!(visits.exchange("a", 0, CODE_LIFETIME_MS - 1), Err(40163));
        assert_eq!(visits.exchange("b", 0, CODE_LIFETIME_MS), Err(42003));
        assert_eq!(visits.exchange("c", 0, 0), Err(40029));
    }

    #[test]
    fn a_token_works_two_hours_and_is_refreshed_for_thirty_days() {
        let mut visits = PageVisits::default();
        let visit = PageVisit {
            account: 0,
            openid: "oA".into(),
            scope: "snsapi_userinfo",
            preview: false,
            at: 0,
        };
        let token = visits.issue(visit.clone(), 0);
        let last = TOKEN_LIFETIME_MS - 1;
        assert_eq!(visits.visit_of(&token.access_token, "oA", last), Ok(visit.clone()));
        assert_eq!(visits.visit_of(&token.access_token, "oB", last), Err(40003));
        assert_eq!(visits.visit_of("other", "oA", last), Err(40001));
        assert_eq!(visits.visit_of(&token.access_token, "oA", last + 1), Err(42001));
        assert_eq!(visits.refresh(&token.refresh_token, 1, last).unwrap_err(), 40030);
        let renewed = visits.refresh(&token.refresh_token, 0, last + 1).unwrap();
        assert_eq!(visits.visit_of(&token.access_token, "oA", last + 1), Err(40001));
        assert_eq!(visits.visit_of(&renewed.access_token, "oA", last + 1), Ok(visit));
        let end = REFRESH_LIFETIME_MS;
        assert_eq!(visits.refresh(&token.refresh_token, 0, end).unwrap_err(), 42002);
    }
}
